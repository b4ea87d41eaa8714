import { z } from 'zod';

import { defineStage, original } from '../kit.ts';
import { namespaceOf, Place } from './place.ts';

/** `kv_exists`: a stored null is there. */
export const kvExists = original(
  defineStage({
    name: 'kv_exists',
    description: 'Tells whether a key of a namespace has a value, null included.',
    effects: ['Fallible', 'NonDeterministic'],
    capabilities: ['kv.read'],
    input: Place,
    output: z.boolean(),
    examples: [
      { input: { key: 'colour', namespace: 'ui' }, output: true },
      { input: { key: 'nothing' }, output: true },
      { input: { key: 'no-such-key', namespace: null }, output: false },
    ],
    tags: ['kv'],
    run: async ({ key, ...place }, { kv }) => (await kv.get(key, namespaceOf(place))) !== undefined,
  }),
);
