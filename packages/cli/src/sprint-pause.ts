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

/** What was saved of the work of an agent that was stopped. */
export interface KeptWork {
  /** What it left uncommitted; null when that was nothing, or could not be saved. */
  readonly wip_ref: string | null;
  /** What it had before it was asked to end, where that differs. */
  readonly wip_before_ref: string | null;
  /** Why something of it could not be saved; it is still in its worktree. Null when all is. */
  readonly wip_error: string | null;
}

/** An agent that was stopped. */
export interface Stopped extends KeptWork {
  readonly process_id: string;
  readonly agent_id: Id;
  readonly sprint_id: Id;
  readonly worktree: string;
}

/** What was saved and where, in words, and how it is looked at: a line each. */
export function keptLines(kept: KeptWork, worktree: string, home_flag: string): readonly string[] {
  const { wip_ref, wip_before_ref, wip_error } = kept;
  const look = (ref: string): string => `./caloron wip show ${ref}${home_flag}`;
  const lost =
    wip_error === null ? [] : [`something could not be saved and is still in ${worktree}: ${wip_error}`];
  const saved = wip_ref === null ? [] : [`its uncommitted work is in ${wip_ref}`, `  next: ${look(wip_ref)}`];
  const before =
    wip_before_ref === null
      ? []
      : [`what it had before it was asked to end is in ${wip_before_ref}`, `  next: ${look(wip_before_ref)}`];
  const lines = [...lost, ...saved, ...before];
  return lines.length === 0 ? ['nothing was uncommitted'] : lines;
}

/** What ends one agent: the shell, or this very process where no shell answers. */
export interface Stopper {
  /** Whether it can also end what has no pid yet: a start that its shell did not live to finish. */
  readonly lone: boolean;
  stop(
    process_id: string,
    grace_ms: number,
  ): Promise<{
    readonly wip_ref: string | null;
    readonly wip_before_ref?: string | null | undefined;
    readonly wip_error?: string | null | undefined;
  }>;
}

/**
 * Stops every agent of every sprint, also one whose start had begun before; those it stopped are added to `stopped` as they end, so that
 * they are known also where it throws what the stopper refuses.
 */
export async function stopAgents(
  { processes }: Pick<Store, 'processes'>,
  stopper: Stopper,
  stopped: Stopped[],
): Promise<void> {
  const deadline = performance.now() + SETTLE_MS;
  for (;;) {
    const open = processes.open();
    const known = open.filter(({ pid }) => pid !== null || stopper.lone);
    const stops = known.map(async ({ process_id, agent_id, sprint_id, worktree }) => {
      const kept = await stopper.stop(process_id, GRACE_MS);
      const { wip_ref, wip_before_ref = null, wip_error = null } = kept;
      stopped.push({ process_id, agent_id, sprint_id, worktree, wip_ref, wip_before_ref, wip_error });
    });
    const ends = await Promise.allSettled(stops);
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
    if (open.length === 0 || performance.now() > deadline) return;
    await delay(POLL_MS);
  }
}
