import type { Store } from '@caloron/store';
import { Cursors, type DagState, type ForgeAway, keys, type Timestamp } from '@caloron/types';
import { createColors } from 'picocolors';

import type { Io } from './output.ts';
import { spanWords } from './time-words.ts';
import { oneLine } from './width.ts';

/** Since when and until when the forge of a sprint is away, as its last tick found it; null while it answers, and for a sprint that is over: nobody asks it any more. Cursors that cannot be read say nothing here: the tick says so. */
export async function awayOf(
  { kv }: Pick<Store, 'kv'>,
  { sprint_id, status }: Pick<DagState, 'sprint_id' | 'status'>,
): Promise<ForgeAway | null> {
  if (status === 'completed' || status === 'cancelled') return null;
  const found = await kv.get(keys.cursors(sprint_id));
  return Cursors.safeParse(found?.value).data?.away ?? null;
}

/** That the forge is away, since when, what goes on, and when it is asked again. */
export function awayLines(
  io: Pick<Io, 'terminal'>,
  away: ForgeAway | null,
  now: Timestamp,
): readonly string[] {
  if (away === null) return [];
  const { since, until, code, message } = away;
  const paint = createColors(io.terminal?.colours === true);
  const loud = paint.bold(paint.yellow('FORGE AWAY'));
  const ends = until === null || until <= now ? 'at every tick' : `from ${at(until)} on`;
  return [
    `${loud} for ${spanWords(since, now)}, since ${at(since)}: agents go on and are watched; what happens on the forge is read when it is back, and it is asked ${ends}`,
    oneLine(`  ${code}: ${message}`),
  ];
}

function at(instant: Timestamp): string {
  return `${instant.slice(0, 10)} ${instant.slice(11, 19)} UTC`;
}
