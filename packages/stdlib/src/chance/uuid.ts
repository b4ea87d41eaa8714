import { z } from 'zod';

import { defineStage } from '../kit.ts';

/** `uuid`: version 4, from the machine's cryptographic chance. */
export const uuid = defineStage({
  name: 'uuid',
  description: 'Gives a fresh random UUID; the input does not matter.',
  effects: ['NonDeterministic'],
  capabilities: ['random'],
  input: z.unknown(),
  output: z.string(),
  examples: [
    { input: null, output: '6f1c8d52-3f0e-4b7a-9a45-0c3f0e5b7a9a' },
    { input: {}, output: '6f1c8d52-3f0e-4b7a-9a45-0c3f0e5b7a9a' },
    { input: 'anything', output: '6f1c8d52-3f0e-4b7a-9a45-0c3f0e5b7a9a' },
  ],
  tags: ['random'],
  run: (_input, { random }) => random.uuid(),
});
