import { z } from 'zod';

import { finite, StdlibError } from '../errors.ts';
import { defineStage, original } from '../kit.ts';

/** Declared by the original for what fails on an empty list. */
const EFFECTS = [{ effect: 'Fallible' }, { effect: 'Pure' }];

function notEmpty(stage: string, numbers: readonly number[]): readonly number[] {
  if (numbers.length === 0) throw new StdlibError('STDLIB_LIST_EMPTY', { stage });
  return numbers;
}

function sum(stage: string, numbers: readonly number[]): number {
  let total = 0;
  for (const number of numbers) total += number;
  return finite(stage, total);
}

/** `num_sum`: of an empty list, 0. Throws STDLIB_NUMBER_INVALID beyond the largest number. */
export const numSum = original(
  defineStage({
    name: 'num_sum',
    description: 'Adds up the numbers of a list.',
    effects: ['Pure'],
    input: z.array(z.number()),
    output: z.number(),
    examples: [
      { input: [1, 2, 3.5], output: 6.5 },
      { input: [-1, 1], output: 0 },
      { input: [], output: 0 },
    ],
    tags: ['number', 'list'],
    run: (numbers) => sum('num_sum', numbers),
  }),
);

/** `num_avg`: the arithmetic mean. Throws STDLIB_LIST_EMPTY. */
export const numAvg = original(
  defineStage({
    name: 'num_avg',
    description: 'Gives the mean of the numbers of a list.',
    effects: ['Pure'],
    input: z.array(z.number()),
    output: z.number(),
    examples: [
      { input: [1, 2, 3], output: 2 },
      { input: [1, 2], output: 1.5 },
      { input: [-4], output: -4 },
    ],
    tags: ['number', 'list'],
    run: (numbers) => finite('num_avg', sum('num_avg', notEmpty('num_avg', numbers)) / numbers.length),
  }),
  { effects: EFFECTS },
);

/** `num_min`. Throws STDLIB_LIST_EMPTY. */
export const numMin = original(
  defineStage({
    name: 'num_min',
    description: 'Gives the smallest number of a list.',
    effects: ['Pure'],
    input: z.array(z.number()),
    output: z.number(),
    examples: [
      { input: [3, 1, 2], output: 1 },
      { input: [-1.5, 0], output: -1.5 },
      { input: [7], output: 7 },
    ],
    tags: ['number', 'list'],
    run: (numbers) => notEmpty('num_min', numbers).reduce((a, b) => Math.min(a, b), Infinity),
  }),
  { effects: EFFECTS },
);

/** `num_max`. Throws STDLIB_LIST_EMPTY. */
export const numMax = original(
  defineStage({
    name: 'num_max',
    description: 'Gives the largest number of a list.',
    effects: ['Pure'],
    input: z.array(z.number()),
    output: z.number(),
    examples: [
      { input: [3, 1, 2], output: 3 },
      { input: [-1.5, -2], output: -1.5 },
      { input: [7], output: 7 },
    ],
    tags: ['number', 'list'],
    run: (numbers) => notEmpty('num_max', numbers).reduce((a, b) => Math.max(a, b), -Infinity),
  }),
  { effects: EFFECTS },
);
