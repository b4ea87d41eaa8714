import { z } from 'zod';

import { defineStage, original } from '../kit.ts';
import { namespaceOf } from './place.ts';

/** `kv_list`: the prefix is meant as it is written. The original takes `%` and `_` for any characters and a for A. */
export const kvList = original(
  defineStage({
    name: 'kv_list',
    description: 'Lists the keys of a namespace that begin with a prefix, in byte order.',
    effects: ['Fallible', 'NonDeterministic'],
    capabilities: ['kv.read'],
    input: z.object({ prefix: z.string(), namespace: z.string().nullish() }),
    output: z.array(z.string()),
    examples: [
      { input: { prefix: '', namespace: null }, output: ['colour', 'nothing'] },
      { input: { prefix: 'col', namespace: 'ui' }, output: ['col_1', 'colour'] },
      { input: { prefix: 'col_', namespace: 'ui' }, output: ['col_1'] },
      { input: { prefix: 'COL', namespace: 'ui' }, output: [] },
    ],
    tags: ['kv'],
    run: async ({ prefix, ...place }, { kv }) => [...(await kv.list(prefix, namespaceOf(place)))],
  }),
);
