import { messageOf } from '@caloron/noether/stage';
import { z } from 'zod';

import { defineStage } from '../kit.ts';
import { plainTarget, targetOf } from './target.ts';

/** Labels an issue; what the forge refuses is an answer here, not an error, as a label is never worth a run. */
export const githubAddLabel = defineStage({
  name: 'github_add_label',
  description: 'Adds a label to an issue or pull request.',
  effects: ['Network', 'Fallible'],
  capabilities: ['forge'],
  input: z.object({
    ...plainTarget,
    issue_number: z.number().int().positive(),
    label: z.string().min(1),
  }),
  output: z.strictObject({ ok: z.boolean(), error: z.string().nullable() }),
  examples: [
    {
      input: { repo: 'owner/repo', issue_number: 1, label: 'caloron:task' },
      output: { ok: true, error: null },
    },
    {
      input: { repo: 'owner/repo', token_env: 'GITHUB_TOKEN', issue_number: 1, label: 'caloron:done' },
      output: { ok: true, error: null },
    },
    {
      input: { repo: 'owner/repo', issue_number: 9, label: 'caloron:done' },
      output: { ok: false, error: 'the forge says FORGE_NOT_FOUND' },
    },
  ],
  run: async (input, { forge }) => {
    const repo = forge.open(targetOf(input));
    try {
      await repo.ensureLabel(input.label);
      await repo.addLabels(input.issue_number, [input.label]);
      return { ok: true, error: null };
    } catch (error) {
      return { ok: false, error: messageOf(error) };
    }
  },
});
