import { lstatSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { git } from '@caloron/capabilities/git';

import { ShellError } from '../errors.ts';

/**
 * Checks that no directory of refs in a clone is a symbolic link: git would follow it and write or delete refs of whatever
 * repository it leads to. Throws WORKTREE_FOREIGN.
 */
export function assertOwnRefs(clone: string): void {
  const look = (dir: string): void => {
    const found = lstatSync(dir, { throwIfNoEntry: false });
    if (found?.isSymbolicLink() === true)
      throw new ShellError('WORKTREE_FOREIGN', { worktree: clone, reason: `${dir} is a symbolic link` });
    if (found?.isDirectory() !== true) return;
    for (const entry of readdirSync(dir, { withFileTypes: true }))
      if (entry.isDirectory() || entry.isSymbolicLink()) look(join(dir, entry.name));
  };
  look(join(clone, 'refs'));
}

/** git holds a lock of a ref for milliseconds: one this old was left by a process that was killed, in milliseconds. */
const STALE_LOCK_MS = 10_000;

/** How often a lock that is held is looked at, in milliseconds. */
const LOCK_LOOK_MS = 100;

/**
 * Removes locks of refs that a killed git left in a clone, as `packed-refs.lock`; one that may be held by the agent of the other
 * role is waited for. No directory below `refs` may be a link (`assertOwnRefs`).
 */
export async function clearStaleLocks(clone: string): Promise<void> {
  for (const lock of locksOf(clone)) {
    for (;;) {
      const found = lstatSync(lock, { throwIfNoEntry: false });
      if (found === undefined) break;
      const age_ms = performance.timeOrigin + performance.now() - found.mtimeMs;
      // A time that lies ahead says nothing.
      if (age_ms < 0 || age_ms >= STALE_LOCK_MS) {
        rmSync(lock, { recursive: true, force: true });
        break;
      }
      await delay(LOCK_LOOK_MS);
    }
  }
}

function locksOf(clone: string): readonly string[] {
  const below = (dir: string): readonly string[] =>
    readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
      const path = join(dir, entry.name);
      if (entry.isDirectory()) return below(path);
      // No ref may have a name that ends so.
      return entry.name.endsWith('.lock') ? [path] : [];
    });
  const refs = join(clone, 'refs');
  const inside = lstatSync(refs, { throwIfNoEntry: false })?.isDirectory() === true ? below(refs) : [];
  return [...['packed-refs.lock', 'HEAD.lock', 'config.lock'].map((name) => join(clone, name)), ...inside];
}

/** Refs below `prefix` of a bare repository: what follows the prefix → commit. `run` may end before its time. */
export async function refsBelow(
  git_dir: string,
  prefix: string,
  run = git,
): Promise<ReadonlyMap<string, string>> {
  const { stdout } = await run(['for-each-ref', '--format=%(objectname) %(refname)', prefix], { git_dir });
  const lines = stdout === '' ? [] : stdout.split('\n');
  return new Map(
    lines.map((line) => [
      line.slice(line.indexOf(' ') + 1 + prefix.length),
      line.slice(0, line.indexOf(' ')),
    ]),
  );
}

/** Makes the refs below `prefix` of a repository exactly these; objects must be reachable there. */
export async function setRefsBelow(
  git_dir: string,
  prefix: string,
  wanted: ReadonlyMap<string, string>,
): Promise<void> {
  const present = await refsBelow(git_dir, prefix);
  const gone = [...present.keys()].filter((name) => !wanted.has(name));
  const changed = [...wanted].filter(([name, sha]) => present.get(name) !== sha);
  // Deleted first and apart: `a` must be gone before `a/b` can be made.
  await updateRefs(
    git_dir,
    gone.map((name) => `delete ${prefix}${name}`),
  );
  await updateRefs(
    git_dir,
    changed.map(([name, sha]) => `update ${prefix}${name} ${sha}`),
  );
}

async function updateRefs(git_dir: string, lines: readonly string[]): Promise<void> {
  if (lines.length === 0) return;
  await git(['update-ref', '--no-deref', '--stdin'], { git_dir, stdin: `${lines.join('\n')}\n` });
}
