import { setTimeout as delay } from 'node:timers/promises';

import type { Store } from '@caloron/store';
import { type Id, keys, Paused, type Timestamp } from '@caloron/types';

/** How often it is looked whether an agent is still there, in milliseconds. */
const POLL_MS = 100;
/** An agent that is told to stop has this long to end by itself. */
const GRACE_MS = 10_000;
/** A start that had begun before the pause is waited for this long. */
const SETTLE_MS = 60_000;

/** Who paused a sprint; null while nobody has. A value that cannot be read pauses too: it is told as what it is. */
export async function pausedOf({ kv }: Pick<Store, 'kv'>, sprint_id: Id): Promise<Paused | null> {
  const found = await kv.get(keys.paused(sprint_id));
  if (found === undefined) return null;
  const unreadable = { by: 'somebody', at: '1970-01-01T00:00:00.000Z', stopped: false };
  return Paused.safeParse(found.value).data ?? unreadable;
}

/** Pauses a sprint, or says that its agents were stopped too; null when nothing was to be changed. */
export async function pauseSprint(
  store: Pick<Store, 'kv' | 'events'>,
  sprint_id: Id,
  paused: Paused,
): Promise<Paused | null> {
  const before = await pausedOf(store, sprint_id);
  if (before !== null && (before.stopped || !paused.stopped)) return null;
  // Who was first stays who paused it.
  const now = before === null ? paused : { ...before, stopped: true };
  await store.kv.put(keys.paused(sprint_id), now);
  await announce(store, 'sprint.paused', sprint_id, paused);
  return now;
}

/** Lets a sprint go on; false when it was not paused. */
export async function resumeSprint(
  store: Pick<Store, 'kv' | 'events'>,
  sprint_id: Id,
  by: { readonly by: string; readonly at: Timestamp },
): Promise<boolean> {
  if (!(await store.kv.delete(keys.paused(sprint_id)))) return false;
  await announce(store, 'sprint.resumed', sprint_id, by);
  return true;
}

async function announce(
  { events }: Pick<Store, 'events'>,
  kind: 'sprint.paused' | 'sprint.resumed',
  sprint_id: Id,
  payload: { readonly by: string; readonly at: Timestamp },
): Promise<void> {
  const event_id = `${kind}:${sprint_id}:${payload.at}`;
  await events.append([{ event_id, kind, sprint_id, actor: payload.by, payload }]);
}

/** An agent that was stopped, and the ref its uncommitted work is kept in. */
export interface Stopped {
  readonly process_id: string;
  readonly agent_id: Id;
  readonly sprint_id: Id;
  readonly wip_ref: string | null;
  /** Why its work could not be saved; it is still in its worktree. Null when it is saved. */
  readonly wip_error: string | null;
}

/** What ends one agent: the shell, or this very process where no shell answers. */
export interface Stopper {
  /** Whether it can also end what has no pid yet: a start that its shell did not live to finish. */
  readonly lone: boolean;
  stop(
    process_id: string,
    grace_ms: number,
  ): Promise<{ readonly wip_ref: string | null; readonly wip_error?: string | null | undefined }>;
}

/** Stops every agent of every sprint, also one whose start had begun before; gives those it stopped. Throws what the stopper refuses. */
export async function stopAgents(
  { processes }: Pick<Store, 'processes'>,
  stopper: Stopper,
): Promise<readonly Stopped[]> {
  const stopped: Stopped[] = [];
  const deadline = performance.now() + SETTLE_MS;
  for (;;) {
    const open = processes.open();
    const known = open.filter(({ pid }) => pid !== null || stopper.lone);
    stopped.push(
      ...(await Promise.all(
        known.map(async ({ process_id, agent_id, sprint_id }) => {
          const { wip_ref, wip_error = null } = await stopper.stop(process_id, GRACE_MS);
          return { process_id, agent_id, sprint_id, wip_ref, wip_error };
        }),
      )),
    );
    if (open.length === 0 || performance.now() > deadline) return stopped;
    await delay(POLL_MS);
  }
}
