import { z } from 'zod';

import { defineStage, original } from '../kit.ts';

/** `stdout_write`: where a command's own answer goes to standard output, the text goes beside it, to standard error. */
export const stdoutWrite = original(
  defineStage({
    name: 'stdout_write',
    description: 'Writes a text for the person who runs the graph.',
    effects: ['Process'],
    capabilities: ['stdio'],
    input: z.object({ text: z.string() }),
    output: z.null(),
    examples: [
      { input: { text: 'done\n' }, output: null },
      { input: { text: 'grün' }, output: null },
      { input: { text: '' }, output: null },
    ],
    tags: ['stdio'],
    run: async ({ text }, { stdio }) => {
      await stdio.write(text);
      return null;
    },
  }),
);
