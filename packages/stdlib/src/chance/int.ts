import { z } from 'zod';

import { defineStage } from '../kit.ts';
import { draw, VALUES } from './draw.ts';

/** `random_int`: every value is as likely as the others. */
export const randomInt = defineStage({
  name: 'random_int',
  description: 'Gives a random whole number from `min` to `max`, both included, at most 2^32 apart.',
  effects: ['Fallible', 'NonDeterministic'],
  capabilities: ['random'],
  input: z.object({ min: z.int(), max: z.int() }).refine(({ min, max }) => min <= max && max - min < VALUES, {
    error: 'expected min <= max, less than 2^32 apart',
  }),
  output: z.number(),
  examples: [
    { input: { min: 1, max: 6 }, output: 3 },
    { input: { min: 7, max: 7 }, output: 7 },
    { input: { min: -10, max: 10 }, output: -8 },
  ],
  tags: ['random'],
  run: ({ min, max }, { random }) => min + draw(random, max - min + 1),
});
