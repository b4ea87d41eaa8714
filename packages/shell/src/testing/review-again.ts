// Makes a reviewer's worktree anew in a process of its own, so that a test can limit what it may write, or have it die at any step.
import { z } from 'zod';

import { dieAt } from './die-at.ts';

const Place = z.object({
  root: z.string(),
  clone: z.string(),
  path: z.string(),
  sprint_id: z.string(),
  task_id: z.string(),
});
const Order = z.object({ clean: z.string(), place: Place, sha: z.string(), die_at: z.number().optional() });

const { clean, place, sha, die_at } = Order.parse(JSON.parse(process.argv[2] ?? ''));
if (die_at !== undefined) dieAt(die_at);
const { createCleanGit } = await import('../git/clean-repository.ts');
const { reviewWorktree } = await import('../git/worktree.ts');
await reviewWorktree(createCleanGit(clean), place, { head_sha: sha, base_sha: sha });
