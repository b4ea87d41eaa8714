import { list, NUMBER, record, TEXT } from '@caloron/noether/stage';
import { z } from 'zod';

import { defineStage, original } from '../kit.ts';

/** Stages listed unless the input says so; the original's. */
const LIMIT = 10;

/** `store_search`: by words of name, description, tags, examples and types; of the program's stages and the stage store's. */
export const storeSearch = original(
  defineStage({
    name: 'store_search',
    description: 'Finds active stages a question is about, best first.',
    effects: ['Fallible', 'NonDeterministic'],
    capabilities: ['catalog'],
    input: z.object({ query: z.string(), limit: z.number().nullish() }),
    output: z.array(
      z.object({
        id: z.string(),
        name: z.string(),
        description: z.string(),
        input: z.string(),
        output: z.string(),
        score: z.number(),
      }),
    ),
    examples: [
      {
        input: { query: 'upper case' },
        output: [
          {
            id: 'c0ffee',
            name: 'text_upper',
            description: 'Gives a text in upper case.',
            input: 'Text',
            output: 'Text',
            score: 1,
          },
        ],
      },
      { input: { query: 'upper case', limit: 0 }, output: [] },
      { input: { query: 'weather', limit: null }, output: [] },
    ],
    tags: ['engine'],
    run: async ({ query, limit }, { catalog }) => {
      const found = await catalog.search(query, limit ?? LIMIT);
      return found.map(({ id, name, description, input, output, score }) => ({
        id,
        name,
        description,
        input,
        output,
        score,
      }));
    },
  }),
  {
    output: list(record({ description: TEXT, id: TEXT, input: TEXT, output: TEXT, score: NUMBER })),
  },
);
