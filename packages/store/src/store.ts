import type { Clock } from '@caloron/types';
import { z } from 'zod';

import { createAgentRows } from './agents.ts';
import type { Store } from './api.ts';
import { createForgeCache, createOutputCache } from './caches.ts';
import { openDatabase } from './database.ts';
import { createForgeBudgets } from './forge-budgets.ts';
import { createKv } from './kv.ts';
import { createLeases } from './leases.ts';
import { createLog } from './log.ts';
import { createOutbox } from './outbox.ts';
import { createProcesses } from './processes.ts';
import { prunePass } from './pruning.ts';
import { rebuildKv } from './rebuild.ts';
import { createRuns } from './runs.ts';
import { migrationsFor } from './schema.ts';
import { createDeliveries, createSlots } from './slots.ts';
import { createSprints } from './sprint-state.ts';
import { TraceBuffer, type TraceWarning } from './trace-buffer.ts';
import { createVirtualKeys } from './virtual-keys.ts';
import { createWorktreeLeases } from './worktree-leases.ts';

/** What a store is made of besides its file. */
export interface StoreDeps {
  readonly clock: Clock;
  /** A fresh UUID; names a database at its creation. */
  readonly uuid: () => string;
  /** Told when a trace cannot be written: runs go on without it. */
  readonly warn?: TraceWarning;
}

const Meta = z.strictObject({ value: z.string() });

/** Opens or creates Caloron's database. Throws STORE_OPEN_FAILED, STORE_NEWER, STORE_FULL or STORE_BUSY. */
export function openStore(path: string, { clock, uuid, warn = () => undefined }: StoreDeps): Store {
  const migrations = migrationsFor(uuid);
  const database = openDatabase(path, migrations);
  // Traces and caches may lose their last rows in a power cut; a memory database has one connection only.
  const traces = path === ':memory:' ? database : openDatabase(path, migrations, { synchronous: 'NORMAL' });
  const log = createLog(database, clock);
  const agents = createAgentRows(database);
  const kv = createKv(database, log, createVirtualKeys(database, agents), clock);
  const leases = createLeases(database, clock);
  const outbox = createOutbox(database, log, leases, clock);
  const rows = new TraceBuffer(traces, warn);
  const sprints = createSprints({ database, log, kv, outbox, clock });

  return {
    db_id: Meta.parse(database.db.prepare("SELECT value FROM meta WHERE key = 'db_id'").get()).value,
    path,
    kv: kv.open({ run_id: null, actor: null }, () => undefined),
    events: log,
    leases,
    processes: createProcesses(database, log, agents, clock),
    worktreeLeases: createWorktreeLeases(database, clock),
    runs: createRuns(traces, rows),
    slots: createSlots(database, clock),
    deliveries: createDeliveries(database, log, clock),
    forgeCache: createForgeCache(traces),
    forgeBudgets: createForgeBudgets(traces, clock),
    cache: createOutputCache(traces),
    forRun: ({ run_id, lease }) => {
      const writer = { run_id, actor: 'caloron' };
      const fence = () => {
        if (lease !== null) leases.check(lease);
      };
      return {
        kv: kv.open(writer, fence),
        log,
        state: sprints.open(writer, fence),
        outbox: outbox.open({ run_id, lease }),
      };
    },
    outboxRows: (sprint_id) => outbox.rows(sprint_id),
    sprints: () => sprints.ids(),
    rebuildKv: (options) => rebuildKv(database, options),
    // Over its own connection: a batch never shares the transaction of a fire.
    prune: () => prunePass(traces, clock),
    close: () => {
      rows.close();
      traces.close();
      database.close();
    },
  };
}
