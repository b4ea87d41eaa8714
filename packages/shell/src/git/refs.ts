import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

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

/** Refs below `prefix` of a bare repository: what follows the prefix → commit. */
export async function refsBelow(git_dir: string, prefix: string): Promise<ReadonlyMap<string, string>> {
  const { stdout } = await git(['for-each-ref', '--format=%(objectname) %(refname)', prefix], { git_dir });
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
