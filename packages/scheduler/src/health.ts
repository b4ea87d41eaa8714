import { codeOf, messageOf } from '@caloron/noether/errors';
import type { Store } from '@caloron/store';
import type { Timestamp } from '@caloron/types';

import type { RegistryState } from './registry/mirror.ts';
import type { JobStatus } from './scheduler.ts';

/** What `GET /health` answers, with 200 when `ok` and else with 503. */
export interface Health {
  /** The database can be read. */
  readonly ok: boolean;
  /** Identifies the database. */
  readonly db_id: string;
  readonly pid: number;
  readonly started_at: Timestamp;
  /** Jobs that are enabled. */
  readonly jobs: number;
  /** Jobs that run now. */
  readonly running: number;
  /** Deliveries of webhooks that are not over; null when the database cannot be read. */
  readonly webhooks_waiting: number | null;
  /** Slots that cannot be claimed or recorded now, as the database is locked, full or faulty: more than 0 for minutes means that nothing is fired. */
  readonly unrecorded: number;
  /** The registry stages are looked up in, and whether its last good catalogue is used; null with a stage store. */
  readonly registry: RegistryState | null;
  /** Why it is not well; null when it is. */
  readonly error: { readonly code: string; readonly message: string } | null;
}

/** What is looked at. */
export interface HealthDeps {
  readonly store: Pick<Store, 'db_id' | 'events' | 'forRun'>;
  readonly jobs: () => readonly JobStatus[];
  /** 0 when absent. */
  readonly unrecorded?: (() => number) | undefined;
  readonly started_at: Timestamp;
  readonly pid: number;
  /** Absent: there is none. */
  readonly registry?: (() => Promise<RegistryState | null>) | undefined;
}

/** Looks how a scheduler is. Never throws. */
export async function healthOf(deps: HealthDeps): Promise<Health> {
  const { store, jobs, started_at, pid, registry: ask } = deps;
  const unrecorded = deps.unrecorded?.() ?? 0;
  const all = jobs();
  const counts = { jobs: all.length, running: all.filter(({ running }) => running).length };
  const about = { db_id: store.db_id, pid, started_at, ...counts };
  const registry = (await ask?.()) ?? null;
  try {
    store.events.lastSeq();
    return {
      ok: true,
      ...about,
      webhooks_waiting: await waitingIn(store),
      unrecorded,
      registry,
      error: null,
    };
  } catch (error) {
    const said = { code: codeOf(error), message: messageOf(error) };
    return { ok: false, ...about, webhooks_waiting: null, unrecorded, registry, error: said };
  }
}

/** Deliveries of webhooks that are not over. */
export async function waitingIn(store: Pick<Store, 'forRun'>): Promise<number> {
  return store.forRun({ run_id: 'health', lease: null }).outbox.countOpen(null);
}
