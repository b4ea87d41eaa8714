import { Timestamp } from '@caloron/types';
import { z } from 'zod';

import { defineStage } from '../kit.ts';

/** `now`: a text every `date_*` stage reads. */
export const now = defineStage({
  name: 'now',
  description: 'Gives the current instant as ISO 8601 in UTC; the input does not matter.',
  effects: ['NonDeterministic'],
  capabilities: ['clock'],
  input: z.unknown(),
  output: Timestamp,
  examples: [
    { input: null, output: '2026-04-14T08:30:00.000Z' },
    { input: {}, output: '2026-04-14T08:30:00.000Z' },
    { input: 'anything', output: '2026-04-14T08:30:00.000Z' },
  ],
  tags: ['clock'],
  run: (_input, { clock }) => clock.now(),
});
