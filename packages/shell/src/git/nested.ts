import { existsSync, lstatSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';

import type { Sha } from '@caloron/types';

import { type CleanGit, type CleanTarget, endedBy, type Patience } from './clean-repository.ts';
import { isBelow } from './confined.ts';
import { type Inside, lookInside, takeInside } from './inside.ts';

/** One line of an index. */
export interface Entry {
  /** As `git ls-files -v` prints it: lower case is assumed unchanged, `S` is skipped. */
  readonly tag: string;
  readonly mode: string;
  readonly sha: string;
  /** 0, or the side of an unresolved merge: 1 base, 2 ours, 3 theirs. */
  readonly stage: number;
  readonly path: string;
}

/** Files to read, and the index they are added to. */
export interface FilesToAdd {
  readonly clone: string;
  readonly index_file: string;
  readonly path: string;
  /** The worktree all lies in: a repository inside whose own directory lies elsewhere but in the clone is read as files only. */
  readonly within: string;
  /** As long as it takes when absent. */
  readonly patience?: Patience | undefined;
}

/** The tree of the files, and repositories inside that have more than it shows: their commits are in the clone now. */
interface Added {
  readonly tree: string;
  readonly inside: readonly Inside[];
  /** Whether one of those has commits that are nowhere else. */
  readonly own: boolean;
}

const GITLINK = '160000';

/** Repositories inside repositories inside …: deeper ones are read as far as git does, by their commit. */
const MAX_DEPTH = 8;

/** From so many new files on, one pack is faster than an object file each: four times for 10,000, measured. */
const MANY_FILES = 500;

/** Every file counts as big, and big ones go to a pack; fewer would leave a pack for each small snapshot. */
const IN_ONE_PACK = ['-c', 'core.bigFileThreshold=1'];

/**
 * Adds every file that is not ignored to an index and gives its tree. git would record a repository inside (a submodule, a clone)
 * by its commit alone: where that says less than what lies there, its files are taken instead. Throws GIT_FAILED.
 */
export async function addFiles(
  clean: CleanGit,
  files: FilesToAdd,
  entries: readonly Entry[],
  depth = 0,
): Promise<Added> {
  const { clone, index_file, path } = files;
  const target: CleanTarget = { clone, index_file, worktree: path };
  const { inside, others } = await lookAround(clean, target, path, depth < MAX_DEPTH ? entries : null);
  await clean(
    [
      ...(others > MANY_FILES ? IN_ONE_PACK : []),
      'add',
      '--all',
      '--',
      '.',
      ...inside.map((name) => `:(exclude,literal)${name}`),
    ],
    target,
    {
      // Pathspecs are literal else; these are no names of the agent's own making.
      ...(inside.length > 0 && { magic_pathspecs: true }),
    },
  );
  const kept: Inside[] = [];
  let own = false;
  for (const [at, name] of inside.entries()) {
    const link = entries.find((entry) => entry.path === name && entry.mode === GITLINK);
    const sub_index = `${index_file}-${depth}-${at}`;
    const repository = { ...files, index_file: sub_index, path: join(path, name) };
    const found = await addRepository(clean, repository, link, depth + 1);
    if (found === undefined) continue;
    own ||= found.own;
    kept.push(...found.inside);
    // Where the commit says all of the files, it stays.
    if (!found.recorded) await replace(clean, target, name, found.tree);
  }
  return { tree: (await clean(['write-tree'], target)).stdout, inside: kept, own };
}

/**
 * Files and commits of a repository inside, by an index of its own; `link` is what the one around it has of it. Undefined when there was
 * no time for its files.
 */
async function addRepository(
  clean: CleanGit,
  files: FilesToAdd,
  link: Entry | undefined,
  depth: number,
): Promise<(Added & { readonly recorded: boolean }) | undefined> {
  const { clone, within, path: dir, index_file, patience } = files;
  const inner = endedBy(clean, patience?.inside);
  const path = relative(within, dir);
  const removeIndex = (): void => {
    for (const file of [index_file, `${index_file}.lock`]) rmSync(file, { force: true });
  };
  removeIndex();
  try {
    const sub = await inTime(files, depth, () => addFiles(inner, files, [], depth));
    if (sub === undefined) {
      patience?.leftOut(path);
      return undefined;
    }
    const commits = await inTime(files, depth, async () => {
      const known = await headInside(inner, dir, files);
      const recorded = link !== undefined && known?.sha === link.sha && known.tree === sub.tree;
      if (known === undefined) return { recorded, own: false, inside: [] };
      const found = await lookInside(inner, known.git_dir, path, known.sha, link?.sha);
      const inside = found.own || !recorded ? [await takeInside(inner, clone, known.git_dir, found)] : [];
      return { recorded, own: found.own, inside };
    });
    if (commits === undefined) patience?.leftOut(`the commits of ${path}`);
    const { recorded, own, inside } = commits ?? {
      recorded: false,
      own: true,
      inside: [withoutCommits(path)],
    };
    return { tree: sub.tree, recorded, own: sub.own || own, inside: [...inside, ...sub.inside] };
  } finally {
    removeIndex();
  }
}

/** What there is time for; undefined when that for repositories inside is over and that for all else is not. */
async function inTime<T>(
  { patience }: FilesToAdd,
  depth: number,
  work: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    // A deeper one is left out with the one it lies in, whose tree cannot be written any more.
    if (depth > 1 || patience?.inside.aborted !== true || patience.signal.aborted) throw error;
    return undefined;
  }
}

function withoutCommits(path: string): Inside {
  return { path, branch: null, head: null, refs: [], stashes: [], missing: 'there was no time to read them' };
}

/** How many files are new to git, and the repositories below, as far as git does not look into them; none without entries to compare with. */
async function lookAround(
  clean: CleanGit,
  target: CleanTarget,
  dir: string,
  entries: readonly Entry[] | null,
): Promise<{ readonly inside: readonly string[]; readonly others: number }> {
  const asked = ['ls-files', '--others', '--exclude-standard', '-z'];
  const others = (await clean(asked, target)).stdout.split('\0');
  if (entries === null) return { inside: [], others: others.length };
  const linked = entries.filter(({ mode, path }) => mode === GITLINK && existsSync(join(dir, path, '.git')));
  const found = others.filter((name) => name.endsWith('/') && existsSync(join(dir, name, '.git')));
  const inside = new Set([...linked.map(({ path }) => path), ...found.map((name) => name.slice(0, -1))]);
  return { inside: [...inside], others: others.length };
}

interface HeadInside {
  readonly git_dir: string;
  /** Null on a branch that has no commit yet. */
  readonly sha: Sha | null;
  readonly tree: string | null;
}

/** The commit checked out in a repository inside; undefined when its own directory lies elsewhere. */
async function headInside(
  clean: CleanGit,
  dir: string,
  { within, clone }: FilesToAdd,
): Promise<HeadInside | undefined> {
  const link = join(dir, '.git');
  const is_file = lstatSync(link, { throwIfNoEntry: false })?.isFile() === true;
  const named = is_file
    ? resolve(
        dir,
        readFileSync(link, 'utf8')
          .replace(/^gitdir: /, '')
          .trim(),
      )
    : link;
  if (!existsSync(named)) return undefined;
  const git_dir = realpathSync(named);
  if (!isBelow(realpathSync(within), git_dir) && !isBelow(realpathSync(clone), git_dir)) return undefined;
  const ask = (what: string) =>
    clean.plain(['rev-parse', '--verify', '--quiet', what], { git_dir, ok_codes: [0, 1, 128] });
  const [head, tree] = [await ask('HEAD^{commit}'), await ask('HEAD^{tree}')];
  const there = head.exit_code === 0 && tree.exit_code === 0;
  return { git_dir, sha: there ? head.stdout : null, tree: there ? tree.stdout : null };
}

/** Puts files where the index has a commit, or nothing. */
async function replace(clean: CleanGit, target: CleanTarget, name: string, tree: string): Promise<void> {
  const stdin = `${name}\0`;
  await clean(['update-index', '--force-remove', '-z', '--stdin'], target, { stdin });
  await clean(['read-tree', `--prefix=${name}/`, tree], target);
}
