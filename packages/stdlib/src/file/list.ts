import { z } from 'zod';

import { defineStage } from '../kit.ts';

/** `list_dir`: not recursive; links are not followed. */
export const listDir = defineStage({
  name: 'list_dir',
  description: 'Lists the entries of a folder with their kind and size, in byte order of names.',
  effects: ['Fallible', 'NonDeterministic', { effect: 'FsRead', path: '.' }],
  capabilities: ['fs.read'],
  input: z.object({ path: z.string() }),
  output: z.array(
    z.object({
      name: z.string(),
      kind: z.enum(['file', 'folder', 'link', 'other']),
      size_bytes: z.number(),
    }),
  ),
  examples: [
    {
      input: { path: '.' },
      output: [
        { name: 'docs', kind: 'folder', size_bytes: 0 },
        { name: 'notes.txt', kind: 'file', size_bytes: 6 },
      ],
    },
    { input: { path: 'docs' }, output: [{ name: 'empty.md', kind: 'file', size_bytes: 0 }] },
    { input: { path: 'docs/' }, output: [{ name: 'empty.md', kind: 'file', size_bytes: 0 }] },
  ],
  tags: ['file'],
  run: async ({ path }, { fs }) => [...(await fs.list(path))],
});
