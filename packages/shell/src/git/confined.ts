import { lstatSync } from 'node:fs';
import { isAbsolute, join, relative, sep } from 'node:path';

import { ShellError } from '../errors.ts';

/** Whether `path` is `root` or lies below it, by name alone. */
export function isBelow(root: string, path: string): boolean {
  const way = relative(root, path);
  return way === '' || (way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way));
}

/**
 * Checks that `path` lies below `root` and that nothing on the way is a symbolic link, a file or a worktree.
 * `root` is a real path. Throws WORKTREE_FOREIGN.
 */
export function confined(root: string, path: string): void {
  if (!isBelow(root, path))
    throw new ShellError('WORKTREE_FOREIGN', { worktree: path, reason: `it is not below ${root}` });
  const way = relative(root, path);
  let place = root;
  for (const part of ['', ...(way === '' ? [] : way.split(sep))]) {
    place = join(place, part);
    const found = lstatSync(place, { throwIfNoEntry: false });
    if (found === undefined) return;
    if (found.isSymbolicLink())
      throw new ShellError('WORKTREE_FOREIGN', { worktree: path, reason: `${place} is a symbolic link` });
    if (!found.isDirectory())
      throw new ShellError('WORKTREE_FOREIGN', { worktree: path, reason: `${place} is no directory` });
    // What lies inside another's worktree is that agent's to write, and would be saved as its work.
    if (place !== path && lstatSync(join(place, '.git'), { throwIfNoEntry: false }) !== undefined)
      throw new ShellError('WORKTREE_FOREIGN', {
        worktree: path,
        reason: `it lies inside the worktree ${place}`,
      });
  }
}
