import { rmSync } from 'node:fs';

import type { Logger } from '@caloron/capabilities/logger';
import type { Processes } from '@caloron/store';
import { type Clock, epochMs, type Exit, type ProcessRow } from '@caloron/types';

import { ShellError } from './errors.ts';
import { readExit } from './exit-file.ts';
import { type Launched, launch, type LaunchOptions } from '@caloron/capabilities/launch';
import { agentFiles, type ShellPaths } from './paths.ts';
import {
  bootId,
  groupMembers,
  isAlive,
  pidNamespace,
  type ProcessStat,
  taggedProcesses,
} from '@caloron/capabilities/process-identity';
import { endGroup, killAll, signal } from './signals.ts';

/** How an agent ended and where its unfinished work was kept. */
export interface Ended {
  readonly exit: Exit | null;
  readonly wip_ref: string | null;
}

/** What the table needs. */
export interface ProcessTableDeps {
  readonly processes: Processes;
  readonly clock: Clock;
  readonly log: Logger;
  readonly paths: ShellPaths;
  /** Saves what an ended agent left uncommitted; null when nothing was. */
  readonly saveWip: (row: ProcessRow, reason: string) => Promise<string | null>;
}

/** The agents' processes: started, watched, adopted, stopped. Rows in the store are the truth; this only follows them. */
export interface ProcessTable {
  /** Forks for a row that is `spawning` and writes `running`; gives the pid. Throws SPAWN_FAILED, the row settled. */
  start(row: ProcessRow, options: LaunchOptions): Promise<number>;
  /** Follows what an earlier shell left open: live processes are adopted, dead ones settled. */
  adopt(): Promise<{ readonly adopted: number; readonly settled: number }>;
  /** Settles a row whose process is gone; false while the process may live. */
  reconcile(row: ProcessRow): Promise<boolean>;
  /** SIGTERM to the group, SIGKILL after the grace, settled; an ended process gives its recorded end. Throws STOP_FAILED. */
  stop(process_id: string, grace_ms: number): Promise<Ended>;
  /** Whether a stop was asked for. */
  stopping(process_id: string): boolean;
  /** Whether the row's process may still run. */
  alive(row: ProcessRow): boolean;
  /** Stops following; the processes go on. */
  close(): void;
}

/** How often an adopted process, which is not our child, is looked at, in milliseconds. */
const ADOPTED_POLL_MS = 1000;

/** A process of another pid namespace cannot be seen; one that beat this recently may live, in milliseconds. */
const UNSEEN_MS = 5 * 60_000;

/** What one table remembers; lost with the shell, found again by `adopt`. */
interface Following {
  readonly children: Map<string, Launched>;
  readonly adopted: Map<string, ProcessRow>;
  readonly ending: Map<string, Promise<Ended>>;
  readonly stops: Set<string>;
}

/** Follows the processes of one database. */
export function createProcessTable(deps: ProcessTableDeps): ProcessTable {
  const { processes, log } = deps;
  const following: Following = {
    children: new Map(),
    adopted: new Map(),
    ending: new Map(),
    stops: new Set(),
  };
  let closed = false;

  function finish(row: ProcessRow): Promise<Ended> {
    const known = following.ending.get(row.process_id);
    if (known !== undefined) return known;
    const end = settle(deps, following, row);
    following.ending.set(row.process_id, end);
    end.catch(() => following.ending.delete(row.process_id));
    return end;
  }

  function finishLater(row: ProcessRow): void {
    if (closed) return;
    finish(row).catch((error: unknown) => {
      log.error({ err: error, process_id: row.process_id }, 'the end of an agent could not be recorded');
      // The row is still open: it is looked at again like an adopted one.
      following.adopted.set(row.process_id, row);
    });
  }

  const alive = (row: ProcessRow): boolean => mayLive(deps, row);

  async function reconcile(open: ProcessRow): Promise<boolean> {
    const row = await identified(processes, open);
    if (!alive(row)) {
      await finish(row);
      return true;
    }
    if (!following.children.has(row.process_id)) following.adopted.set(row.process_id, row);
    return false;
  }

  const timer = setInterval(() => {
    for (const row of following.adopted.values()) {
      if (alive(row)) continue;
      following.adopted.delete(row.process_id);
      finishLater(row);
    }
  }, ADOPTED_POLL_MS);
  timer.unref();

  return {
    alive,
    reconcile,
    stopping: (process_id) => following.stops.has(process_id),

    async start(row, options) {
      const { process_id } = row;
      let launched: Launched;
      try {
        launched = await launch(options);
      } catch (error) {
        await finish(row);
        const reason = error instanceof Error ? error.message : String(error);
        throw new ShellError('SPAWN_FAILED', { process_id, reason }, { cause: error, retryable: true });
      }
      following.children.set(process_id, launched);
      const { pid, start_ticks } = launched;
      const running: ProcessRow = { ...row, pid, start_ticks, pgid: pid, state: 'running' };
      try {
        await processes.running(process_id, { pid, start_ticks, pgid: pid });
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
      const rows = processes.open();
      let settled = 0;
      for (const row of rows) if (await reconcile(row)) settled += 1;
      return { adopted: rows.length - settled, settled };
    },

    async stop(process_id, grace_ms) {
      const found = processes.get(process_id);
      if (found === undefined) throw new ShellError('PROCESS_UNKNOWN', { process_id });
      const ended = following.ending.get(process_id);
      if (ended !== undefined) return ended;
      if (found.state === 'exited' || found.state === 'lost') return { exit: found.exit, wip_ref: null };
      following.stops.add(process_id);
      const row = await identified(processes, found);
      if (isAlive(row) && row.pid !== null) {
        const members = (): readonly ProcessStat[] => [
          ...groupMembers(row.pgid ?? row.pid ?? 0),
          ...tagged(process_id),
        ];
        if (!(await endGroup(row.pgid ?? row.pid, members, grace_ms))) {
          throw new ShellError('STOP_FAILED', { process_id, pid: row.pid });
        }
      }
      return finish(row);
    },

    close() {
      closed = true;
      clearInterval(timer);
    },
  };
}

function tagged(process_id: string): readonly ProcessStat[] {
  return taggedProcesses(new Set([process_id]));
}

/** Whether the recorded process may still run; one of another pid namespace counts by its heartbeat. */
function mayLive({ processes, clock }: ProcessTableDeps, row: ProcessRow): boolean {
  if (row.boot_id !== bootId() || row.pid_ns === pidNamespace()) return isAlive(row);
  const agent = processes.agents(row.sprint_id).find(({ process_id }) => process_id === row.process_id);
  const seen_at = agent?.last_heartbeat_at ?? agent?.task_started_at;
  return seen_at !== undefined && epochMs(clock.now()) - epochMs(seen_at) < UNSEEN_MS;
}

/** A shell that died between fork and record left a process that only its tag names: its pid is written now. */
async function identified(processes: Processes, row: ProcessRow): Promise<ProcessRow> {
  if (row.pid !== null) return row;
  const found = tagged(row.process_id);
  const leader = found.find(({ pid, pgid }) => pid === pgid) ?? found[0];
  if (leader === undefined) return row;
  const started = { pid: leader.pid, start_ticks: leader.start_ticks, pgid: leader.pgid };
  await processes.running(row.process_id, started);
  return { ...row, ...started, state: 'running' };
}

async function settle(deps: ProcessTableDeps, following: Following, row: ProcessRow): Promise<Ended> {
  const { processes, clock, log, paths } = deps;
  const { process_id } = row;
  // What the harness left running would go on writing into the worktree.
  if (!(await killAll(() => tagged(process_id))))
    log.warn({ process_id }, 'a process of an ended agent survives');
  const files = agentFiles(paths, process_id);
  const status = await following.children.get(process_id)?.exited;
  const exit = readExit(files.exit) ?? {
    code: status?.code ?? null,
    signal: status?.signal ?? null,
    at: clock.now(),
    known: status !== undefined,
  };
  // Dead agents too: what they left is found at once, not only when somebody works there again.
  const wip_ref = await savedWip(deps, row, following.stops.has(process_id) ? 'stopped' : 'its agent ended');
  // An order that was never read still holds the agent's token.
  rmSync(files.order, { force: true });
  await processes.settle(process_id, exit, exit.known ? 'exited' : 'lost');
  following.children.delete(process_id);
  following.adopted.delete(process_id);
  following.stops.delete(process_id);
  log.info({ process_id, task_id: row.task_id, exit, wip_ref }, 'agent ended');
  return { exit, wip_ref };
}

async function savedWip(
  { saveWip, log }: ProcessTableDeps,
  row: ProcessRow,
  reason: string,
): Promise<string | null> {
  try {
    return await saveWip(row, reason);
  } catch (error) {
    // The files are still there: the next use of the worktree saves them or is refused.
    log.error({ err: error, process_id: row.process_id }, 'unfinished work could not be saved');
    return null;
  }
}
