import type { Store } from '@caloron/store';
import { Cursors, type ForgeAway, type Id, keys } from '@caloron/types';
import { createColors } from 'picocolors';

import type { Io } from './output.ts';

/** Since when and until when the forge of a sprint is away, as its last tick found it; null while it answers. Cursors that cannot be read say nothing here: the tick says so. */
export async function awayOf({ kv }: Pick<Store, 'kv'>, sprint_id: Id): Promise<ForgeAway | null> {
  const found = await kv.get(keys.cursors(sprint_id));
  return Cursors.safeParse(found?.value).data?.away ?? null;
}

/** That the forge is away, what goes on, and when it is asked again. */
export function awayLines(io: Io, away: ForgeAway | null): readonly string[] {
  if (away === null) return [];
  const paint = createColors(io.terminal?.colours === true);
  const again =
    away.until === null ? 'it is asked again at every tick' : `it is asked again from ${away.until} on`;
  const loud = paint.bold(paint.yellow('FORGE AWAY'));
  return [
    `${loud} since ${away.since}: agents go on and are watched, what happens on the forge is read when it is back; ${again}`,
    `  ${away.code}: ${away.message}`,
  ];
}
