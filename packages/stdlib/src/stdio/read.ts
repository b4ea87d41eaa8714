import { z } from 'zod';

import { defineStage, original } from '../kit.ts';

/** `stdin_read`: the second time there is nothing left. */
export const stdinRead = original(
  defineStage({
    name: 'stdin_read',
    description: 'Reads standard input to its end.',
    effects: ['Fallible', 'NonDeterministic'],
    capabilities: ['stdio'],
    input: z.null(),
    output: z.string(),
    examples: [
      { input: null, output: 'grün\n' },
      { input: null, output: 'grün\n' },
      { input: null, output: 'grün\n' },
    ],
    tags: ['stdio'],
    run: (_input, { stdio }, signal) => stdio.read(signal),
  }),
);
