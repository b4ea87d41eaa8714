import { z } from 'zod';

import { StdlibError } from '../errors.ts';
import { defineStage } from '../kit.ts';
import { equalTo } from '../list/search.ts';
import { AnyValue, compareText } from '../shape.ts';
import { kindOf } from './kind.ts';

const Values = z.object({ left: AnyValue, right: AnyValue });
const Ordered = z.object({
  left: z.union([z.number(), z.string()]),
  right: z.union([z.number(), z.string()]),
});

/** Two numbers, or two texts by their code points. Throws STDLIB_NOT_COMPARABLE. */
function order(stage: string, { left, right }: z.output<typeof Ordered>): number {
  if (typeof left === 'number' && typeof right === 'number') return left - right;
  if (typeof left === 'string' && typeof right === 'string') return compareText(left, right);
  throw new StdlibError('STDLIB_NOT_COMPARABLE', { stage, left: kindOf(left), right: kindOf(right) });
}

/** `equals`: objects are equal whatever the order of their keys; an absent side counts as null. */
export const equals = defineStage({
  name: 'equals',
  description: 'Says whether two values are equal.',
  effects: ['Pure'],
  input: Values,
  output: z.boolean(),
  examples: [
    { input: { left: { a: 1, b: [2] }, right: { b: [2], a: 1 } }, output: true },
    { input: { left: 1, right: '1' }, output: false },
    { input: { left: null, right: undefined }, output: true },
  ],
  tags: ['logic'],
  run: ({ left, right }) => equalTo(left)(right),
});

/** `not_equals`: the opposite of `equals`. */
export const notEquals = defineStage({
  name: 'not_equals',
  description: 'Says whether two values differ.',
  effects: ['Pure'],
  input: Values,
  output: z.boolean(),
  examples: [
    { input: { left: 'a', right: 'b' }, output: true },
    { input: { left: [1], right: [1] }, output: false },
    { input: { left: 0, right: null }, output: true },
  ],
  tags: ['logic'],
  run: ({ left, right }) => !equalTo(left)(right),
});

/** `less_than`. Throws STDLIB_NOT_COMPARABLE, as every stage of order. */
export const lessThan = defineStage({
  name: 'less_than',
  description: 'Says whether the left number or text comes before the right.',
  effects: ['Pure'],
  input: Ordered,
  output: z.boolean(),
  examples: [
    { input: { left: 1, right: 2 }, output: true },
    { input: { left: 2, right: 2 }, output: false },
    { input: { left: 'abc', right: 'abd' }, output: true },
  ],
  tags: ['logic'],
  run: (pair) => order('less_than', pair) < 0,
});

/** `less_or_equal`. */
export const lessOrEqual = defineStage({
  name: 'less_or_equal',
  description: 'Says whether the left number or text does not come after the right.',
  effects: ['Pure'],
  input: Ordered,
  output: z.boolean(),
  examples: [
    { input: { left: 2, right: 2 }, output: true },
    { input: { left: 3, right: 2 }, output: false },
    { input: { left: 'a', right: 'a' }, output: true },
  ],
  tags: ['logic'],
  run: (pair) => order('less_or_equal', pair) <= 0,
});

/** `greater_than`. */
export const greaterThan = defineStage({
  name: 'greater_than',
  description: 'Says whether the left number or text comes after the right.',
  effects: ['Pure'],
  input: Ordered,
  output: z.boolean(),
  examples: [
    { input: { left: 2, right: 1 }, output: true },
    { input: { left: 2, right: 2 }, output: false },
    { input: { left: 'b', right: 'a' }, output: true },
  ],
  tags: ['logic'],
  run: (pair) => order('greater_than', pair) > 0,
});

/** `greater_or_equal`. */
export const greaterOrEqual = defineStage({
  name: 'greater_or_equal',
  description: 'Says whether the left number or text does not come before the right.',
  effects: ['Pure'],
  input: Ordered,
  output: z.boolean(),
  examples: [
    { input: { left: 2, right: 2 }, output: true },
    { input: { left: 1, right: 2 }, output: false },
    { input: { left: 'b', right: 'a' }, output: true },
  ],
  tags: ['logic'],
  run: (pair) => order('greater_or_equal', pair) >= 0,
});
