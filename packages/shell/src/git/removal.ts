import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { randomToken } from '@caloron/capabilities/random';
import { Id } from '@caloron/types';

import { confined, isBelow } from './confined.ts';

/** The task a directory belongs to. */
export interface OfTask {
  readonly sprint_id: Id;
  readonly task_id: Id;
}

/** A directory that is on its way out; whoever began its removal died, or could not finish. */
export interface Removal extends OfTask {
  readonly path: string;
}

/** Where directories below a root go before they are deleted: beside them, so that one step takes all of it. No id begins with a dot. */
export function removingDir(root: string): string {
  return join(root, '.removing');
}

/** Makes that place, or leaves it as it is: it is made with what will go there, for a full disk may not take it. Throws WORKTREE_FOREIGN. */
export function makeRemovingDir(root: string): string {
  const dir = removingDir(root);
  confined(root, dir);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  return dir;
}

/**
 * Takes a directory below `root` out of its place in one step, whole; gives where it is then. The name says whose it was, so that
 * whoever finds it after a death can finish. Throws WORKTREE_FOREIGN.
 */
export function takeAway(root: string, path: string, { sprint_id, task_id }: OfTask): string {
  confined(root, path);
  const away = join(makeRemovingDir(root), `${sprint_id}.${task_id}.${randomToken(6)}`);
  renameSync(path, away);
  return away;
}

/** Deletes what was taken away. What cannot be deleted stays for the next clean-up, which tells of it. */
export async function finishRemoval(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true, maxRetries: 3 });
  } catch {
    // Folders that nobody may write to, as some package caches are: their owner may change that.
    makeWritable(path);
    await rm(path, { recursive: true, force: true, maxRetries: 3 });
  }
}

function makeWritable(dir: string): void {
  if (lstatSync(dir, { throwIfNoEntry: false })?.isDirectory() !== true) return;
  chmodSync(dir, 0o700);
  for (const entry of readdirSync(dir, { withFileTypes: true }))
    if (entry.isDirectory()) makeWritable(join(dir, entry.name));
}

/** Removals below a root that were begun; others' directories are not among them. */
export function removalsIn(root: string): readonly Removal[] {
  const dir = removingDir(root);
  if (lstatSync(dir, { throwIfNoEntry: false })?.isDirectory() !== true) return [];
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const [sprint = '', task = '', token, ...more] = entry.name.split('.');
    const sprint_id = Id.safeParse(sprint);
    const task_id = Id.safeParse(task);
    const ours = entry.isDirectory() && token !== undefined && more.length === 0;
    if (!ours || !sprint_id.success || !task_id.success) return [];
    return [{ path: join(dir, entry.name), sprint_id: sprint_id.data, task_id: task_id.data }];
  });
}

/** Makes a clone forget a worktree that is gone. Whoever dies meanwhile leaves what `git worktree prune` takes. */
export function forgetWorktree(git_dir: string): void {
  for (const name of ['locked', 'gitdir']) rmSync(join(git_dir, name), { force: true });
  rmSync(git_dir, { recursive: true, force: true });
}

/** The same for a worktree that was taken away by one who died before the clone forgot it. */
export function forgetTaken(clone: string, { path }: Removal, root: string): void {
  const git_dir = firstLine(join(path, '.git'))?.replace(/^gitdir: /, '');
  if (git_dir === undefined || !existsSync(git_dir) || !existsSync(clone)) return;
  // Agents write these files: they must lead to nothing but a worktree of this clone that is no longer there.
  if (dirname(realpathSync(git_dir)) !== join(realpathSync(clone), 'worktrees')) return;
  const place = dirname(firstLine(join(git_dir, 'gitdir')) ?? '/');
  if (isBelow(root, place) && !existsSync(place)) forgetWorktree(realpathSync(git_dir));
}

function firstLine(file: string): string | undefined {
  const found = lstatSync(file, { throwIfNoEntry: false });
  return found?.isFile() === true ? readFileSync(file, 'utf8').trim() : undefined;
}
