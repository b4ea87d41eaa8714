import { lstat, realpath } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';

import { HarnessError } from '../errors.ts';

/**
 * The absolute place of a relative path inside a worktree, symlinks of its existing parents resolved. Throws
 * HARNESS_PATH_OUTSIDE for absolute paths, `..`, links that lead out, a link as the file itself, and `.git`.
 */
export async function insideWorktree(worktree: string, path: string): Promise<string> {
  const root = await realpath(worktree);
  const target = resolve(root, path);
  if (isAbsolute(path) || path.includes('\0') || !isBelow(root, target)) throw outside(path);
  const parent = await realOf(dirname(target));
  const real = join(parent, relative(dirname(target), target));
  if (!isBelow(root, real)) throw outside(path);
  if (
    relative(root, real)
      .split(sep)
      .some((part) => part.toLowerCase() === '.git')
  )
    throw outside(path);
  const found = await lstat(real).catch(() => undefined);
  if (found?.isSymbolicLink() === true) throw outside(path);
  return real;
}

/** The real place of a directory whose last parts may not exist yet. */
async function realOf(directory: string): Promise<string> {
  try {
    return await realpath(directory);
  } catch (error) {
    // A dangling link resolves to nothing but exists itself: writing would follow it.
    if ((await lstat(directory).catch(() => undefined)) !== undefined) throw error;
    const parent = dirname(directory);
    return join(await realOf(parent), relative(parent, directory));
  }
}

function isBelow(root: string, path: string): boolean {
  return path !== root && path.startsWith(root.endsWith(sep) ? root : root + sep);
}

function outside(path: string): HarnessError {
  return new HarnessError('HARNESS_PATH_OUTSIDE', { path });
}
