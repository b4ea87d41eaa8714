import { z } from 'zod';

import { Timestamp } from './time.ts';

/** A task this home has claimed on its issue, for as long as it has it: KV `caloron:{sprint}:claim:{task}`. */
export const TaskClaim = z.strictObject({
  v: z.literal(1),
  /** The issue that carries the claim: of several with the task's line the first one. */
  issue_number: z.number().int().positive(),
  /** The comment that publishes it. */
  comment_id: z.number().int().positive(),
  generation: z.number().int().min(1),
  renewals: z.number().int().min(0),
  /** The id of this home's database, as the comment says it. */
  home: z.string().min(1),
  /** What the comment says to people. */
  text: z.string(),
  /** When it counts, if nobody was first: by our clock, as are the next two. */
  settled_at: Timestamp,
  /** False until it was read again, after `settled_at`, and had won. */
  won: z.boolean(),
  /** When it was sent, at its publication or its last renewal. */
  sent_at: Timestamp,
  /** Until when it stands at least. */
  until: Timestamp,
});
export type TaskClaim = z.infer<typeof TaskClaim>;
