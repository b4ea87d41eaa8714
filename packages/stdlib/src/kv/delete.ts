import { z } from 'zod';

import { defineStage, original } from '../kit.ts';
import { namespaceOf, Place } from './place.ts';

/** `kv_delete`. */
export const kvDelete = original(
  defineStage({
    name: 'kv_delete',
    description: 'Removes a key of a namespace; false when there was none.',
    effects: ['Fallible', 'NonDeterministic'],
    capabilities: ['kv.write'],
    input: Place,
    output: z.boolean(),
    examples: [
      { input: { key: 'colour', namespace: 'ui' }, output: true },
      { input: { key: 'colour', namespace: 'other' }, output: false },
      { input: { key: 'no-such-key' }, output: false },
    ],
    tags: ['kv'],
    run: ({ key, ...place }, { kv }) => kv.delete(key, namespaceOf(place)),
  }),
);
