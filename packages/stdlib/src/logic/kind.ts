import type { Json } from '@caloron/noether/stage';
import { z } from 'zod';

import { defineStage } from '../kit.ts';
import { AnyValue, isObject } from '../shape.ts';

const Kind = z.enum(['null', 'boolean', 'number', 'string', 'array', 'object']);

/** The kind of a value in JSON's words. */
export function kindOf(value: Json): z.output<typeof Kind> {
  if (value === null) return 'null';
  if (isObject(value)) return 'object';
  if (typeof value === 'boolean') return 'boolean';
  if (typeof value === 'number') return 'number';
  return typeof value === 'string' ? 'string' : 'array';
}

/** `kind_of`: null, boolean, number, string, array or object. */
export const kindOfStage = defineStage({
  name: 'kind_of',
  description: 'Gives the kind of a value in JSON words.',
  effects: ['Pure'],
  input: AnyValue,
  output: Kind,
  examples: [
    { input: null, output: 'null' },
    { input: [1], output: 'array' },
    { input: { a: 1 }, output: 'object' },
    { input: 'x', output: 'string' },
  ],
  tags: ['logic'],
  run: kindOf,
});

/** `is_null`: an absent value counts as null. */
export const isNull = defineStage({
  name: 'is_null',
  description: 'Says whether a value is null.',
  effects: ['Pure'],
  input: AnyValue,
  output: z.boolean(),
  examples: [
    { input: null, output: true },
    { input: 0, output: false },
    { input: '', output: false },
  ],
  tags: ['logic'],
  run: (value) => value === null,
});

/** `is_empty`: null, the empty text, the empty list, the empty object. */
export const isEmpty = defineStage({
  name: 'is_empty',
  description: 'Says whether a value is null or holds nothing.',
  effects: ['Pure'],
  input: AnyValue,
  output: z.boolean(),
  examples: [
    { input: [], output: true },
    { input: {}, output: true },
    { input: ' ', output: false },
    { input: 0, output: false },
    { input: null, output: true },
  ],
  tags: ['logic'],
  run: (value) => {
    if (value === null || value === '') return true;
    if (Array.isArray(value)) return value.length === 0;
    return isObject(value) && Object.keys(value).length === 0;
  },
});
