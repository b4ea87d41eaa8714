import { DagState, keys, providerOf, type KvRead, type Sprint, type Timestamp } from '@caloron/types';

import { openDraft } from '../dag/draft.ts';
import { holdOf } from '../dag/limits.ts';
import type { Hold } from '../dag/provider_hold.ts';

/** A hold on a provider, and the sprint whose agent met it. */
export interface ForeignHold extends Hold {
  readonly sprint_id: string;
}

const STATE_KEY = /^caloron:([a-z0-9_-]{1,64}):state$/;

/**
 * The hold on a sprint's provider that an agent of another sprint of this home met; undefined while it serves. The one that ends last
 * counts. What only a person lifts counts while its sprint is open: of one that is over nobody is asked any more.
 */
export async function heldElsewhere(
  kv: KvRead,
  sprint: Pick<Sprint, 'sprint_id' | 'framework' | 'framework_options'>,
  now: Timestamp,
): Promise<ForeignHold | undefined> {
  const provider = providerOf(sprint.framework, sprint.framework_options);
  const found: ForeignHold[] = [];
  for (const key of await kv.list('caloron:')) {
    const sprint_id = STATE_KEY.exec(key)?.[1];
    if (sprint_id === undefined || sprint_id === sprint.sprint_id) continue;
    // A state that cannot be read holds nobody: its own sprint tells of the damage.
    const state = DagState.safeParse((await kv.get(keys.state(sprint_id)))?.value).data;
    if (state === undefined) continue;
    const hold = holdOf(openDraft(state, now, []));
    const over = state.status === 'completed' || state.status === 'cancelled';
    if (hold?.provider === provider && !(over && hold.until === null)) found.push({ ...hold, sprint_id });
  }
  return found.find(({ until }) => until === null) ?? found.toSorted((a, b) => ends(a, b)).at(-1);
}

function ends(a: Hold, b: Hold): number {
  const [first, second] = [a.until ?? '', b.until ?? ''];
  return first < second ? -1 : first > second ? 1 : 0;
}
