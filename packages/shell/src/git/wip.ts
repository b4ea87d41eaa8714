import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import type { Id, Sha } from '@caloron/types';

import { type CleanGit, endedBy, type Patience } from './clean-repository.ts';
import { accountOf } from './inside.ts';
import { headState, type OwnWorktree } from './own-worktree.ts';
import { assertOwnRefs, refsBelow } from './refs.ts';
import { isDirty, presentCommits, readTrees, shasIn, type Trees } from './trees.ts';

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
  /** As long as it takes when absent. */
  readonly patience?: Patience | undefined;
}

/** A ref whose number another process took in the meantime, or whose lock a crash left, is no reason to save nothing. */
const REF_ATTEMPTS = 5;

/** Numbers an agent's own refs can hardly reach. */
const MAX_NUMBER = 1_000_000_000;

/** What an interrupted rebase or merge had put aside, by the file that names its commit. */
const PUT_ASIDE = ['rebase-merge/autostash', 'rebase-apply/autostash', 'MERGE_AUTOSTASH'];

/** What tells that a command of git's is under way: directory or file → its name. */
const UNDER_WAY = new Map([
  ['rebase-merge', 'a rebase'],
  ['rebase-apply', 'a rebase'],
  ['MERGE_HEAD', 'a merge'],
  ['CHERRY_PICK_HEAD', 'a cherry-pick'],
  ['REVERT_HEAD', 'a revert'],
  ['sequencer', 'a series of picks'],
]);

/**
 * Saves index, tree and untracked files of a worktree as a commit on its head under the next wip ref; branch, index and files
 * stay as they are. The second parent is the staged state where it differs from both, or the sides of an unresolved merge;
 * its further parents are commits of repositories inside, of which its message tells, and of the other side of a merge. What a rebase had put aside has a
 * ref of its own, and so has a head that is on no branch. Ignored files are not saved.
 * Gives null when there is nothing to save, and the newest ref again when it holds the same. Where `patience` ends among repositories
 * inside, all else is saved and what is left out told. Throws GIT_FAILED, GIT_ABORTED.
 */
export async function saveWip(unbound: CleanGit, request: WipRequest): Promise<string | null> {
  const { clone, own, patience } = request;
  const clean = endedBy(unbound, patience?.signal);
  assertOwnRefs(clone);
  const aside = PUT_ASIDE.flatMap((name) => shasIn(join(own.git_dir, name)));
  for (const commit of await presentCommits(clean, clone, aside)) await keep(clean, request, commit);
  const trees = await readTrees(clean, request, patience);
  if (isDirty(trees)) return keep(clean, request, await commitTrees(clean, clone, trees, request.reason));
  const alone = trees.head !== null && !(await isOnRef(clean, request, trees.head));
  return alone && trees.head !== null ? keep(clean, request, trees.head) : null;
}

/** Whether a worktree holds work that is in no commit; ignored files do not count. */
export async function hasUncommitted(
  clean: CleanGit,
  where: { readonly clone: string; readonly own: OwnWorktree },
): Promise<boolean> {
  return isDirty(await readTrees(clean, where));
}

/** What git was doing in a worktree when it was left, e.g. `a rebase`; null when nothing. */
export function underWay({ git_dir }: OwnWorktree): string | null {
  return [...UNDER_WAY].find(([name]) => existsSync(join(git_dir, name)))?.[1] ?? null;
}

/** Saves what worktrees of a clone had staged or committed on no branch whose directories were deleted: git forgets them. */
export async function saveDeleted(
  clean: CleanGit,
  request: Omit<WipRequest, 'own' | 'reason'>,
): Promise<void> {
  const admin = join(request.clone, 'worktrees');
  if (!existsSync(admin)) return;
  for (const entry of readdirSync(admin, { withFileTypes: true })) {
    const git_dir = join(admin, entry.name);
    const link = join(git_dir, 'gitdir');
    if (!entry.isDirectory() || lstatSync(link, { throwIfNoEntry: false })?.isFile() !== true) continue;
    const path = dirname(readFileSync(link, 'utf8').trim());
    // Without an index nothing was ever checked out.
    if (existsSync(path) || !existsSync(join(git_dir, 'index'))) continue;
    await saveWip(clean, { ...request, own: { path, git_dir }, reason: 'its directory was deleted' });
  }
}

/** Whether a ref that stays leads to a worktree's head. */
async function isOnRef(clean: CleanGit, { clone, own }: WipRequest, head: Sha): Promise<boolean> {
  if (headState(own).branch !== null) return true;
  const asked = ['for-each-ref', '--count=1', '--format=%(refname)', '--contains', head];
  return (await clean.plain(asked, { git_dir: clone })).stdout !== '';
}

/** Puts a commit under the next ref of its task; gives the newest ref when that holds the same. */
async function keep(
  clean: CleanGit,
  { clone, sprint_id, task_id }: WipRequest,
  commit: Sha,
): Promise<string> {
  const prefix = wipPrefix(sprint_id, task_id);
  const kept = await refsBelow(clone, prefix, clean.plain);
  const numbers = [...kept.keys()].map(Number).filter((n) => Number.isSafeInteger(n) && n < MAX_NUMBER);
  const newest = Math.max(0, ...numbers);
  const same = [...kept].find(([, sha]) => sha === commit);
  if (same !== undefined) return `${prefix}${same[0]}`;
  const previous = kept.get(String(newest));
  if (
    previous !== undefined &&
    (await contentOf(clean, clone, previous)) === (await contentOf(clean, clone, commit))
  )
    return `${prefix}${newest}`;
  for (let next = newest + 1; ; next += 1) {
    const ref = `${prefix}${next}`;
    const last = next === newest + REF_ATTEMPTS;
    const args = ['update-ref', ref, commit, '0'.repeat(40)];
    const made = await clean.plain(args, { git_dir: clone, ok_codes: last ? [0] : [0, 128] });
    if (made.exit_code === 0) return ref;
  }
}

async function commitTrees(clean: CleanGit, clone: string, trees: Trees, reason: string): Promise<Sha> {
  const { head, committed, staged, conflict, on_disk, beside, inside } = trees;
  const commit = async (tree: string, parents: readonly string[], what: string, more = ''): Promise<Sha> => {
    const flags = [...new Set(parents)].flatMap((parent) => ['-p', parent]);
    const stdin = `caloron: ${what} (${reason})\n\n${more}\n`;
    return (await clean(['commit-tree', ...flags, '-F', '-', tree], { clone }, { stdin })).stdout;
  };
  const first = head === null ? [] : [head];
  const apart = staged !== null && staged !== committed && staged !== on_disk;
  const needed = apart || conflict !== null || beside.length > 0 || inside.length > 0;
  if (!needed) return commit(on_disk, first, 'unfinished work');
  const what = conflict === null ? 'staged work' : 'unresolved merge';
  const second = await commit(
    conflict ?? staged ?? committed,
    [...first, ...beside],
    what,
    accountOf(inside),
  );
  return commit(on_disk, [...first, second], 'unfinished work');
}

/** What makes two snapshots the same: tree and first parent, and of a second parent the same. */
async function contentOf(clean: CleanGit, clone: string, commit: Sha): Promise<string> {
  const of = async (sha: Sha): Promise<readonly string[]> =>
    (await clean(['show', '--no-patch', '--format=%T %P', sha], { clone })).stdout.split(' ');
  const [tree, first = '', second] = await of(commit);
  return [tree, first, ...(second === undefined ? [] : await of(second))].join(' ');
}
