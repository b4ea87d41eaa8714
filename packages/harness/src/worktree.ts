import { copyFile, lstat, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';

import { git } from '@caloron/capabilities/git';

import { HarnessError } from './errors.ts';

/** Name and address of a commit. */
export interface Author {
  readonly name: string;
  readonly email: string;
}

/** The commit a worktree is at. Reads refs, no objects: a missing object would be fetched as the agent's config says. */
export async function headOf(worktree: string): Promise<string> {
  return (await git(['rev-parse', '--verify', 'HEAD'], { cwd: worktree })).stdout.trim();
}

/** The branch a worktree is on; null when it is on none. */
export async function currentBranch(worktree: string): Promise<string | null> {
  const found = await git(['symbolic-ref', '-q', '--short', 'HEAD'], { cwd: worktree, ok_codes: [0, 1] });
  return found.exit_code === 0 ? found.stdout.trim() : null;
}

/** The commit a ref names; null without it. */
export async function commitOf(worktree: string, ref: string): Promise<string | null> {
  const found = await git(['rev-parse', '-q', '--verify', ref], {
    cwd: worktree,
    ok_codes: [0, 1, 128],
  });
  return found.exit_code === 0 ? found.stdout.trim() : null;
}

/** Which repository a worktree belongs to, as git finds it. */
export async function repositoryOf(worktree: string): Promise<string> {
  const args = ['rev-parse', '--path-format=absolute', '--git-dir', '--git-common-dir'];
  return (await git(args, { cwd: worktree })).stdout;
}

/** Refuses a worktree whose `.git` was turned to another repository meanwhile: that one's files are not for delivery. Throws HARNESS_REPOSITORY_CHANGED. */
export async function assertRepository(worktree: string, repository: string): Promise<void> {
  if ((await repositoryOf(worktree)) === repository) return;
  throw new HarnessError('HARNESS_REPOSITORY_CHANGED', { worktree });
}

/** Where a worktree's objects are. */
export async function objectsOf(worktree: string): Promise<string> {
  return (await placesOf(worktree)).objects;
}

/** Refuses a worktree that is on another branch (HARNESS_BRANCH_UNEXPECTED) or has unresolved conflicts (HARNESS_CONFLICTS). */
export async function assertOnBranch(worktree: string, branch: string): Promise<void> {
  const found = await currentBranch(worktree);
  if (found !== branch) {
    const shown = found ?? `no branch (${(await headOf(worktree)).slice(0, 12)})`;
    throw new HarnessError('HARNESS_BRANCH_UNEXPECTED', { expected: branch, found: shown });
  }
  const unmerged = await git(['ls-files', '--unmerged', '-z'], { cwd: worktree });
  const paths = unmerged.stdout.split('\0').flatMap((entry) => entry.split('\t').slice(1));
  if (paths.length > 0) throw new HarnessError('HARNESS_CONFLICTS', { paths: [...new Set(paths)] });
}

/**
 * Commits everything in the worktree that is not ignored; gives the new commit, or null when there is nothing to commit.
 *
 * The agent owns its repository's config, and `git add` would run the filters named there outside the agent's sandbox. So
 * the tree is made by a git whose own directory is empty: only objects, index and branch are the agent's.
 */
export async function commitAll(
  worktree: string,
  message: string,
  author: Author,
  signal?: AbortSignal,
): Promise<string | null> {
  const parent = await headOf(worktree);
  const places = await placesOf(worktree);
  const scratch = await mkdtemp(join(tmpdir(), 'caloron-commit-'));
  try {
    const own = join(scratch, 'empty.git');
    const index_file = join(scratch, 'index');
    await git(['init', '-q', '--bare', own], { cwd: scratch });
    const clean = {
      cwd: worktree,
      git_dir: own,
      work_tree: worktree,
      index_file,
      env: { GIT_OBJECT_DIRECTORY: places.objects, GIT_NO_REPLACE_OBJECTS: '1' },
      signal,
    };
    if (await exists(places.index)) await copyFile(places.index, index_file);
    else await git(['read-tree', parent], clean);
    await git(['add', '--all', '.'], clean);
    const tree = (await git(['write-tree'], clean)).stdout.trim();
    const before = (await git(['rev-parse', `${parent}^{tree}`], clean)).stdout.trim();
    const merged = await commitOf(worktree, 'MERGE_HEAD');
    if (tree === before && merged === null) return null;

    const parents = [parent, ...(merged === null ? [] : [merged])].flatMap((sha) => ['-p', sha]);
    const made = await git(['commit-tree', tree, ...parents], { ...clean, author, stdin: message });
    const commit = made.stdout.trim();
    await copyFile(index_file, `${places.index}.caloron`);
    await git(['update-ref', '-m', 'commit by the harness', 'HEAD', commit, parent], {
      cwd: worktree,
      author,
    });
    await rename(`${places.index}.caloron`, places.index);
    if (merged !== null) await Promise.all(places.merge.map(async (file) => rm(file, { force: true })));
    return commit;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Moves branch, index and files of a worktree that has nothing uncommitted to another commit; no filter or hook of the agent's runs. */
export async function moveHead(
  worktree: string,
  move: {
    readonly from: string;
    readonly to: string;
    readonly author: Author;
    readonly signal?: AbortSignal;
  },
): Promise<void> {
  const places = await placesOf(worktree);
  const scratch = await mkdtemp(join(tmpdir(), 'caloron-move-'));
  try {
    const own = join(scratch, 'empty.git');
    const index_file = join(scratch, 'index');
    await git(['init', '-q', '--bare', own], { cwd: scratch });
    const env = { GIT_OBJECT_DIRECTORY: places.objects, GIT_NO_REPLACE_OBJECTS: '1' };
    const clean = { cwd: worktree, git_dir: own, work_tree: worktree, index_file, env, signal: move.signal };
    await copyFile(places.index, index_file);
    await git(['update-index', '-q', '--refresh'], { ...clean, ok_codes: [0, 1] });
    await git(['read-tree', '-m', '-u', move.from, move.to], clean);
    await copyFile(index_file, `${places.index}.caloron`);
    const told = { cwd: worktree, author: move.author };
    await git(['update-ref', '-m', 'rebase by the harness', 'HEAD', move.to, move.from], told);
    await rename(`${places.index}.caloron`, places.index);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** The state of a worktree as one string: commit, changed and new files with their sizes and times. Equal strings: no progress. */
export async function lookAt(worktree: string): Promise<string> {
  const head = await headOf(worktree);
  const places = await placesOf(worktree);
  const scratch = await mkdtemp(join(tmpdir(), 'caloron-look-'));
  try {
    await git(['init', '-q', '--bare', scratch], { cwd: scratch });
    const listed = await git(
      ['ls-files', '-z', '--modified', '--others', '--directory', '--exclude-standard'],
      {
        cwd: worktree,
        git_dir: scratch,
        work_tree: worktree,
        index_file: places.index,
        env: { GIT_OBJECT_DIRECTORY: places.objects },
      },
    );
    const names = listed.stdout.split('\0').filter((name) => name !== '');
    const states = await Promise.all(
      names.slice(0, FILES_LOOKED_AT).map(async (name) => stateOf(worktree, name)),
    );
    return [head, String(names.length), ...states].join('\n');
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Changed files whose size and time are looked at; beyond that their number tells. */
const FILES_LOOKED_AT = 500;

async function stateOf(worktree: string, name: string): Promise<string> {
  const found = await lstat(join(worktree, name)).catch(() => undefined);
  return `${name} ${found?.size ?? 'gone'} ${found?.mtimeMs ?? ''}`;
}

interface Places {
  readonly objects: string;
  readonly index: string;
  /** Files that say a merge is going on. */
  readonly merge: readonly string[];
}

async function placesOf(worktree: string): Promise<Places> {
  const names = ['objects', 'index', 'MERGE_HEAD', 'MERGE_MSG', 'MERGE_MODE'];
  const args = names.flatMap((name) => ['--git-path', name]);
  const found = await git(['rev-parse', ...args], { cwd: worktree });
  const [objects = '', index = '', ...merge] = found.stdout
    .split('\n')
    .map((path) => (isAbsolute(path) ? path : resolve(worktree, path)));
  return { objects, index, merge };
}

async function exists(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined)) !== undefined;
}
