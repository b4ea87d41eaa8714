import { z } from 'zod';

import { defineStage, original } from '../kit.ts';
import { AnyValue } from '../shape.ts';
import { namespaceOf, Place } from './place.ts';

/** `kv_set`: null is a value like any other. */
export const kvSet = original(
  defineStage({
    name: 'kv_set',
    description: 'Stores a value under a key of a namespace; the last write wins.',
    effects: ['Fallible'],
    capabilities: ['kv.write'],
    input: Place.extend({ value: AnyValue }),
    output: z.literal('ok'),
    examples: [
      { input: { key: 'colour', namespace: null, value: 'red' }, output: 'ok' },
      { input: { key: 'colour', namespace: 'ui', value: { r: 255, g: 0, b: 0 } }, output: 'ok' },
      { input: { key: 'nothing', value: null }, output: 'ok' },
    ],
    tags: ['kv'],
    run: async ({ key, value, ...place }, { kv }) => {
      await kv.put(key, value, namespaceOf(place));
      return 'ok' as const;
    },
  }),
  { output: { kind: 'Text' } },
);
