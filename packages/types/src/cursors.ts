import { z } from 'zod';

import { Sha } from './ids.ts';
import { Timestamp } from './time.ts';

/** How far one list of a forge was read. */
export const ListCursor = z.strictObject({
  /** The newest update that was read, by the forge's clock; null before the first. */
  updated_at: Timestamp.nullable(),
  /** The list's ETag with the id of the token it was given to; null when the next answer has to be a full one. */
  etag: z.string().nullable(),
  /** When the items about the cursor were last updated, by their ids: what a lagging replica shows late is told from what was read. */
  recent: z.record(z.string(), Timestamp).optional(),
});
export type ListCursor = z.infer<typeof ListCursor>;

/** A forge that does not answer, or parks its callers. */
export const ForgeAway = z.strictObject({
  /** Our clock at the first poll that failed. */
  since: Timestamp,
  /** When it is asked again; null for the next tick. */
  until: Timestamp.nullable(),
  code: z.string(),
  /** What was tried where, and what came of it. */
  message: z.string(),
});
export type ForgeAway = z.infer<typeof ForgeAway>;

/** How far the sprint has read its sources: KV `caloron:{sprint}:cursors`. */
export const Cursors = z.strictObject({
  v: z.literal(1),
  /** Highest log seq whose agents' and actions' events were consumed. */
  log_seq: z.number().int().min(0),
  /** By the list's name: issues, pulls, comments. */
  forge: z.record(z.string(), ListCursor),
  /** The labels last seen on the issues and pull requests of tasks, by number. */
  labels: z.record(z.string(), z.array(z.string())).optional(),
  /** When the checks of heads that are through were last asked for, by our clock. */
  checked: z.record(Sha, Timestamp).optional(),
  /** The head whose checks were asked for last, while more wait than one tick asks for. */
  checks_after: Sha.optional(),
  /** Since when and until when the forge is away; absent while it answers. */
  away: ForgeAway.optional(),
});
export type Cursors = z.infer<typeof Cursors>;
