import { copyFileSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { git } from '@caloron/capabilities/git';
import type { Id, Sha } from '@caloron/types';

import type { CleanGit, CleanTarget } from './clean-repository.ts';
import { refsBelow } from './refs.ts';
import type { OwnWorktree } from './own-worktree.ts';

/** Where unfinished work of one task is kept, numbered from 1, in the task's bare clone. */
export function wipPrefix(sprint_id: Id, task_id: Id): string {
  return `refs/caloron/wip/${sprint_id}/${task_id}/`;
}

/** What is to be saved. */
export interface WipRequest {
  readonly sprint_id: Id;
  readonly task_id: Id;
  readonly clone: string;
  readonly own: OwnWorktree;
  /** Why it is saved, for who reads the log of the ref. */
  readonly reason: string;
  /** Saves the head too when nothing is uncommitted: it is on no branch. */
  readonly keep_head?: boolean;
}

/** Trees of a worktree: what is committed, staged and on disk. `staged` is null when a merge is unresolved. */
interface Trees {
  readonly head: Sha;
  readonly committed: string;
  readonly staged: string | null;
  readonly on_disk: string;
}

/**
 * Saves index, tree and untracked files of a worktree as a commit on its head under the next wip ref; branch, index and files
 * stay as they are. A staged state that differs from both is the second parent. Ignored files are not saved.
 * Gives null when nothing is uncommitted, and the newest ref again when it holds the same.
 */
export async function saveWip(clean: CleanGit, request: WipRequest): Promise<string | null> {
  const trees = await readTrees(clean, request);
  const dirty = isDirty(trees);
  if (!dirty && request.keep_head !== true) return null;
  const prefix = wipPrefix(request.sprint_id, request.task_id);
  const { clone } = request;
  const commit = dirty ? await commitTrees(clean, clone, trees, request.reason) : trees.head;

  const kept = await refsBelow(clone, prefix);
  const newest = Math.max(0, ...[...kept.keys()].map(Number).filter(Number.isSafeInteger));
  const previous = kept.get(String(newest));
  if (
    previous !== undefined &&
    (await contentOf(clean, clone, previous)) === (await contentOf(clean, clone, commit))
  ) {
    return `${prefix}${newest}`;
  }
  const ref = `${prefix}${newest + 1}`;
  await git(['update-ref', ref, commit, '0'.repeat(40)], { git_dir: clone });
  return ref;
}

/** Whether a worktree holds work that is in no commit; ignored files do not count. */
export async function hasUncommitted(
  clean: CleanGit,
  where: { readonly clone: string; readonly own: OwnWorktree },
): Promise<boolean> {
  return isDirty(await readTrees(clean, where));
}

function isDirty({ committed, staged, on_disk }: Trees): boolean {
  return on_disk !== committed || staged !== committed;
}

async function readTrees(
  clean: CleanGit,
  { clone, own }: { readonly clone: string; readonly own: OwnWorktree },
): Promise<Trees> {
  const head = (await git(['rev-parse', '--verify', 'HEAD^{commit}'], { git_dir: own.git_dir })).stdout;
  const committed = (await clean(['rev-parse', '--verify', `${head}^{tree}`], { clone })).stdout;
  // Beside the agent's index, which stays untouched; a name of its own for each process of ours.
  const index_file = join(own.git_dir, `caloron-index-${process.pid}`);
  const target: CleanTarget = { clone, worktree: own.path, index_file };
  try {
    const copied = copyIndex(join(own.git_dir, 'index'), index_file);
    const staged = copied ? await writeTree(clean, target, [0, 128]) : null;
    if (!copied) await clean(['read-tree', head], target);
    await clean(['add', '--all', '--', '.'], target);
    const on_disk = await writeTree(clean, target, [0]);
    return { head, committed, staged: copied ? staged : committed, on_disk: on_disk ?? committed };
  } finally {
    rmSync(index_file, { force: true });
    rmSync(`${index_file}.lock`, { force: true });
  }
}

function copyIndex(from: string, to: string): boolean {
  rmSync(to, { force: true });
  if (!existsSync(from)) return false;
  copyFileSync(from, to);
  return true;
}

/** Null when the index cannot be a tree: a merge is unresolved. */
async function writeTree(
  clean: CleanGit,
  target: CleanTarget,
  ok_codes: readonly number[],
): Promise<string | null> {
  const { stdout, exit_code } = await clean(['write-tree'], target, { ok_codes });
  return exit_code === 0 ? stdout : null;
}

async function commitTrees(clean: CleanGit, clone: string, trees: Trees, reason: string): Promise<Sha> {
  const { head, committed, staged, on_disk } = trees;
  const commit = async (tree: string, parents: readonly string[], what: string): Promise<Sha> => {
    const flags = parents.flatMap((parent) => ['-p', parent]);
    return (await clean(['commit-tree', ...flags, '-m', `caloron: ${what} (${reason})`, tree], { clone }))
      .stdout;
  };
  const apart = staged !== null && staged !== committed && staged !== on_disk;
  const index = apart ? [await commit(staged, [head], 'staged work')] : [];
  return commit(on_disk, [head, ...index], 'unfinished work');
}

/** Tree and first parent of a commit: what makes two snapshots the same. */
async function contentOf(clean: CleanGit, clone: string, commit: Sha): Promise<string> {
  const { stdout } = await clean(['show', '--no-patch', '--format=%T %P', commit], { clone });
  return stdout.split(' ').slice(0, 2).join(' ');
}
