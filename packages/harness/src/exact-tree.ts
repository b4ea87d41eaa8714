import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import type { CleanGit } from './clean-repository.ts';
import { headOf } from './worktree.ts';

/** Names of files that are told; there may be thousands. */
const NAMES_TOLD = 20;

/** What a worktree looks like beside the commit it should be. */
export interface TreeLook {
  /** Why it is not that commit any more; null while HEAD and every file of it are as they were. */
  readonly moved: string | null;
  /** Files that are neither in the commit nor ignored by it; the first few. */
  readonly left: readonly string[];
}

/** A worktree that has to be one commit, file by file. */
export interface ExactTree {
  readonly tree_sha: string;
  look(): Promise<TreeLook>;
}

/**
 * Watches whether a worktree is exactly a commit. It has an index of its own, made of the commit, and hashes every file the first
 * time: neither the worktree's index and its flags nor an object with false content can make another file pass for the commit's.
 */
export async function exactTree(
  clean: CleanGit,
  of: { readonly worktree: string; readonly head_sha: string; readonly directory: string },
): Promise<ExactTree> {
  const { worktree, head_sha } = of;
  const index_file = join(of.directory, 'exact.index');
  await rm(index_file, { force: true });
  const at = { cwd: worktree, work_tree: worktree, index_file };
  const named = async (...flags: string[]): Promise<readonly string[]> => {
    const { stdout } = await clean(['ls-files', '-z', ...flags], at);
    return [...new Set(stdout.split('\0').filter((name) => name !== ''))];
  };
  await clean(['read-tree', head_sha], at);
  const { stdout: tree_sha } = await clean(['rev-parse', '--verify', `${head_sha}^{tree}`]);
  return {
    tree_sha,
    async look() {
      const head = await headOf(worktree);
      await clean(['update-index', '-q', '--refresh'], { ...at, ok_codes: [0, 1] });
      const changed = await named('--modified');
      const left = (await named('--others', '--exclude-standard')).slice(0, NAMES_TOLD);
      if (head !== head_sha) return { moved: `HEAD is at ${head}`, left };
      return { moved: changed.length === 0 ? null : `changed: ${listed(changed)}`, left };
    },
  };
}

/** Names in a sentence, the first few of many. */
export function listed(names: readonly string[]): string {
  const shown = names.slice(0, NAMES_TOLD).join(', ');
  return names.length > NAMES_TOLD ? `${shown} and ${names.length - NAMES_TOLD} more` : shown;
}
