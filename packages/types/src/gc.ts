import { z } from 'zod';

import { Id } from './ids.ts';

/** `POST /gc`. */
export const GcRequest = z.strictObject({
  /** Only says what it would do. */
  dry_run: z.boolean().optional(),
  /** Days that what is clean stays after its task is over; 7 when absent. Merged work goes at once. */
  keep_days: z.number().min(0).max(36_500).optional(),
  /** Removes worktrees of tasks that are over although they hold unfinished work, after that is saved. */
  snapshot_dirty: z.boolean().optional(),
});
export type GcRequest = z.infer<typeof GcRequest>;

/** One thing that lies in a home. */
export const GcItem = z.strictObject({
  kind: z.enum(['worktree', 'clone', 'cache', 'agents', 'other']),
  /**
   * `live`: an agent may be at work there. `open`: its task goes on. `merged`: its work is on the base branch. `clean`: nothing in it
   * is nowhere else. `dirty`: uncommitted work. `unpushed`: commits the forge does not have, or a stash. `saved`:
   * holds saved work. `foreign`: not ours.
   */
  class: z.enum(['live', 'open', 'merged', 'clean', 'dirty', 'unpushed', 'saved', 'foreign']),
  sprint_id: Id.nullable(),
  task_id: Id.nullable(),
  path: z.string(),
  /** What it takes on disk; a file with several names counts once. */
  bytes: z.number().int().min(0),
  action: z.enum(['kept', 'removed', 'would_remove', 'failed']),
  reason: z.string(),
});
export type GcItem = z.infer<typeof GcItem>;

/** What lies in a home, and what of it was removed. */
export const GcReply = z.strictObject({
  ok: z.literal(true),
  items: z.array(GcItem),
  reclaimed_bytes: z.number().int().min(0),
});
export type GcReply = z.infer<typeof GcReply>;
