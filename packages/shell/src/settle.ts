import { rm } from 'node:fs/promises';

import type { Logger } from '@caloron/capabilities/logger';
import type { Launched } from '@caloron/capabilities/launch';
import type { Processes } from '@caloron/store';
import { messageOf } from '@caloron/noether/errors';
import type { Clock, Exit, ProcessRow } from '@caloron/types';

import { readExit } from './exit-file.ts';
import { isBelow } from './git/confined.ts';
import { endLeftovers, leftoversOf } from './leftovers.ts';
import { agentFiles, type ShellPaths } from './paths.ts';
import type { Snapshot, Snapshots } from './snapshots.ts';

/** How an agent ended and where its unfinished work was kept. */
export interface Ended {
  readonly exit: Exit | null;
  /** What it left; null when nothing was uncommitted, or nothing could be saved. */
  readonly wip_ref: string | null;
  /** What it had before it was asked to end, where that differs. */
  readonly wip_before_ref: string | null;
  /** Why one of both could not be saved; null when all is. */
  readonly wip_error: string | null;
}

/** What the table of processes needs. */
export interface ProcessTableDeps {
  readonly processes: Processes;
  readonly clock: Clock;
  readonly log: Logger;
  readonly paths: ShellPaths;
  /** Saves what an agent has uncommitted. */
  readonly snapshot: Snapshots;
  /** How long a stop waits for the end of a process it cannot see, in milliseconds; 75 s when left out. */
  readonly heard_ms?: number;
}

/** What one table remembers; lost with the shell, found again by `adopt`. */
export interface Following {
  readonly children: Map<string, Launched>;
  readonly adopted: Map<string, ProcessRow>;
  readonly ending: Map<string, Promise<Ended>>;
  /** Why each process is stopped that is. */
  readonly stops: Map<string, string>;
  /** Snapshots taken before a stop. */
  readonly before: Map<string, Snapshot>;
}

/** How long a stop waits for the snapshot before it, in milliseconds: the callers' patience is two minutes for all of it. */
export const SAVE_BEFORE_MS = 20_000;

/** How long the snapshot after an end may take, in milliseconds; the files stay, so a later one can still save them. */
const SAVE_AFTER_MS = 45_000;

/** How long what a dead harness left running may take to end by itself, in milliseconds. */
const LEFTOVER_GRACE_MS = 5000;

/** Records the end of a process: what it left running is ended, what it left uncommitted saved, its exit kept. */
export async function settle(deps: ProcessTableDeps, following: Following, row: ProcessRow): Promise<Ended> {
  const { processes, clock, log, paths } = deps;
  const { process_id } = row;
  await endOrphans(deps, following, row);
  const files = agentFiles(paths, process_id);
  const status = await following.children.get(process_id)?.exited;
  const found = readExit(files.exit) ?? {
    code: status?.code ?? null,
    signal: status?.signal ?? null,
    at: clock.now(),
    known: status !== undefined,
  };
  const exit = withReason(found, following.stops.get(process_id));
  // Dead agents too: what they left is found at once, not only when somebody works there again.
  const reason = following.stops.has(process_id) ? 'stopped' : 'its agent ended';
  const after = await deps.snapshot(row, reason, SAVE_AFTER_MS);
  const kept = keptOf(following.before.get(process_id), after);
  // An order that was never read still holds the agent's token. Home and /tmp of the sandbox a harness that was killed could not
  // remove. What cannot be removed now is left to `gc`: it must not keep an end from being recorded.
  for (const path of [files.order, files.sandbox])
    await rm(path, { recursive: true, force: true }).catch((error: unknown) =>
      log.warn({ process_id, path, reason: messageOf(error) }, 'what an ended agent left is not removed'),
    );
  const { wip_ref, wip_error } = kept;
  await processes.settle(process_id, exit, exit.known ? 'exited' : 'lost', { wip_ref, wip_error });
  following.children.delete(process_id);
  following.adopted.delete(process_id);
  following.stops.delete(process_id);
  following.before.delete(process_id);
  log.info({ process_id, task_id: row.task_id, exit, ...kept }, 'agent ended');
  return { exit, ...kept };
}

/** A process that was stopped ended of that, unless it had done its work; its harness may have had no time to say so. */
function withReason(exit: Exit, reason: string | undefined): Exit {
  if (reason === undefined || exit.code === 0) return exit;
  return {
    ...exit,
    cause: { class: 'stopped', until: null, provider: null, sentence: reason.slice(0, 300) },
  };
}

/** What was saved in all: before the end, and after it where something changed since. */
function keptOf(before: Snapshot | undefined, after: Snapshot): Omit<Ended, 'exit'> {
  const earlier = before?.ref ?? null;
  const wip_ref = after.ref ?? earlier;
  return {
    wip_ref,
    wip_before_ref: earlier === wip_ref ? null : earlier,
    wip_error: after.error ?? before?.error ?? null,
  };
}

/** Ends what goes on without its harness, which would go on writing into the worktree; its work is saved first. */
async function endOrphans(deps: ProcessTableDeps, following: Following, row: ProcessRow): Promise<void> {
  const { log, paths, snapshot } = deps;
  const { process_id, worktree } = row;
  const pids = leftoversOf(process_id).map(({ pid }) => pid);
  if (pids.length === 0) return;
  if (!isBelow(paths.worktrees, worktree)) {
    // This database is a copy, or its home was moved: they may be at work for another shell.
    log.warn(
      { process_id, pids, worktree },
      'what an ended agent left running lies in no worktree of this home; it is left alone',
    );
    return;
  }
  log.warn({ process_id, pids }, 'what an ended agent left running is ended');
  if (!following.before.has(process_id)) {
    const reason = 'its harness had ended, its program had not';
    following.before.set(process_id, await snapshot(row, reason, SAVE_BEFORE_MS));
  }
  if (!(await endLeftovers(process_id, LEFTOVER_GRACE_MS)))
    log.warn({ process_id }, 'a process of an ended agent survives');
}
