import { NUMBER } from '@caloron/noether/stage';
import { z } from 'zod';

import { finite } from '../errors.ts';
import { defineStage, original } from '../kit.ts';

/** Most places after the point that are rounded to: a number has no more. */
const MAX_PLACES = 15;

/** `abs`. */
export const abs = defineStage({
  name: 'abs',
  description: 'Gives a number without its sign.',
  effects: ['Pure'],
  input: z.number(),
  output: z.number(),
  examples: [
    { input: -2.5, output: 2.5 },
    { input: 3, output: 3 },
    { input: 0, output: 0 },
  ],
  tags: ['number'],
  run: (number) => Math.abs(number),
});

/** The number written with its point moved by `places`: exact in decimals, unlike a multiplication. */
function shifted(number: number, places: number): number {
  const [digits = '0', exponent = '0'] = String(number).split('e');
  return Number(`${digits}e${Number(exponent) + places}`);
}

/** `round`: halves go away from zero, in decimals: 1.005 to two places is 1.01. `places` from 0 to 15. */
export const round = defineStage({
  name: 'round',
  description: 'Rounds a number to a count of places after the point.',
  effects: ['Pure'],
  input: z.object({ value: z.number(), places: z.int().min(0).max(MAX_PLACES).nullish() }),
  output: z.number(),
  examples: [
    { input: { value: 2.5 }, output: 3 },
    { input: { value: -2.5, places: 0 }, output: -3 },
    { input: { value: 1.005, places: 2 }, output: 1.01 },
  ],
  tags: ['number'],
  run: ({ value, places }) => {
    const moved = shifted(Math.abs(value), places ?? 0);
    if (!Number.isFinite(moved)) return value;
    return finite('round', Math.sign(value) * shifted(Math.round(moved), -(places ?? 0)));
  },
});

/** `floor`. */
export const floor = defineStage({
  name: 'floor',
  description: 'Gives the largest whole number that is not above a number.',
  effects: ['Pure'],
  input: z.number(),
  output: z.number(),
  examples: [
    { input: 2.9, output: 2 },
    { input: -2.1, output: -3 },
    { input: 4, output: 4 },
  ],
  tags: ['number'],
  run: (number) => finite('floor', Math.floor(number)),
});

/** `ceiling`. */
export const ceiling = defineStage({
  name: 'ceiling',
  description: 'Gives the smallest whole number that is not below a number.',
  effects: ['Pure'],
  input: z.number(),
  output: z.number(),
  examples: [
    { input: 2.1, output: 3 },
    { input: -0.5, output: 0 },
    { input: 4, output: 4 },
  ],
  tags: ['number'],
  run: (number) => finite('ceiling', Math.ceil(number)),
});

/** `clamp`: an absent bound is open; where the bounds cross, `max` wins. */
export const clamp = defineStage({
  name: 'clamp',
  description: 'Gives the number within two bounds that is nearest to a number.',
  effects: ['Pure'],
  input: z.object({ value: z.number(), min: z.number().nullish(), max: z.number().nullish() }),
  output: z.number(),
  examples: [
    { input: { value: 12, min: 0, max: 10 }, output: 10 },
    { input: { value: -1, min: 0 }, output: 0 },
    { input: { value: 5, min: null, max: 10 }, output: 5 },
  ],
  tags: ['number'],
  run: ({ value, min, max }) => Math.min(Math.max(value, min ?? -Infinity), max ?? Infinity),
});

const PERCENT = {
  kind: 'Refined',
  value: { base: NUMBER, refinement: { kind: 'Range', min: 0, max: 100 } },
} as const;

/** `clamp_percent`: its type already asks for 0 to 100; what comes in otherwise is brought there. */
export const clampPercent = original(
  defineStage({
    name: 'clamp_percent',
    description: 'Gives the percentage from 0 to 100 that is nearest to a number.',
    effects: ['Pure'],
    input: z.number(),
    output: z.number(),
    examples: [
      { input: 42.5, output: 42.5 },
      { input: 0, output: 0 },
      { input: 100, output: 100 },
    ],
    tags: ['number'],
    run: (number) => Math.min(Math.max(number, 0), 100),
  }),
  { input: PERCENT, output: PERCENT },
);
