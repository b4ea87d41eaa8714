import { linkSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';

import { thisProcess } from '@caloron/capabilities/process-identity';
import { randomToken } from '@caloron/capabilities/random';
import type { Id } from '@caloron/types';
import { z } from 'zod';

import { ShellError } from './errors.ts';
import { holderIn, holds, LockHolder } from './lock-holder.ts';
import type { ShellPaths } from './paths.ts';

const Holder = LockHolder.extend({ doing: z.string() });
type Holder = z.infer<typeof Holder>;

/** A holder in another container cannot be seen: after this long it counts as gone, in milliseconds. */
const UNSEEN_MS = 10 * 60_000;

/** Somebody may take the lock of a dead holder just before us. */
const ATTEMPTS = 5;

/**
 * Runs what changes the worktrees of a task while no other process of this home does: the shell that starts an agent there and
 * a command that puts saved work back exclude each other. The lock of a process that died counts for nothing. Throws TASK_LOCKED.
 */
export async function withTaskLock<T>(
  paths: Pick<ShellPaths, 'tasks'>,
  task: { readonly sprint_id: Id; readonly task_id: Id },
  doing: string,
  work: () => Promise<T>,
): Promise<T> {
  const file = join(paths.tasks, task.sprint_id, `${task.task_id}.lock`);
  take(file, task.task_id, doing);
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

function take(file: string, task_id: Id, doing: string): void {
  const me: Holder = { ...thisProcess(), doing };
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.${randomToken(6)}`;
  writeFileSync(draft, JSON.stringify(me), { mode: 0o600 });
  try {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      // A link is made whole or not at all, and never over another.
      if (linked(draft, file)) return;
      const holder = holderIn(file, Holder);
      if (holder !== undefined && holds(holder, file, UNSEEN_MS))
        throw new ShellError('TASK_LOCKED', { task_id, pid: holder.pid, doing: holder.doing });
      moveAway(file, holder);
    }
    throw new ShellError('TASK_LOCKED', { task_id, pid: 0, doing: 'something that comes and goes' });
  } finally {
    rmSync(draft, { force: true });
  }
}

function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Moves the lock of a dead holder away; one that somebody took since it was read is given back. */
function moveAway(file: string, dead: Holder | undefined): void {
  const stale = `${file}.${randomToken(6)}`;
  try {
    renameSync(file, stale);
    const moved = holderIn(stale, Holder);
    if (moved !== undefined && !isDeepStrictEqual(moved, dead)) linked(stale, file);
    rmSync(stale, { recursive: true, force: true });
  } catch {
    // Another process has moved it, or its holder has let go.
  }
}
