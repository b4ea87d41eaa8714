import { z } from 'zod';

import { finite, StdlibError } from '../errors.ts';
import { defineStage } from '../kit.ts';

const Pair = z.object({ left: z.number(), right: z.number() });

function divisor(stage: string, right: number): number {
  if (right === 0) throw new StdlibError('STDLIB_DIVISION_BY_ZERO', { stage });
  return right;
}

/** `add`. Throws STDLIB_NUMBER_INVALID beyond the largest number, as every stage of this file. */
export const add = defineStage({
  name: 'add',
  description: 'Adds two numbers.',
  effects: ['Pure'],
  input: Pair,
  output: z.number(),
  examples: [
    { input: { left: 2, right: 3 }, output: 5 },
    { input: { left: 0.5, right: -0.5 }, output: 0 },
    { input: { left: 1e15, right: 1 }, output: 1_000_000_000_000_001 },
  ],
  tags: ['number'],
  run: ({ left, right }) => finite('add', left + right),
});

/** `subtract`: `right` from `left`. */
export const subtract = defineStage({
  name: 'subtract',
  description: 'Subtracts the right number from the left.',
  effects: ['Pure'],
  input: Pair,
  output: z.number(),
  examples: [
    { input: { left: 5, right: 3 }, output: 2 },
    { input: { left: 1, right: 1.5 }, output: -0.5 },
    { input: { left: 0, right: 0 }, output: 0 },
  ],
  tags: ['number'],
  run: ({ left, right }) => finite('subtract', left - right),
});

/** `multiply`. */
export const multiply = defineStage({
  name: 'multiply',
  description: 'Multiplies two numbers.',
  effects: ['Pure'],
  input: Pair,
  output: z.number(),
  examples: [
    { input: { left: 4, right: 2.5 }, output: 10 },
    { input: { left: -1, right: 0 }, output: 0 },
    { input: { left: -3, right: -3 }, output: 9 },
  ],
  tags: ['number'],
  run: ({ left, right }) => finite('multiply', left * right),
});

/** `divide`: `left` by `right`. Throws STDLIB_DIVISION_BY_ZERO. */
export const divide = defineStage({
  name: 'divide',
  description: 'Divides the left number by the right.',
  effects: ['Pure'],
  input: Pair,
  output: z.number(),
  examples: [
    { input: { left: 7, right: 2 }, output: 3.5 },
    { input: { left: -6, right: 3 }, output: -2 },
    { input: { left: 0, right: -5 }, output: 0 },
  ],
  tags: ['number'],
  run: ({ left, right }) => finite('divide', left / divisor('divide', right)),
});

/** `modulo`: what is left of a division, with the sign of `right`. Throws STDLIB_DIVISION_BY_ZERO. */
export const modulo = defineStage({
  name: 'modulo',
  description: 'Gives what is left when the left number is divided by the right.',
  effects: ['Pure'],
  input: Pair,
  output: z.number(),
  examples: [
    { input: { left: 7, right: 3 }, output: 1 },
    { input: { left: -7, right: 3 }, output: 2 },
    { input: { left: 7, right: -3 }, output: -2 },
  ],
  tags: ['number'],
  run: ({ left, right }) => {
    const rest = left % divisor('modulo', right);
    return finite('modulo', rest !== 0 && rest < 0 !== right < 0 ? rest + right : rest);
  },
});

/** `power`: `left` to the power of `right`. */
export const power = defineStage({
  name: 'power',
  description: 'Raises the left number to the power of the right.',
  effects: ['Pure'],
  input: Pair,
  output: z.number(),
  examples: [
    { input: { left: 2, right: 10 }, output: 1024 },
    { input: { left: 9, right: 0.5 }, output: 3 },
    { input: { left: 2, right: -1 }, output: 0.5 },
  ],
  tags: ['number'],
  run: ({ left, right }) => finite('power', left ** right),
});
