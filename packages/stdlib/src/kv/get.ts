import type { Json } from '@caloron/noether/stage';

import { defineStage, original } from '../kit.ts';
import { AnyResult } from '../shape.ts';
import { namespaceOf, Place } from './place.ts';

/** `kv_get`: a missing key and a stored null look the same; `kv_exists` tells them apart. */
export const kvGet = original(
  defineStage({
    name: 'kv_get',
    description: 'Gives the value of a key of a namespace; null when there is none.',
    effects: ['Fallible', 'NonDeterministic'],
    capabilities: ['kv.read'],
    input: Place,
    output: AnyResult,
    examples: [
      { input: { key: 'colour', namespace: 'ui' }, output: { r: 255, g: 0, b: 0 } },
      { input: { key: 'colour', namespace: null }, output: 'red' },
      { input: { key: 'no-such-key' }, output: null },
    ],
    tags: ['kv'],
    run: async ({ key, ...place }, { kv }) =>
      ((await kv.get(key, namespaceOf(place)))?.value ?? null) as Json,
  }),
);
