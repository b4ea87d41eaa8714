import { existsSync, lstatSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { git } from '@caloron/capabilities/git';
import { type Id, Sha } from '@caloron/types';
import { z } from 'zod';

import { ShellError } from '../errors.ts';
import { type CleanGit, contains, WORKTREE_TIMEOUT_MS } from './clean-repository.ts';
import { headState, type OwnWorktree, ownWorktree } from './own-worktree.ts';
import {
  finishRemoval,
  forgetTaken,
  forgetWorktree,
  makeRemovingDir,
  removalsIn,
  takeAway,
} from './removal.ts';
import { saveDeleted, saveWip } from './wip.ts';

/** Where a worktree is to be, and whose. */
export interface WorktreePlace {
  /** Real path all worktrees stay below. */
  readonly root: string;
  readonly clone: string;
  readonly path: string;
  readonly sprint_id: Id;
  readonly task_id: Id;
}

/** A worktree an agent can be started in. */
export interface ReadyWorktree {
  readonly path: string;
  /** What is checked out. */
  readonly head_sha: Sha;
  readonly base_sha: Sha;
  /** True when an earlier agent's work was found in it. */
  readonly reused: boolean;
}

/** Written when a checkout is complete; a worktree without it was interrupted and is made anew. */
const Complete = z.object({ base_sha: Sha });

/** Locks a killed agent leaves in its worktree's directory. */
const STALE_LOCKS = ['index.lock', 'HEAD.lock', 'config.worktree.lock'];

/** What an interrupted rebase leaves behind. */
const REBASE_STATE = [
  'rebase-merge',
  'rebase-apply',
  'MERGE_MSG',
  'REBASE_HEAD',
  'CHERRY_PICK_HEAD',
  'AUTO_MERGE',
];

/** What an author's worktree should be. */
export interface AuthorWish {
  readonly branch: string;
  /** Where the branch starts unless the task's clone has it already. */
  readonly start_sha: Sha;
  /** The base the sprint's state has of this task; null before its first start was recorded. */
  readonly recorded_base: Sha | null;
  /** The base branch as the forge has it. */
  readonly forge_base: Sha;
  /** The task's branch as the forge has it; null before the first delivery. */
  readonly forge_head: Sha | null;
}

/**
 * The author's worktree: the existing one if it is ours and on the branch, its uncommitted work saved first; else a new one.
 * What others pushed onto the branch since is taken over where nothing of the agent's stands against it.
 * Throws WORKTREE_FOREIGN.
 */
export async function authorWorktree(
  clean: CleanGit,
  place: WorktreePlace,
  wish: AuthorWish,
): Promise<ReadyWorktree> {
  const own = ownWorktree(place.root, place.clone, place.path);
  const complete = readComplete(place);
  if (own !== undefined && complete !== undefined) {
    await makeReusable(clean, place, own, wish.branch);
    const head = await fastForward(clean, place, own, wish);
    const base_sha = await baseOf(clean, place, head, wish, complete.base_sha);
    return { path: place.path, head_sha: head, base_sha, reused: true };
  }
  if (own !== undefined) await discard(clean, place, own, 'incomplete worktree');
  const known = await git(['rev-parse', '--verify', '--quiet', `refs/heads/${wish.branch}^{commit}`], {
    git_dir: place.clone,
    ok_codes: [0, 1],
  });
  const from = known.exit_code === 0 ? [wish.branch] : ['-b', wish.branch, wish.start_sha];
  const head_sha = known.exit_code === 0 ? known.stdout : wish.start_sha;
  const base_sha = await baseOf(clean, place, head_sha, wish, complete?.base_sha);
  const made = await addWorktree(clean, place, from, head_sha, base_sha);
  return { path: place.path, head_sha: await fastForward(clean, place, made, wish), base_sha, reused: false };
}

/**
 * The commit work began from: what the state recorded, also where the head has lost it, for then the harness refuses to work on
 * another base without a word. Without it what lies with the worktree, if the head contains that, else where head and base branch part.
 */
async function baseOf(
  clean: CleanGit,
  { clone }: WorktreePlace,
  head: Sha,
  { recorded_base, forge_base }: AuthorWish,
  marked: Sha | undefined,
): Promise<Sha> {
  if (recorded_base !== null) return recorded_base;
  if (marked !== undefined && (await contains(clean, clone, head, marked))) return marked;
  const found = await clean(['merge-base', head, forge_base], { clone }, { ok_codes: [0, 1] });
  return found.exit_code === 0 ? found.stdout : forge_base;
}

/** Moves branch, index and files to the forge's head when that only adds commits; uncommitted work stays. Gives the head. */
async function fastForward(
  clean: CleanGit,
  place: WorktreePlace,
  own: OwnWorktree,
  { branch, forge_head }: AuthorWish,
): Promise<Sha> {
  const { stdout: head } = await git(['rev-parse', '--verify', 'HEAD^{commit}'], { git_dir: own.git_dir });
  if (forge_head === null || forge_head === head) return head;
  if (!(await contains(clean, place.clone, forge_head, head))) return head;
  const target = { clone: place.clone, worktree: own.path, index_file: join(own.git_dir, 'index') };
  await clean(['update-index', '-q', '--refresh'], target, { ok_codes: [0, 1] });
  // 128: uncommitted work stands in the way; the agent sees origin/{branch} and decides.
  const moved = await clean(['read-tree', '-m', '-u', head, forge_head], target, { ok_codes: [0, 128] });
  if (moved.exit_code !== 0) return head;
  await git(['update-ref', `refs/heads/${branch}`, forge_head, head], { git_dir: place.clone });
  return forge_head;
}

/** The reviewer's worktree, made anew and detached at `head_sha`; uncommitted work of an earlier review is saved first. */
export async function reviewWorktree(
  clean: CleanGit,
  place: WorktreePlace,
  wanted: { readonly head_sha: Sha; readonly base_sha: Sha },
): Promise<ReadyWorktree> {
  const own = ownWorktree(place.root, place.clone, place.path);
  if (own !== undefined) await discard(clean, place, own, 'before the next review');
  await addWorktree(clean, place, ['--detach', wanted.head_sha], wanted.head_sha, wanted.base_sha);
  return { path: place.path, ...wanted, reused: false };
}

/**
 * Deletes a worktree of ours; its branch, its commits and what was saved of it stay in the task's clone. It leaves its place in one
 * step: whoever dies during the rest leaves nothing that stands in the way of the next. Throws WORKTREE_FOREIGN.
 */
export async function removeWorktree(
  place: WorktreePlace,
  own = ownWorktree(place.root, place.clone, place.path),
): Promise<void> {
  const away = existsSync(place.path) ? takeAway(place.root, place.path, place) : undefined;
  rmSync(completeFile(place), { force: true });
  // Also one the agent has locked.
  if (own !== undefined) forgetWorktree(own.git_dir);
  // What cannot be deleted is no reason to fail: its place is free, and the clean-up tells of it.
  if (away !== undefined) await finishRemoval(away).catch(() => undefined);
}

/** Goes on with removals of a task's worktrees where their process died. What cannot be deleted is left to the clean-up. */
async function finishRemovals({ root, clone, sprint_id, task_id }: WorktreePlace): Promise<void> {
  for (const removal of removalsIn(root)) {
    if (removal.sprint_id !== sprint_id || removal.task_id !== task_id) continue;
    forgetTaken(clone, removal, root);
    await finishRemoval(removal.path).catch(() => undefined);
  }
}

/** Without an index nothing was ever checked out, so nothing can have been worked on. */
async function discard(
  clean: CleanGit,
  place: WorktreePlace,
  own: OwnWorktree,
  reason: string,
): Promise<void> {
  if (existsSync(join(own.git_dir, 'index'))) await saveWip(clean, { ...place, own, reason });
  await removeWorktree(place, own);
}

/** The marker lies in the clone, named after the worktree's directory. */
function completeFile({ clone, path }: WorktreePlace): string {
  return join(clone, `caloron-complete-${path.slice(dirname(path).length + 1)}.json`);
}

function readComplete(place: WorktreePlace): z.infer<typeof Complete> | undefined {
  const file = completeFile(place);
  // The agent can write here: a link or a pipe is no marker of ours.
  if (lstatSync(file, { throwIfNoEntry: false })?.isFile() !== true) return undefined;
  try {
    return Complete.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    // A half-written marker says the same as none: the checkout was interrupted.
    return undefined;
  }
}

async function addWorktree(
  clean: CleanGit,
  place: WorktreePlace,
  from: readonly string[],
  sha: Sha,
  base_sha: Sha,
): Promise<OwnWorktree> {
  const { clone, path } = place;
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  makeRemovingDir(place.root);
  await finishRemovals(place);
  // Of an earlier worktree there: it must not make this one count as complete before it is.
  rmSync(completeFile(place), { force: true });
  await saveDeleted(clean, place);
  await git(['worktree', 'prune', '--expire=now'], { git_dir: clone });
  await git(
    // Twice: who died while git made one left it locked.
    [
      'worktree',
      'add',
      '--quiet',
      '--force',
      '--force',
      '--no-checkout',
      ...addFlags(from),
      path,
      ...addTarget(from),
    ],
    {
      git_dir: clone,
      timeout_ms: WORKTREE_TIMEOUT_MS,
    },
  );
  const own = ownWorktree(place.root, clone, path);
  if (own === undefined)
    throw new ShellError('WORKTREE_FOREIGN', { worktree: path, reason: 'git did not make it' });
  // The files are written by a git that reads no configuration of the agent's: a filter of its own must not run here.
  await clean(['read-tree', '--reset', '-u', sha], {
    clone,
    worktree: path,
    index_file: join(own.git_dir, 'index'),
  });
  writeFileSync(completeFile(place), JSON.stringify({ base_sha }), { flag: 'wx' });
  return own;
}

function addFlags(from: readonly string[]): readonly string[] {
  const [flag, name] = from;
  if (flag === '-b' && name !== undefined) return ['--no-track', '-b', name];
  return flag === '--detach' ? ['--detach'] : [];
}

function addTarget(from: readonly string[]): readonly string[] {
  return from.slice(-1);
}

async function makeReusable(
  clean: CleanGit,
  place: WorktreePlace,
  own: OwnWorktree,
  branch: string,
): Promise<void> {
  for (const lock of STALE_LOCKS) rmSync(join(own.git_dir, lock), { force: true });
  const head = headState(own);
  if (head.branch === branch) {
    await saveWip(clean, { ...place, own, reason: 'before the next attempt' });
    return;
  }
  if (head.rebasing !== branch) {
    const where = head.branch === null ? 'on no branch' : `on branch ${head.branch}`;
    throw new ShellError('WORKTREE_FOREIGN', {
      worktree: own.path,
      reason: `it is ${where}, expected ${branch}`,
    });
  }
  await saveWip(clean, { ...place, own, reason: 'interrupted rebase' });
  await backToBranch(clean, place, own, branch);
}

/** Ends an interrupted rebase as `rebase --abort` does, without running the agent's configuration. */
async function backToBranch(
  clean: CleanGit,
  place: WorktreePlace,
  own: OwnWorktree,
  branch: string,
): Promise<void> {
  await git(['symbolic-ref', 'HEAD', `refs/heads/${branch}`], { git_dir: own.git_dir });
  for (const name of REBASE_STATE) rmSync(join(own.git_dir, name), { recursive: true, force: true });
  const { stdout: sha } = await git(['rev-parse', '--verify', 'HEAD^{commit}'], { git_dir: own.git_dir });
  const index_file = join(own.git_dir, 'index');
  await clean(['read-tree', '--reset', '-u', sha], { clone: place.clone, worktree: own.path, index_file });
}
