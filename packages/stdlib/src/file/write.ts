import { z } from 'zod';

import { defineStage, original } from '../kit.ts';

/** `write_file`: the file is replaced as a whole, also through a link; folders are not made. */
export const writeFile = original(
  defineStage({
    name: 'write_file',
    description: 'Writes a text file of the project or of an allowed folder, as a whole.',
    effects: ['Fallible', { effect: 'FsWrite', path: '.' }],
    capabilities: ['fs.write'],
    input: z.object({ path: z.string(), content: z.string() }),
    output: z.object({ path: z.string(), bytes_written: z.number() }),
    examples: [
      {
        input: { path: 'notes.txt', content: 'grün' },
        output: { path: 'notes.txt', bytes_written: 5 },
      },
      { input: { path: 'docs/new.md', content: '' }, output: { path: 'docs/new.md', bytes_written: 0 } },
      {
        input: { path: '/project/new.txt', content: 'a\n' },
        output: { path: '/project/new.txt', bytes_written: 2 },
      },
    ],
    tags: ['file'],
    run: async ({ path, content }, { fs }) => ({ path, ...(await fs.write(path, content)) }),
  }),
  { effects: [{ effect: 'Fallible' }] },
);
