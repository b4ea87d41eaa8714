import { z } from 'zod';

import { defineStage, original } from '../kit.ts';

/** `read_file`: UTF-8 only. Paths count from the project; links are followed and may not lead out. */
export const readFile = original(
  defineStage({
    name: 'read_file',
    description: 'Reads a text file of the project or of an allowed folder.',
    effects: ['Fallible', 'NonDeterministic', { effect: 'FsRead', path: '.' }],
    capabilities: ['fs.read'],
    input: z.object({ path: z.string() }),
    output: z.object({ content: z.string(), size_bytes: z.number() }),
    examples: [
      { input: { path: 'notes.txt' }, output: { content: 'grün\n', size_bytes: 6 } },
      { input: { path: 'docs/../notes.txt' }, output: { content: 'grün\n', size_bytes: 6 } },
      { input: { path: '/project/docs/empty.md' }, output: { content: '', size_bytes: 0 } },
    ],
    tags: ['file'],
    run: ({ path }, { fs }) => fs.read(path),
  }),
  { effects: [{ effect: 'Fallible' }, { effect: 'NonDeterministic' }] },
);
