import { NULL, record, union } from '@caloron/noether/stage';
import { z } from 'zod';

import { defineStage, original, typed } from '../kit.ts';
import { AnyResult, AnyValue, T } from '../shape.ts';

const Pair = z.object({ left: z.boolean(), right: z.boolean() });

/** `and`. */
export const and = defineStage({
  name: 'and',
  description: 'Says whether both values are true.',
  effects: ['Pure'],
  input: Pair,
  output: z.boolean(),
  examples: [
    { input: { left: true, right: true }, output: true },
    { input: { left: true, right: false }, output: false },
    { input: { left: false, right: false }, output: false },
  ],
  tags: ['logic'],
  run: ({ left, right }) => left && right,
});

/** `or`. */
export const or = defineStage({
  name: 'or',
  description: 'Says whether one of two values is true.',
  effects: ['Pure'],
  input: Pair,
  output: z.boolean(),
  examples: [
    { input: { left: false, right: true }, output: true },
    { input: { left: true, right: true }, output: true },
    { input: { left: false, right: false }, output: false },
  ],
  tags: ['logic'],
  run: ({ left, right }) => left || right,
});

/** `not`. */
export const not = defineStage({
  name: 'not',
  description: 'Turns true into false and false into true.',
  effects: ['Pure'],
  input: z.boolean(),
  output: z.boolean(),
  examples: [
    { input: true, output: false },
    { input: false, output: true },
    { input: true, output: false },
  ],
  tags: ['logic'],
  run: (value) => !value,
});

/** `branch`: both values are there already; to run only one of two stages use the op Branch. An absent value is null. */
export const branch = original(
  defineStage({
    name: 'branch',
    description: 'Gives one of two values, as a condition says.',
    effects: ['Pure'],
    input: z.object({ condition: z.boolean(), if_true: AnyValue, if_false: AnyValue }),
    output: AnyResult,
    examples: [
      { input: { condition: true, if_true: 1, if_false: 2 }, output: 1 },
      { input: { condition: false, if_true: 'a', if_false: ['b'] }, output: ['b'] },
      { input: { condition: false, if_true: 1, if_false: null }, output: null },
    ],
    tags: ['logic'],
    run: ({ condition, if_true, if_false }) => (condition ? if_true : if_false),
  }),
);

/** `coalesce`: the value, or the default where it is null or absent. */
export const coalesce = typed(
  defineStage({
    name: 'coalesce',
    description: 'Gives a value, or another where it is null.',
    effects: ['Pure'],
    input: z.object({ value: AnyValue, default: AnyValue }),
    output: AnyResult,
    examples: [
      { input: { value: 'a', default: 'b' }, output: 'a' },
      { input: { value: null, default: 'b' }, output: 'b' },
      { input: { value: false, default: true }, output: false },
    ],
    tags: ['logic'],
    run: ({ value, default: otherwise }) => value ?? otherwise,
  }),
  { input: record({ value: union([NULL, T]), default: T }), output: T },
);

/** `identity`. */
export const identity = original(
  defineStage({
    name: 'identity',
    description: 'Gives what it takes.',
    effects: ['Pure'],
    input: AnyValue,
    output: AnyResult,
    examples: [
      { input: 'hello', output: 'hello' },
      { input: { a: [1] }, output: { a: [1] } },
      { input: null, output: null },
    ],
    tags: ['logic'],
    run: (value) => value,
  }),
  { input: T, output: T },
);
