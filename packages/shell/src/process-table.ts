import { setTimeout as delay } from 'node:timers/promises';

import type { Processes } from '@caloron/store';
import { epochMs, type ProcessRow } from '@caloron/types';

import { ShellError } from './errors.ts';
import { readExit } from './exit-file.ts';
import { agentFiles } from './paths.ts';
import { type Launched, launch, type LaunchOptions } from '@caloron/capabilities/launch';
import { leftoversOf, reportStrays } from './leftovers.ts';
import { bootId, groupMembers, isAlive, pidNamespace, statOf } from '@caloron/capabilities/process-identity';
import { endGroup, signal } from './signals.ts';
import { type Ended, type Following, type ProcessTableDeps, SAVE_BEFORE_MS, settle } from './settle.ts';

/** The agents' processes: started, watched, adopted, stopped. Rows in the store are the truth; this only follows them. */
export interface ProcessTable {
  /** Forks for a row that is `spawning` and writes `running`; gives the pid. Throws SPAWN_FAILED, the row settled. */
  start(row: ProcessRow, options: LaunchOptions): Promise<number>;
  /**
   * Follows what an earlier shell left open: live processes are adopted, dead ones settled. Endings that take long go on
   * after it has answered.
   */
  adopt(): Promise<{ readonly adopted: number; readonly settled: number }>;
  /** Settles a row whose process is gone; false while the process may live. */
  reconcile(row: ProcessRow): Promise<boolean>;
  /** Work saved, SIGTERM to the group, SIGKILL after the grace, settled; an ended process gives its recorded end. Throws STOP_FAILED. */
  stop(process_id: string, grace_ms: number, reason?: string): Promise<Ended>;
  /** Whether a stop was asked for. */
  stopping(process_id: string): boolean;
  /** Whether the row's process may still run. */
  alive(row: ProcessRow): boolean;
  /** Stops following, after what is being recorded; the processes go on. */
  close(): Promise<void>;
}

/** How often an adopted process, which is not our child, is looked at, in milliseconds. */
const ADOPTED_POLL_MS = 1000;

/** A process of another pid namespace cannot be seen; one that beat this recently may live, in milliseconds. */
const UNSEEN_MS = 5 * 60_000;

/** A process that no signal reaches is told with a heartbeat, which comes each minute, and ends within seconds: so long a stop waits, in milliseconds. */
const HEARD_MS = 75_000;
const UNSEEN_LOOK_MS = 100;

/** How many ends of agents are recorded at once after a restart, and how long the shell waits for them before it serves, in milliseconds. */
const SETTLED_AT_ONCE = 4;
const ADOPT_WAIT_MS = 5000;

/** How long a shell that closes waits for ends it is recording, in milliseconds. */
const CLOSE_WAIT_MS = 5000;

/** Follows the processes of one database. */
export function createProcessTable(deps: ProcessTableDeps): ProcessTable {
  const { processes, log } = deps;
  const following: Following = {
    children: new Map(),
    adopted: new Map(),
    ending: new Map(),
    stops: new Map(),
    before: new Map(),
  };
  const recording = new Set<Promise<unknown>>();
  let closed = false;

  function finish(row: ProcessRow): Promise<Ended> {
    const known = following.ending.get(row.process_id);
    if (known !== undefined) return known;
    const end = settle(deps, following, row);
    following.ending.set(row.process_id, end);
    recording.add(end);
    end.then(
      () => recording.delete(end),
      () => {
        recording.delete(end);
        following.ending.delete(row.process_id);
      },
    );
    return end;
  }

  async function finishLater(row: ProcessRow): Promise<void> {
    if (closed) return;
    try {
      await finish(row);
    } catch (error) {
      log.error({ err: error, process_id: row.process_id }, 'the end of an agent could not be recorded');
      // The row is still open: it is looked at again like an adopted one.
      following.adopted.set(row.process_id, row);
    }
  }

  const alive = (row: ProcessRow): boolean => mayLive(deps, row);

  /** A stop does not wait for a start: it may come, by whatever process, between the row and the fork. */
  function refuseEnded(process_id: string): void {
    const state = processes.get(process_id)?.state;
    if (!following.ending.has(process_id) && state !== 'exited' && state !== 'lost') return;
    throw new ShellError('SPAWN_FAILED', { process_id, reason: 'it was stopped before it ran' });
  }

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
      void finishLater(row);
    }
  }, ADOPTED_POLL_MS);
  timer.unref();

  return {
    alive,
    reconcile,
    stopping: (process_id) => following.stops.has(process_id),

    async start(row, options) {
      const { process_id } = row;
      refuseEnded(process_id);
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
        void finishLater(running);
        throw error;
      }
      void launched.exited.then(() => finishLater(running));
      try {
        refuseEnded(process_id);
      } catch (error) {
        // A stop found no process yet, and its row counts as ended: it would work beside its successor.
        if (isAlive(running)) signal(-pid, 'SIGKILL');
        throw error;
      }
      return pid;
    },

    async adopt() {
      const rows = await Promise.all(processes.open().map((row) => identified(processes, row)));
      const dead = rows.filter((row) => !alive(row));
      for (const row of rows) if (alive(row)) following.adopted.set(row.process_id, row);
      const waiting = [...dead];
      const next = async (): Promise<void> => {
        for (let row = waiting.shift(); row !== undefined; row = waiting.shift()) await finishLater(row);
      };
      const settled = Promise.all(Array.from({ length: SETTLED_AT_ONCE }, next));
      // An agent that is slow to end keeps no other waiting: a spawn on its task waits for it by itself.
      await Promise.race([settled, delay(ADOPT_WAIT_MS, undefined, { ref: false })]);
      reportStrays(deps.paths.worktrees, (process_id) => processes.get(process_id) !== undefined, log);
      return { adopted: rows.length - dead.length, settled: dead.length };
    },

    async stop(process_id, grace_ms, reason = 'stopped from outside') {
      const found = processes.get(process_id);
      if (found === undefined) throw new ShellError('PROCESS_UNKNOWN', { process_id });
      const ended = following.ending.get(process_id);
      if (ended !== undefined) return ended;
      if (found.state === 'exited' || found.state === 'lost')
        return { exit: found.exit, wip_ref: null, wip_before_ref: null, wip_error: null };
      const row = await identified(processes, found);
      if (isAlive(row) && row.pid !== null) {
        // While it works, and before it hears of the stop by any way: some programs clean up after themselves.
        following.before.set(process_id, await deps.snapshot(row, 'before it was stopped', SAVE_BEFORE_MS));
        following.stops.set(process_id, reason);
        // It may have ended while that was saved; what it left is ended when that is recorded.
        if (isReplaced(row)) return finish(row);
        const pgid = row.pgid ?? row.pid;
        const members = () => groupMembers(pgid);
        const ended_all = await endGroup(pgid, members, () => leftoversOf(process_id), grace_ms);
        if (!ended_all) throw new ShellError('STOP_FAILED', { process_id, pid: row.pid });
      } else if (isUnseen(deps, row)) {
        following.before.set(process_id, await deps.snapshot(row, 'before it was stopped', SAVE_BEFORE_MS));
        // Its next heartbeat is answered with it; no signal reaches it.
        following.stops.set(process_id, reason);
        await seenToEnd(deps, row);
      }
      following.stops.set(process_id, reason);
      return finish(row);
    },

    async close() {
      closed = true;
      clearInterval(timer);
      const recorded = Promise.allSettled(recording);
      await Promise.race([recorded, delay(CLOSE_WAIT_MS, undefined, { ref: false })]);
    },
  };
}

/** Whether the pid is another process's now: its group, too, is a stranger's. */
function isReplaced({ pid, start_ticks }: ProcessRow): boolean {
  const found = pid === null ? undefined : statOf(pid);
  return found !== undefined && found.start_ticks !== start_ticks;
}

/** Whether it may run where only its heartbeats tell of it, and not its processes. */
function isUnseen(deps: ProcessTableDeps, row: ProcessRow): boolean {
  return row.pid_ns !== pidNamespace() && mayLive(deps, row) && leftoversOf(row.process_id).length === 0;
}

/** Waits until a process that cannot be seen has written its end down, or is silent for long. Throws STOP_FAILED. */
async function seenToEnd(deps: ProcessTableDeps, row: ProcessRow): Promise<void> {
  const deadline = performance.now() + (deps.heard_ms ?? HEARD_MS);
  while (mayLive(deps, row)) {
    if (performance.now() >= deadline) {
      const { process_id, pid } = row;
      throw new ShellError('STOP_FAILED', { process_id, pid: pid ?? 0, unseen: true });
    }
    await delay(UNSEEN_LOOK_MS);
  }
}

/** Whether the recorded process may still run; one of another pid namespace counts by its heartbeat, until it has written its end down. */
function mayLive({ processes, clock, paths }: ProcessTableDeps, row: ProcessRow): boolean {
  if (row.boot_id !== bootId() || row.pid_ns === pidNamespace()) return isAlive(row);
  if (readExit(agentFiles(paths, row.process_id).exit) !== undefined) return false;
  const seen_at = processes.seenAt(row);
  return seen_at !== undefined && epochMs(clock.now()) - epochMs(seen_at) < UNSEEN_MS;
}

/** A shell that died between fork and record left a process that only its tag names: its pid is written now. */
async function identified(processes: Processes, row: ProcessRow): Promise<ProcessRow> {
  if (row.pid !== null) return row;
  const found = leftoversOf(row.process_id);
  const leader = found.find(({ pid, pgid }) => pid === pgid) ?? found[0];
  if (leader === undefined) return row;
  const started = { pid: leader.pid, start_ticks: leader.start_ticks, pgid: leader.pgid };
  await processes.running(row.process_id, started);
  return { ...row, ...started, state: 'running' };
}
