import { Timestamp } from '@caloron/types';
import { z } from 'zod';

import { defineStage } from '../kit.ts';

/** The instant a tick decides at: asked once, handed on as a value. */
export const clockNow = defineStage({
  name: 'clock_now',
  description: 'Gives the current instant.',
  effects: ['NonDeterministic'],
  capabilities: ['clock'],
  input: z.object({}),
  output: z.strictObject({ now: Timestamp }),
  examples: [{ input: {}, output: { now: '2026-04-14T08:30:00.000Z' } }],
  run: (_input, { clock }) => ({ now: clock.now() }),
});
