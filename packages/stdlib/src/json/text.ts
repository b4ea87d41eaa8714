import { canonicalJson } from '@caloron/noether/stage';
import { z } from 'zod';

import { defineStage, original } from '../kit.ts';
import { AnyResult, AnyValue } from '../shape.ts';
import { readJson } from './read.ts';

/** `parse_json`: of a key that comes twice the last counts. Throws STDLIB_JSON_INVALID with line and column. */
export const parseJson = original(
  defineStage({
    name: 'parse_json',
    description: 'Reads a value from its JSON text.',
    effects: ['Pure'],
    input: z.string(),
    output: AnyResult,
    examples: [
      { input: '{"a": [1, true, null]}', output: { a: [1, true, null] } },
      { input: ' "x\\u00e9" ', output: 'xé' },
      { input: '-1.5e2', output: -150 },
    ],
    tags: ['json', 'conversion'],
    run: readJson,
  }),
  { effects: [{ effect: 'Fallible' }, { effect: 'Pure' }] },
);

/** `to_json`: without white space and with sorted keys, so that equal values give equal texts. */
export const toJson = original(
  defineStage({
    name: 'to_json',
    description: 'Gives any value as JSON text.',
    effects: ['Pure'],
    input: AnyValue,
    output: z.string(),
    examples: [
      { input: { b: 1, a: [null] }, output: '{"a":[null],"b":1}' },
      { input: 'x"y', output: '"x\\"y"' },
      { input: null, output: 'null' },
    ],
    tags: ['json', 'conversion'],
    run: (value) => canonicalJson(value),
  }),
);
