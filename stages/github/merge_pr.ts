import { isRetryable, messageOf } from '@caloron/noether/stage';
import { MergeMethod, Sha } from '@caloron/types';
import { z } from 'zod';

import { defineStage } from '../kit.ts';
import { plainTarget, targetOf } from './target.ts';

/** Merges a pull request at the head it has now, or at the one given; merged already is merged. */
export const githubMergePr = defineStage({
  name: 'github_merge_pr',
  description: 'Merges a pull request at one head.',
  effects: ['Network', 'Fallible'],
  capabilities: ['forge'],
  input: z.object({
    ...plainTarget,
    pr_number: z.number().int().positive(),
    head_sha: Sha.nullish(),
    merge_method: MergeMethod.nullish(),
  }),
  output: z.strictObject({
    merged: z.boolean(),
    merge_commit: Sha.nullable(),
    error: z.string().nullable(),
  }),
  examples: [
    {
      input: { repo: 'owner/repo', pr_number: 4 },
      output: { merged: true, merge_commit: 'c'.repeat(40), error: null },
    },
    {
      input: { repo: 'owner/repo', pr_number: 4, head_sha: 'a'.repeat(40), merge_method: 'squash' },
      output: { merged: true, merge_commit: 'c'.repeat(40), error: null },
    },
    {
      input: { repo: 'owner/repo', pr_number: 4, head_sha: 'b'.repeat(40) },
      output: { merged: false, merge_commit: null, error: 'the forge says FORGE_HEAD_MOVED' },
    },
  ],
  run: async (input, { forge }) => {
    const repo = forge.open(targetOf(input));
    const pull = await repo.pull(input.pr_number);
    if (pull.merged_at !== null) return { merged: true, merge_commit: pull.merge_sha, error: null };
    try {
      const sha = input.head_sha ?? pull.head_sha;
      const done = await repo.merge(input.pr_number, { sha, method: input.merge_method ?? 'merge' });
      return { merged: true, merge_commit: done.merge_sha, error: null };
    } catch (error) {
      if (isRetryable(error)) throw error;
      return { merged: false, merge_commit: null, error: messageOf(error) };
    }
  },
});
