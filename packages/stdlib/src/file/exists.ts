import { z } from 'zod';

import { defineStage } from '../kit.ts';

/** `file_exists`: of files and folders. A path that may not be used is refused, there or not. */
export const fileExists = defineStage({
  name: 'file_exists',
  description: 'Tells whether there is a file or folder of a name.',
  effects: ['Fallible', 'NonDeterministic', { effect: 'FsRead', path: '.' }],
  capabilities: ['fs.read'],
  input: z.object({ path: z.string() }),
  output: z.boolean(),
  examples: [
    { input: { path: 'notes.txt' }, output: true },
    { input: { path: 'docs' }, output: true },
    { input: { path: 'no-such-file' }, output: false },
  ],
  tags: ['file'],
  run: ({ path }, { fs }) => fs.exists(path),
});
