import { copyFileSync, existsSync, lstatSync, readFileSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';

import type { Sha } from '@caloron/types';

import type { CleanGit, CleanTarget, Patience } from './clean-repository.ts';
import { addFiles, type Entry } from './nested.ts';
import { type Inside, tipsOf } from './inside.ts';
import type { OwnWorktree } from './own-worktree.ts';

/** What a worktree holds: committed, staged and on disk. */
export interface Trees {
  /** Null on a branch that has no commit yet. */
  readonly head: Sha | null;
  readonly committed: string;
  /** Null when no tree can be made of the index: a merge is unresolved, or it names objects that are gone. */
  readonly staged: string | null;
  /** The index of an unresolved merge: `base/`, `ours/`, `theirs/` of what conflicts, `index/` of all else. */
  readonly conflict: string | null;
  /** What lies there; where the directory is gone, what was staged. */
  readonly on_disk: string;
  /** Commits that would otherwise be lost: those of repositories inside, the other side of a merge. */
  readonly beside: readonly Sha[];
  /** Repositories inside that have more than their files show. */
  readonly inside: readonly Inside[];
  /** Whether one of them has commits that are nowhere else. */
  readonly own_inside: boolean;
}

/** Commits an interrupted command is about, by the file that names them. */
const HEADS = ['MERGE_HEAD', 'CHERRY_PICK_HEAD', 'REVERT_HEAD', 'REBASE_HEAD'];

/** Stages of an unresolved path, as git numbers them. */
const STAGES = ['index', 'base', 'ours', 'theirs'];

/** Whether a worktree holds work that is in no commit; ignored files do not count. */
export function isDirty({ committed, staged, on_disk, own_inside }: Trees): boolean {
  return on_disk !== committed || staged !== committed || own_inside;
}

/**
 * Reads index and files of a worktree into the clone's objects; branch, index and files stay as they are.
 * Throws GIT_FAILED where something cannot be read or written.
 */
export async function readTrees(
  clean: CleanGit,
  { clone, own }: { readonly clone: string; readonly own: OwnWorktree },
  patience?: Patience,
): Promise<Trees> {
  const head = await headOf(clean, own);
  const asked = head === null ? ['mktree'] : ['rev-parse', '--verify', `${head}^{tree}`];
  const committed = (await clean(asked, { clone }, { stdin: '' })).stdout;
  // Beside the agent's index, which stays untouched; a name of its own for each process of ours.
  const index_file = join(own.git_dir, `caloron-index-${process.pid}`);
  const there = existsSync(own.path);
  const target: CleanTarget = { clone, index_file, ...(there && { worktree: own.path }) };
  dropIndex(index_file);
  try {
    const copied = copyIndex(join(own.git_dir, 'index'), index_file);
    const read = copied ? await readIndex(clean, target, own) : { entries: null, staged: committed };
    const { staged } = read;
    const conflict = await conflictTree(clean, target, read.entries ?? []);
    const beside = await interruptedHeads(clean, clone, own);
    const common = { head, committed, staged, conflict };
    if (!there) return { ...common, on_disk: staged ?? committed, beside, inside: [], own_inside: false };
    if (read.entries === null) {
      dropIndex(index_file);
      if (head !== null) await clean(['read-tree', head], target);
    }
    const entries = read.entries ?? (await listIndex(clean, target)) ?? [];
    await unmark(clean, target, own.path, entries);
    const {
      tree,
      inside,
      own: own_inside,
    } = await addFiles(clean, { clone, index_file, path: own.path, within: own.path, patience }, entries);
    const tips = inside.filter(({ missing }) => missing === null).flatMap(tipsOf);
    return { ...common, on_disk: tree, beside: [...beside, ...tips], inside, own_inside };
  } finally {
    dropIndex(index_file);
  }
}

/** The commit HEAD of a worktree names; null on a branch that has none yet. */
async function headOf(clean: CleanGit, { git_dir }: OwnWorktree): Promise<Sha | null> {
  const found = await clean.plain(['rev-parse', '--verify', '--quiet', 'HEAD^{commit}'], {
    git_dir,
    ok_codes: [0, 1],
  });
  return found.exit_code === 0 ? found.stdout : null;
}

/** What a crash left under a name of ours would stand in the way of git. */
function dropIndex(index_file: string): void {
  for (const file of [index_file, `${index_file}.lock`]) rmSync(file, { force: true });
}

/** git tells a change made right after `add` only by the index being no newer than the file: so the copy is as old. */
function copyIndex(from: string, to: string): boolean {
  if (!existsSync(from)) return false;
  copyFileSync(from, to);
  const second = Math.floor(statSync(from).mtimeMs / 1000);
  utimesSync(to, second, second);
  return true;
}

/** Entries of the copied index and its tree; no entries when it is broken, or split so that only its own repository can read it. */
async function readIndex(
  clean: CleanGit,
  target: CleanTarget,
  own: OwnWorktree,
): Promise<{ readonly entries: readonly Entry[] | null; readonly staged: string | null }> {
  const entries = await listIndex(clean, target);
  if (entries?.some(({ stage }) => stage > 0) === true) return { entries, staged: null };
  if (entries !== null) {
    const made = await clean(['write-tree'], target, { ok_codes: [0, 128] });
    if (made.exit_code === 0) return { entries, staged: made.stdout };
    // Objects that are gone are no reason to keep nothing; a disk that is full is one to stop here.
    await clean(['write-tree', '--missing-ok'], target);
    return { entries: null, staged: null };
  }
  const { git_dir } = own;
  const split = await clean.plain(['write-tree'], {
    git_dir,
    index_file: target.index_file,
    ok_codes: [0, 128],
  });
  return { entries: null, staged: split.exit_code === 0 ? split.stdout : null };
}

/** Null when the index cannot be read. */
async function listIndex(clean: CleanGit, target: CleanTarget): Promise<readonly Entry[] | null> {
  const { stdout, exit_code } = await clean(['ls-files', '-v', '-s', '-z'], target, { ok_codes: [0, 128] });
  if (exit_code !== 0) return null;
  return stdout.split('\0').flatMap((line) => {
    const [, tag = '', mode = '', sha = '', stage = '0', path = ''] =
      /^(.) (\d+) ([0-9a-f]+) (\d)\t([^]*)$/.exec(line) ?? [];
    return path === '' ? [] : [{ tag, mode, sha, stage: Number(stage), path }];
  });
}

/** Marks that tell git not to look at a file: an agent that set them has changed the file all the same. */
async function unmark(
  clean: CleanGit,
  target: CleanTarget,
  dir: string,
  entries: readonly Entry[],
): Promise<void> {
  const marks = [
    ['--no-assume-unchanged', entries.filter(({ tag }) => tag !== tag.toUpperCase())],
    [
      '--no-skip-worktree',
      // One that a sparse checkout left out is no deleted file.
      entries.filter(({ tag, path }) => tag.toUpperCase() === 'S' && isThere(join(dir, path))),
    ],
  ] as const;
  for (const [flag, marked] of marks) {
    if (marked.length === 0) continue;
    const stdin = marked.map(({ path }) => `${path}\0`).join('');
    await clean(['update-index', flag, '-z', '--stdin'], target, { stdin });
  }
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

async function conflictTree(
  clean: CleanGit,
  { clone, index_file = '' }: CleanTarget,
  entries: readonly Entry[],
): Promise<string | null> {
  if (entries.every(({ stage }) => stage === 0)) return null;
  const sides = `${index_file}-sides`;
  dropIndex(sides);
  try {
    const lines = entries.map(
      ({ mode, sha, stage, path }) => `${mode} ${sha}\t${STAGES[stage] ?? 'index'}/${path}\0`,
    );
    const target = { clone, index_file: sides };
    await clean(['update-index', '-z', '--index-info'], target, { stdin: lines.join('') });
    return (await clean(['write-tree'], target)).stdout;
  } finally {
    dropIndex(sides);
  }
}

async function interruptedHeads(
  clean: CleanGit,
  clone: string,
  { git_dir }: OwnWorktree,
): Promise<readonly Sha[]> {
  const named = HEADS.flatMap((name) => shasIn(join(git_dir, name)));
  return presentCommits(clean, clone, named);
}

/** Commit ids a file of git's lists, one a line. */
export function shasIn(file: string): readonly Sha[] {
  if (lstatSync(file, { throwIfNoEntry: false })?.isFile() !== true) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => /^[0-9a-f]{40}$/.test(line));
}

/** Those of the ids that are commits of the clone, each once. */
export async function presentCommits(
  clean: CleanGit,
  clone: string,
  shas: readonly Sha[],
): Promise<readonly Sha[]> {
  const found: Sha[] = [];
  for (const sha of new Set(shas)) {
    const asked = await clean(['cat-file', '-e', `${sha}^{commit}`], { clone }, { ok_codes: [0, 1, 128] });
    if (asked.exit_code === 0) found.push(sha);
  }
  return found;
}
