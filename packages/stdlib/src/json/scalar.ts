import { canonicalJson } from '@caloron/noether/stage';
import { z } from 'zod';

import { finite, StdlibError } from '../errors.ts';
import { defineStage, original } from '../kit.ts';
import { AnyValue } from '../shape.ts';

/** `to_text`: a text as it is, everything else as JSON with sorted keys. */
export const toText = original(
  defineStage({
    name: 'to_text',
    description: 'Gives any value as text.',
    effects: ['Pure'],
    input: AnyValue,
    output: z.string(),
    examples: [
      { input: 'hello', output: 'hello' },
      { input: 1.5, output: '1.5' },
      { input: null, output: 'null' },
      { input: { b: [1, true], a: 'x' }, output: '{"a":"x","b":[1,true]}' },
    ],
    tags: ['conversion'],
    run: (value) => (typeof value === 'string' ? value : canonicalJson(value)),
  }),
);

const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/u;

/** `to_number`: decimal text without spaces; true is 1, false is 0. Throws STDLIB_NUMBER_INVALID. */
export const toNumber = original(
  defineStage({
    name: 'to_number',
    description: 'Reads a number from a text or a boolean.',
    effects: ['Pure'],
    input: z.union([z.boolean(), z.number(), z.string()]),
    output: z.number(),
    examples: [
      { input: '42', output: 42 },
      { input: '-1.5e3', output: -1500 },
      { input: true, output: 1 },
      { input: 7, output: 7 },
    ],
    tags: ['conversion'],
    run: (value) => {
      if (typeof value !== 'string') return Number(value);
      if (!DECIMAL.test(value))
        throw new StdlibError('STDLIB_NUMBER_INVALID', { stage: 'to_number', value: JSON.stringify(value) });
      return finite('to_number', Number(value));
    },
  }),
  { effects: [{ effect: 'Fallible' }, { effect: 'Pure' }] },
);

/** `to_bool`: false for null, false, zero and the empty text; `"false"` is a text like others. */
export const toBool = original(
  defineStage({
    name: 'to_bool',
    description: 'Says whether a value counts as true.',
    effects: ['Pure'],
    input: z.union([z.boolean(), z.null(), z.number(), z.string()]),
    output: z.boolean(),
    examples: [
      { input: 0, output: false },
      { input: -1, output: true },
      { input: '', output: false },
      { input: 'false', output: true },
      { input: null, output: false },
    ],
    tags: ['conversion'],
    run: (value) => Boolean(value),
  }),
);
