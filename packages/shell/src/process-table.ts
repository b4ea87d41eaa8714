import { rmSync } from 'node:fs';

import type { Logger } from '@caloron/capabilities/logger';
import type { Store } from '@caloron/store';
import type { Clock, Exit, ProcessRow } from '@caloron/types';

import { readExit } from './exit-file.ts';
import { type Launched, launch, type LaunchOptions } from './launch.ts';
import { agentFiles, type ShellPaths } from './paths.ts';
import { bootId, isAlive, pidNamespace, statOf, taggedProcesses } from './process-identity.ts';
import { endGroup, signal } from './signals.ts';

/** How an agent ended and where its unfinished work was kept. */
export interface Ended {
  readonly exit: Exit;
  readonly wip_ref: string | null;
}

/** What the table needs. */
export interface ProcessTableDeps {
  readonly store: Pick<Store, 'processes'>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly paths: ShellPaths;
  /** Saves what a stopped agent left uncommitted; null when nothing was. */
  readonly saveWip: (row: ProcessRow) => Promise<string | null>;
}

/** The agents' processes: started, watched, adopted, stopped. Rows in the store are the truth; this only follows them. */
export interface ProcessTable {
  /** Forks the harness for a row that is `spawning` and writes `running`. Throws what the fork threw, the row settled. */
  start(row: ProcessRow, options: LaunchOptions): Promise<number>;
  /** Follows the rows an earlier shell left open: live ones are adopted, dead ones settled. */
  adopt(): Promise<{ readonly adopted: number; readonly settled: number }>;
  /** Settles a row whose process is gone; false while the process may live. */
  reconcile(row: ProcessRow): Promise<boolean>;
  /** SIGTERM to the group, SIGKILL after the grace; gives the end. An ended process gives its recorded one. */
  stop(row: ProcessRow, grace_ms: number): Promise<Ended | undefined>;
  /** Whether a stop was asked for. */
  stopping(process_id: string): boolean;
  alive(row: ProcessRow): boolean;
  /** Stops following; the processes go on. */
  close(): void;
}

/** How often an adopted process, which is not our child, is looked at, in milliseconds. */
const ADOPTED_POLL_MS = 1000;

/** A process of another pid namespace cannot be seen; one that beat this recently may live, in milliseconds. */
const UNSEEN_MS = 5 * 60_000;

/** Follows the processes in `store`. */
export function createProcessTable(deps: ProcessTableDeps): ProcessTable {
  const { store, clock, log, paths } = deps;
  const children = new Map<string, Launched>();
  const adopted = new Map<string, ProcessRow>();
  const ending = new Map<string, Promise<Ended>>();
  const stops = new Set<string>();
  let closed = false;

  function finish(row: ProcessRow): Promise<Ended> {
    const running = ending.get(row.process_id);
    if (running !== undefined) return running;
    const end = settle(row).finally(() => ending.delete(row.process_id));
    ending.set(row.process_id, end);
    return end;
  }

  async function settle(row: ProcessRow): Promise<Ended> {
    const { process_id } = row;
    // What the harness left running would go on writing into the worktree.
    await endGroup(() => taggedProcesses(new Set([process_id])), 'SIGKILL');
    const files = agentFiles(paths, process_id);
    const status = await children.get(process_id)?.exited;
    const exit = readExit(files.exit) ?? {
      code: status?.code ?? null,
      signal: status?.signal ?? null,
      at: clock.now(),
      known: status !== undefined,
    };
    const wip_ref = stops.has(process_id) ? await savedWip(row) : null;
    // An order that was never read still holds the agent's token.
    rmSync(files.order, { force: true });
    await store.processes.settle(process_id, exit, exit.known ? 'exited' : 'lost');
    children.delete(process_id);
    adopted.delete(process_id);
    stops.delete(process_id);
    log.info({ process_id, task_id: row.task_id, exit, wip_ref }, 'agent ended');
    return { exit, wip_ref };
  }

  async function savedWip(row: ProcessRow): Promise<string | null> {
    try {
      return await deps.saveWip(row);
    } catch (error) {
      // The files are still there: the next use of the worktree saves them or is refused.
      log.error({ err: error, process_id: row.process_id }, 'unfinished work could not be saved');
      return null;
    }
  }

  function finishLater(row: ProcessRow): void {
    if (closed) return;
    finish(row).catch((error: unknown) => {
      log.error({ err: error, process_id: row.process_id }, 'the end of an agent could not be recorded');
      // The row is still open: it is looked at again like an adopted one.
      adopted.set(row.process_id, row);
    });
  }

  function alive(row: ProcessRow): boolean {
    if (row.boot_id !== bootId() || row.pid_ns === pidNamespace()) return isAlive(row);
    const info = store.processes.agents(row.sprint_id).find((agent) => agent.process_id === row.process_id);
    const seen = info?.last_heartbeat_at ?? info?.task_started_at;
    return info?.exit === null && seen !== undefined && Date.parse(clock.now()) - Date.parse(seen) < UNSEEN_MS;
  }

  /** A shell that died between fork and record left a process that only its tag names. */
  async function findUnrecorded(row: ProcessRow): Promise<ProcessRow> {
    if (row.pid !== null) return row;
    const tagged = taggedProcesses(new Set([row.process_id]));
    const leader = tagged.find((found) => found.pid === found.pgid) ?? tagged[0];
    if (leader === undefined) return row;
    const started = { pid: leader.pid, start_ticks: leader.start_ticks, pgid: leader.pgid };
    await store.processes.running(row.process_id, started);
    return { ...row, ...started, state: 'running' };
  }

  async function reconcile(open: ProcessRow): Promise<boolean> {
    const row = await findUnrecorded(open);
    if (alive(row)) {
      if (!children.has(row.process_id)) adopted.set(row.process_id, row);
      return false;
    }
    await finish(row);
    return true;
  }

  const timer = setInterval(() => {
    for (const row of adopted.values()) {
      if (alive(row)) continue;
      adopted.delete(row.process_id);
      finishLater(row);
    }
  }, ADOPTED_POLL_MS);
  timer.unref();

  return {
    alive,
    reconcile,
    stopping: (process_id) => stops.has(process_id),

    async start(row, options) {
      const { process_id } = row;
      let launched: Launched;
      try {
        launched = await launch(options);
      } catch (error) {
        await finish(row);
        throw error;
      }
      children.set(process_id, launched);
      const { pid } = launched;
      const start_ticks = statOf(pid)?.start_ticks ?? launched.start_ticks;
      const running: ProcessRow = { ...row, pid, start_ticks, pgid: pid, state: 'running' };
      try {
        await store.processes.running(process_id, { pid, start_ticks, pgid: pid });
      } catch (error) {
        // A process that no row names must not live on.
        signal(-pid, 'SIGKILL');
        finishLater(running);
        throw error;
      }
      void launched.exited.then(() => finishLater(running));
      return pid;
    },

    async adopt() {
      const rows = store.processes.open();
      let settled = 0;
      for (const row of rows) if (await reconcile(row)) settled += 1;
      return { adopted: rows.length - settled, settled };
    },

    async stop(open, grace_ms) {
      const current = store.processes.get(open.process_id) ?? open;
      if (current.state === 'exited' || current.state === 'lost') {
        return current.exit === null ? undefined : { exit: current.exit, wip_ref: null };
      }
      stops.add(open.process_id);
      const row = await findUnrecorded(current);
      if (alive(row) && row.pid !== null) await endGroup(() => membersOf(row), 'SIGTERM', grace_ms);
      return finish(row);
    },

    close() {
      closed = true;
      clearInterval(timer);
    },
  };
}
