import { z } from 'zod';

import { defineStage } from '../kit.ts';
import { AnyResult, AnyValue } from '../shape.ts';

/** Longest wait a timer holds, in milliseconds. */
const LONGEST_MS = 2_147_483_647;

/** `sleep`: interrupted with the run. */
export const sleep = defineStage({
  name: 'sleep',
  description: 'Waits for a number of milliseconds, then gives its value.',
  effects: ['NonDeterministic'],
  capabilities: ['timer'],
  input: z.object({ ms: z.number().min(0).max(LONGEST_MS), value: AnyValue }),
  output: AnyResult,
  examples: [
    { input: { ms: 5, value: 'awake' }, output: 'awake' },
    { input: { ms: 0, value: [1, 2] }, output: [1, 2] },
    { input: { ms: 1, value: null }, output: null },
  ],
  tags: ['clock'],
  run: async ({ ms, value }, { timer }, signal) => {
    await timer.sleep(ms, signal);
    return value;
  },
});
