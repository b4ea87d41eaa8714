import { existsSync, lstatSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';

import { git } from '@caloron/capabilities/git';
import type { Sha } from '@caloron/types';

import type { CleanGit, CleanTarget } from './clean-repository.ts';
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
    const dir = join(path, name);
    const sub_index = `${index_file}-${depth}-${at}`;
    rmSync(sub_index, { force: true });
    try {
      const files_inside = { ...files, index_file: sub_index, path: dir };
      const sub = await addFiles(clean, files_inside, [], depth + 1);
      const link = entries.find((entry) => entry.path === name && entry.mode === GITLINK);
      const known = await headInside(dir, files);
      const found =
        known && (await lookInside(known.git_dir, relative(files.within, dir), known.sha, link?.sha));
      const recorded = link !== undefined && known?.sha === link.sha && known.tree === sub.tree;
      own ||= sub.own || found?.own === true;
      if (known !== undefined && found !== undefined && (found.own || !recorded))
        kept.push(await takeInside(clean, clone, known.git_dir, found));
      kept.push(...sub.inside);
      // Where the commit says all of the files, it stays.
      if (!recorded) await replace(clean, target, name, sub.tree);
    } finally {
      for (const file of [sub_index, `${sub_index}.lock`]) rmSync(file, { force: true });
    }
  }
  return { tree: (await clean(['write-tree'], target)).stdout, inside: kept, own };
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
async function headInside(dir: string, { within, clone }: FilesToAdd): Promise<HeadInside | undefined> {
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
    git(['rev-parse', '--verify', '--quiet', what], { git_dir, ok_codes: [0, 1, 128] });
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
