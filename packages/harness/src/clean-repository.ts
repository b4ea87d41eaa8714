import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { git, type GitOptions, type GitResult } from '@caloron/capabilities/git';

import { objectsOf } from './worktree.ts';

/** Milliseconds a push may take: large repositories over slow lines. */
const TRANSFER_TIMEOUT_MS = 10 * 60 * 1000;

/** Runs git on the worktree's commits with a configuration that is ours; the only place a credential may be used. */
export type CleanGit = (args: readonly string[], options?: GitOptions) => Promise<GitResult>;

/**
 * An empty bare repository of this process that borrows the objects of the worktree's. The agent owns its repository, whose
 * config could run programs or send a credential anywhere: none of it is read here, nor its refs, replacements and indexes of
 * commits, which could lie about what contains what.
 *
 * Its objects could lie too: git hashes a commit or tree it is asked for by name, but not the trees inside and the commits before
 * it, nor anything of a pack. What has to be true of a head is asked with `trusted_objects`, which no agent writes.
 */
export async function openClean(
  directory: string,
  worktree: string,
  signal: AbortSignal,
  trusted_objects?: string,
): Promise<CleanGit> {
  const git_dir = join(directory, 'clean.git');
  await rm(git_dir, { recursive: true, force: true });
  await git(['init', '-q', '--bare', git_dir], { cwd: directory });
  const objects = trusted_objects ?? (await objectsOf(worktree));
  await mkdir(join(git_dir, 'objects', 'info'), { recursive: true });
  await writeFile(join(git_dir, 'objects', 'info', 'alternates'), `${objects}\n`);
  return async (args, options = {}) =>
    git(['-c', 'core.commitGraph=false', ...args], {
      cwd: directory,
      git_dir,
      timeout_ms: TRANSFER_TIMEOUT_MS,
      signal,
      ...options,
    });
}

/** Whether a commit is among the ancestors of another, or the same; false also for one that is not there. */
export async function contains(clean: CleanGit, head: string, commit: string): Promise<boolean> {
  const found = await clean(['merge-base', '--is-ancestor', commit, head], { ok_codes: [0, 1, 128] });
  return found.exit_code === 0;
}
