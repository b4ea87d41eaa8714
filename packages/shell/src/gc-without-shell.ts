import { existsSync, realpathSync } from 'node:fs';

import { systemClock } from '@caloron/capabilities/clock';
import { createLogger } from '@caloron/capabilities/logger';
import { systemRandom } from '@caloron/capabilities/random';
import type { Store } from '@caloron/store';
import { cloneUrl, type GcReply, type GcRequest } from '@caloron/types';

import { readConfig } from './config.ts';
import { createGc } from './gc.ts';
import { lockHome } from './home-lock.ts';
import { createHooks } from './hooks.ts';
import { createIsolation } from './isolation.ts';
import { createKeyedMutex } from './mutex.ts';
import { pathsOf } from './paths.ts';
import { createProcessTable } from './process-table.ts';
import { createSnapshots } from './snapshots.ts';
import { createWorkspaces } from './workspace.ts';
import { createWorktrees } from './worktrees.ts';

/**
 * Collects the garbage of a home as its shell would, where none runs: the home is held meanwhile, so that no shell starts. Throws
 * SHELL_ALREADY_RUNNING where one lives, whether or not it answers.
 */
export async function collectAlone(
  home: string,
  store: Store,
  env: Readonly<Record<string, string | undefined>>,
  request: GcRequest,
): Promise<GcReply> {
  const config = readConfig({ home }, env);
  const paths = pathsOf(realpathSync(config.home));
  if (!existsSync(paths.root)) return { ok: true, items: [], reclaimed_bytes: 0 };
  const log = createLogger({ name: 'caloron-gc', level: 'silent' });
  const { leases } = store;
  const uuid = (): string => systemRandom.uuid();
  const lock = await lockHome({ home: paths.home, file: paths.lock_file, leases, uuid });
  const mutex = createKeyedMutex();
  const worktrees = createWorktrees({ paths, mutex, remoteUrl: cloneUrl });
  const clock = systemClock;
  const snapshot = createSnapshots({
    mutex,
    log,
    saveWip: (row, reason, patience) => worktrees.save(row, reason, patience),
  });
  const table = createProcessTable({ processes: store.processes, clock, log, paths, snapshot });
  try {
    const isolation = createIsolation({ config, paths, log });
    const hooks = createHooks({
      config,
      paths,
      sandboxOf: ({ sprint }, row) => isolation.sandboxOf(sprint, row),
      kv: store.kv,
    });
    const workspaces = createWorkspaces({ config, paths, store, log, worktrees, hooks });
    const mayLive = async (row: Parameters<typeof table.reconcile>[0]): Promise<boolean> =>
      !(await table.reconcile(row));
    return await createGc({ paths, store, clock, log, mutex, worktrees, workspaces, mayLive })(request);
  } finally {
    await table.close();
    lock.release();
  }
}
