import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { git, type GitOptions } from '@caloron/capabilities/git';
import type { Id, Sha } from '@caloron/types';

import { ShellError } from '../errors.ts';
import type { ShellPaths } from '../paths.ts';
import { type CleanGit, initBare, WORKTREE_TIMEOUT_MS } from './clean-repository.ts';
import { isBelow } from './confined.ts';
import type { Inside } from './inside.ts';
import { headState, ownWorktree } from './own-worktree.ts';
import { restoreInside, type Take } from './restore-inside.ts';
import { hasUncommitted, underWay } from './wip.ts';

/** Saved work as far as it can be put back. */
export interface Restorable {
  readonly ref: string;
  readonly sprint_id: Id;
  readonly task_id: Id;
  readonly clone: string;
  readonly commit: Sha;
  /** What was checked out when it was saved; null on a branch without a commit. */
  readonly head: Sha | null;
  /** The commit whose tree was staged; null when nothing was staged apart. */
  readonly staged: Sha | null;
  /** Repositories inside, whose files are among the others. */
  readonly inside: readonly Inside[];
}

interface Done {
  readonly dir: string;
  readonly branch: string | null;
  readonly head: Sha | null;
  readonly inside: readonly string[];
}

const FETCH = ['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--no-recurse-submodules'];
const AUTHOR = { name: 'caloron', email: 'caloron@localhost' };

/** Whether a merge of `first` and a commit with these parents is what `git stash` makes. */
export function isStash(first: string | undefined, parents: string): boolean {
  return first !== undefined && parents === first;
}

/** Puts saved work into a new or empty directory, or into a clean repository that is at its head. Throws WIP_TARGET_DIRTY, WIP_TARGET_UNFIT. */
export async function restoreInto(paths: ShellPaths, work: Restorable, asked: string): Promise<Done> {
  const dir = resolve(asked);
  const real = existsSync(dir) ? realpathSync(dir) : dir;
  // What agents configured there must not run for who restores.
  if (isBelow(paths.root, real)) throw unfit(dir, `it lies in ${paths.root}, which agents write to`);
  const empty = !existsSync(dir) || (isFolder(dir) && readdirSync(dir).length === 0);
  if (!empty) return restoreRepository(work, real);
  const made = mkdirSync(dir, { recursive: true });
  try {
    return await restoreNew(work, realpathSync(dir));
  } catch (error) {
    // It was empty before: half of the work there would look like all of it.
    rmSync(made ?? join(dir, '.git'), { recursive: true, force: true });
    throw error;
  }
}

async function restoreNew(work: Restorable, dir: string): Promise<Done> {
  const { commit, head, sprint_id, task_id } = work;
  const branch = `caloron/${sprint_id}/${task_id}`;
  await git(['init', '--quiet', '--template=', dir], {});
  await git(['symbolic-ref', 'HEAD', `refs/heads/${branch}`], { cwd: dir });
  await take(work, dir, commit, `+refs/heads/kept:${work.ref}`);
  if (head !== null) await git(['update-ref', `refs/heads/${branch}`, head], { cwd: dir });
  await git(['read-tree', '--reset', '-u', commit], { cwd: dir, timeout_ms: WORKTREE_TIMEOUT_MS });
  await stage(work, (args, ok_codes) => git(args, { cwd: dir, ok_codes }));
  return { dir, branch, head, inside: await restoreInside(work.inside, dir, takeFrom(work)) };
}

async function restoreRepository(work: Restorable, dir: string): Promise<Done> {
  const ask = (args: readonly string[], ok_codes?: readonly number[]) => git(args, { cwd: dir, ok_codes });
  const top = isFolder(dir) ? await ask(['rev-parse', '--show-toplevel'], [0, 128]) : undefined;
  if (top === undefined || top.exit_code !== 0 || realpathSync(top.stdout) !== dir)
    throw unfit(dir, 'it is neither empty nor a git repository');
  const { stdout: status } = await ask(['status', '--porcelain', '--ignore-submodules=none']);
  if (status !== '') throw new ShellError('WIP_TARGET_DIRTY', { target: dir });
  const { stdout: git_dir } = await ask(['rev-parse', '--absolute-git-dir']);
  refuseUnderWay({ path: dir, git_dir });
  const at = await ask(['rev-parse', '--verify', '--quiet', 'HEAD^{commit}'], [0, 1]);
  const head = sameHead(work, dir, at.stdout);
  await take(work, dir, work.commit, `+refs/heads/kept:${work.ref}`);
  await putBack(work, dir, head, ask);
  const inside = await restoreInside(work.inside, dir, takeFrom(work));
  return { dir, branch: headState({ path: dir, git_dir }).branch, head, inside };
}

/** Makes a branch of saved work, as one commit on its head. Throws WIP_TARGET_UNFIT. */
export async function restoreBranch(
  clean: CleanGit,
  work: Restorable,
  asked: string,
  branch: string,
): Promise<Done> {
  const dir = resolve(asked);
  const ask = (args: readonly string[], ok_codes?: readonly number[]) => git(args, { cwd: dir, ok_codes });
  const top = await ask(['rev-parse', '--absolute-git-dir'], [0, 128]);
  if (top.exit_code !== 0) throw unfit(dir, 'it is in no git repository');
  const named = await ask(['check-ref-format', '--branch', branch], [0, 1, 128]);
  if (named.exit_code !== 0) throw unfit(dir, `${JSON.stringify(branch)} is no name for a branch`);
  const known = await ask(['rev-parse', '--verify', '--quiet', `refs/heads/${branch}`], [0, 1]);
  if (known.exit_code === 0) throw unfit(dir, `it has a branch ${branch}, which stays as it is`);
  const commit = work.head === work.commit ? work.commit : await flat(clean, work);
  await take(work, dir, commit, `refs/heads/kept:refs/heads/${branch}`);
  return { dir, branch, head: commit, inside: [] };
}

/** The files of saved work as one plain commit: what was staged beside them is no part of a branch. */
async function flat(clean: CleanGit, { clone, commit, head, ref }: Restorable): Promise<Sha> {
  const parents = head === null ? [] : ['-p', head];
  const message = `Unfinished work of ${ref.split('/').slice(3).join('/')}`;
  return (await clean(['commit-tree', ...parents, '-m', message, `${commit}^{tree}`], { clone })).stdout;
}

/** Puts saved work into its task's own worktree. Throws WIP_TARGET_DIRTY, WIP_TARGET_UNFIT, WORKTREE_FOREIGN. */
export async function restoreWorktree(
  clean: CleanGit,
  paths: ShellPaths,
  work: Restorable,
  path: string,
): Promise<Done> {
  const { clone } = work;
  const own = ownWorktree(paths.worktrees, clone, path);
  if (own === undefined) throw unfit(path, 'it is gone');
  refuseUnderWay(own);
  if (await hasUncommitted(clean, { clone, own })) throw new ShellError('WIP_TARGET_DIRTY', { target: path });
  const at = await git(['rev-parse', '--verify', '--quiet', 'HEAD^{commit}'], {
    git_dir: own.git_dir,
    ok_codes: [0, 1],
  });
  const head = sameHead(work, path, at.stdout);
  const target = { clone, worktree: own.path, index_file: join(own.git_dir, 'index') };
  await putBack(work, path, head, (args, ok_codes) => clean(args, target, ok_codes && { ok_codes }));
  const inside = await restoreInside(work.inside, path, takeFrom(work));
  return { dir: path, branch: headState(own).branch, head, inside };
}

type Ask = (args: readonly string[], ok_codes?: readonly number[]) => ReturnType<typeof git>;

/** Moves files from `head` to the saved ones, the index to what was staged. A file that stands in the way is left, and all else too. */
async function putBack(work: Restorable, dir: string, head: Sha, ask: Ask): Promise<void> {
  await ask(['update-index', '-q', '--refresh'], [0, 1]);
  const moved = await ask(['read-tree', '-m', '-u', head, work.commit], [0, 128]);
  if (moved.exit_code !== 0) throw unfit(dir, moved.stderr.trim().replace(/^(?:error|fatal): /, ''));
  await stage(work, ask);
}

async function stage({ staged, head }: Restorable, ask: Ask): Promise<void> {
  const tree = staged ?? head;
  await ask(tree === null ? ['read-tree', '--empty'] : ['read-tree', tree]);
  await ask(['update-index', '-q', '--refresh'], [0, 1]);
}

/** Copies a commit and its history into a repository. */
async function take(work: Restorable, cwd: string, commit: Sha, refspec: string): Promise<void> {
  await fetchByStation(work, cwd, new Map([['refs/heads/kept', commit]]), [refspec]);
}

function takeFrom(work: Restorable): Take {
  return (cwd, commits) => {
    const refs = new Map(commits.map(({ sha }) => [`refs/heads/${sha}`, sha]));
    const refspecs = commits.map(({ sha, ref }) => `refs/heads/${sha}:${ref}`);
    return fetchByStation(work, cwd, refs, refspecs);
  };
}

/** Fetches by way of a repository that has no configuration of an agent's. */
async function fetchByStation(
  { clone }: Restorable,
  cwd: string,
  refs: ReadonlyMap<string, Sha>,
  refspecs: readonly string[],
): Promise<void> {
  const station = mkdtempSync(join(tmpdir(), 'caloron-wip-'));
  const options: GitOptions = { cwd, timeout_ms: WORKTREE_TIMEOUT_MS };
  try {
    await initBare(station);
    mkdirSync(join(station, 'objects', 'info'), { recursive: true });
    writeFileSync(join(station, 'objects', 'info', 'alternates'), `${join(clone, 'objects')}\n`);
    const lines = [...refs].map(([ref, sha]) => `update ${ref} ${sha}\n`).join('');
    await git(['update-ref', '--stdin'], { git_dir: station, author: AUTHOR, stdin: lines });
    await git([...FETCH, '--stdin', station], { ...options, stdin: `${refspecs.join('\n')}\n` });
  } finally {
    rmSync(station, { recursive: true, force: true });
  }
}

function refuseUnderWay(own: { readonly path: string; readonly git_dir: string }): void {
  const doing = underWay(own);
  if (doing !== null) throw unfit(own.path, `it is in the middle of ${doing}`);
}

function sameHead({ head }: Restorable, dir: string, at: string): Sha {
  if (head !== null && head === at) return head;
  const there = at === '' ? 'has no commit yet' : `is at ${at.slice(0, 12)}`;
  throw unfit(dir, `it ${there}, the work was saved on ${head === null ? 'no commit' : head.slice(0, 12)}`);
}

function isFolder(path: string): boolean {
  try {
    readdirSync(path);
    return true;
  } catch {
    return false;
  }
}

function unfit(target: string, reason: string): ShellError {
  return new ShellError('WIP_TARGET_UNFIT', { target, reason });
}
