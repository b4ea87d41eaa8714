import { list, record, TEXT } from '@caloron/noether/stage';
import { z } from 'zod';

import { defineStage, original } from '../kit.ts';

/** What the examples' catalog says of its one stage. */
const UPPER = {
  id: 'c0ffee',
  name: 'text_upper',
  description: 'Gives a text in upper case.',
  input: 'Text',
  output: 'Text',
  effects: ['pure'],
  lifecycle: 'Active',
  examples_count: 3,
};

/** `stage_describe`: by id, signature id, prefix or name; types as they are displayed. */
export const stageDescribe = original(
  defineStage({
    name: 'stage_describe',
    description: 'Describes a stage that graphs may name.',
    effects: ['Fallible', 'NonDeterministic'],
    capabilities: ['catalog'],
    input: z.object({ id: z.string() }),
    output: z.object({
      id: z.string(),
      name: z.string(),
      description: z.string(),
      input: z.string(),
      output: z.string(),
      effects: z.array(z.string()),
      lifecycle: z.string(),
      examples_count: z.number(),
    }),
    examples: [
      {
        input: { id: 'text_upper' },
        output: UPPER,
      },
      {
        input: { id: 'c0ffee' },
        output: UPPER,
      },
      {
        input: { id: 'c0f' },
        output: UPPER,
      },
    ],
    tags: ['engine'],
    run: async ({ id }, { catalog }) => {
      const { effects, ...summary } = await catalog.describe(id);
      return { ...summary, effects: [...effects] };
    },
  }),
  {
    output: record({
      description: TEXT,
      effects: list(TEXT),
      id: TEXT,
      input: TEXT,
      lifecycle: TEXT,
      output: TEXT,
    }),
  },
);
