import { realpathSync } from 'node:fs';

import { systemClock } from '@caloron/capabilities/clock';
import { createLogger } from '@caloron/capabilities/logger';
import { systemRandom } from '@caloron/capabilities/random';
import { codeOf } from '@caloron/noether/errors';
import type { Store } from '@caloron/store';
import { cloneUrl } from '@caloron/types';

import { type HomeLock, lockHome } from './home-lock.ts';
import { endHooksOf } from './hook-leftovers.ts';
import { createKeyedMutex } from './mutex.ts';
import { pathsOf } from './paths.ts';
import { createProcessTable } from './process-table.ts';
import type { Ended } from './settle.ts';
import { createSnapshots } from './snapshots.ts';
import { createWorktrees } from './worktrees.ts';

/** Ends agents as a shell does, where none answers: work saved, group asked to end, then killed, its end recorded. */
export interface LoneStops {
  /** `reason` is recorded with its end. Throws STOP_FAILED, PROCESS_UNKNOWN. */
  stop(process_id: string, grace_ms: number, reason: string): Promise<Ended>;
  close(): Promise<void>;
}

/**
 * Opens a home's processes for an emergency. It takes the home's lock, so that no shell starts meanwhile; one that lives but does not answer
 * is left alone: it finds the agents ended when it goes on.
 */
export async function openLoneStops(home: string, store: Store): Promise<LoneStops> {
  const paths = pathsOf(realpathSync(home));
  const log = createLogger({ name: 'caloron-estop', level: 'silent' });
  const mutex = createKeyedMutex();
  const lock = await locked(paths.home, paths.lock_file, store);
  const worktrees = createWorktrees({ paths, mutex, remoteUrl: cloneUrl });
  const table = createProcessTable({
    processes: store.processes,
    clock: systemClock,
    log,
    paths,
    snapshot: createSnapshots({
      mutex,
      log,
      saveWip: (row, reason, patience) => worktrees.save(row, reason, patience),
    }),
  });
  return {
    stop: (process_id, grace_ms, reason) => table.stop(process_id, grace_ms, reason),
    async close() {
      await table.close();
      lock?.release();
    },
  };
}

/** Ends the hooks of a home's worktrees that are under way, whoever waits for them; gives how many. */
export async function endHooks(home: string, store: Store): Promise<number> {
  return endHooksOf(pathsOf(realpathSync(home)), store);
}

async function locked(home: string, file: string, { leases }: Store): Promise<HomeLock | undefined> {
  try {
    return await lockHome({ home, file, leases, uuid: () => systemRandom.uuid() });
  } catch (error) {
    if (codeOf(error) === 'SHELL_ALREADY_RUNNING') return undefined;
    throw error;
  }
}
