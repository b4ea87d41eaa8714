// Makes a reviewer's worktree anew in a process of its own, so that a test can limit what it may write.
import { z } from 'zod';

import { createCleanGit } from '../git/clean-repository.ts';
import { reviewWorktree } from '../git/worktree.ts';

const Place = z.object({
  root: z.string(),
  clone: z.string(),
  path: z.string(),
  sprint_id: z.string(),
  task_id: z.string(),
});
const Order = z.object({ clean: z.string(), place: Place, sha: z.string() });

const { clean, place, sha } = Order.parse(JSON.parse(process.argv[2] ?? ''));
await reviewWorktree(createCleanGit(clean), place, { head_sha: sha, base_sha: sha });
