import { existsSync, lstatSync, readdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';

import { git } from '@caloron/capabilities/git';
import { addMs, Id, type Sha, type Timestamp } from '@caloron/types';

import { type CleanGit, createCleanGit } from './git/clean-repository.ts';
import { insideIn } from './git/inside.ts';
import { isStash, restoreBranch, restoreInto, restoreWorktree, type Restorable } from './git/restore.ts';
import { pathsOf, type ShellPaths, taskCloneDir } from './paths.ts';
import { withTaskLock } from './task-lock.ts';

/** Unfinished work that was saved. */
export interface KeptWork extends Restorable {
  /** Its ref in the task's clone. */
  readonly ref: string;
  readonly sprint_id: Id;
  readonly task_id: Id;
  /** Counts from 1 within its task. */
  readonly n: number;
  readonly clone: string;
  readonly commit: Sha;
  readonly kept_at: Timestamp;
  /** What it is and why it was saved: the first line of its commit. */
  readonly subject: string;
}

/** A file that saved work changed. */
export interface ChangedFile {
  readonly path: string;
  readonly change: 'added' | 'modified' | 'deleted';
  /** Lines; null for a file that is no text. */
  readonly added: number | null;
  readonly removed: number | null;
}

/** What saved work is made of. */
export interface KeptChanges {
  /** The commit it builds on; null when there was none. */
  readonly base: Sha | null;
  readonly files: readonly ChangedFile[];
}

/** What a restore did. */
export interface Restored {
  /** A directory, or the repository that has the branch. */
  readonly dir: string;
  readonly branch: string | null;
  /** The commit checked out there, or the branch's. */
  readonly head: Sha | null;
  /** Repositories inside that are repositories again, by path; others are files. */
  readonly inside: readonly string[];
}

/** All saved work of one home. Nothing here needs a shell that runs. */
export interface KeptWorks {
  /** Saved work, oldest sprint, task and number first. */
  list(of?: {
    readonly sprint_id?: Id | undefined;
    readonly task_id?: Id | undefined;
  }): Promise<readonly KeptWork[]>;
  changes(work: KeptWork): Promise<KeptChanges>;
  /** The changes as a patch that `git apply` takes. */
  patch(work: KeptWork): Promise<string>;
  /** Into a directory that is new, empty, or a clean repository at the commit the work was saved on. Throws WIP_TARGET_DIRTY, WIP_TARGET_UNFIT. */
  restoreInto(work: KeptWork, dir: string): Promise<Restored>;
  /** As a new branch of the repository `dir` lies in. Throws WIP_TARGET_UNFIT. */
  restoreBranch(work: KeptWork, dir: string, branch: string): Promise<Restored>;
  /**
   * Into the task's own worktree, where no agent can be started meanwhile; `last` tells where its last author worked and throws
   * while one works there. Throws WIP_TARGET_DIRTY, WIP_TARGET_UNFIT, TASK_LOCKED.
   */
  restoreWorktree(work: KeptWork, last: () => string | undefined): Promise<Restored>;
}

/** The tree without files, which git knows everywhere. */
const EMPTY_TREE = '4b825dc642cb6eb9a060e54bf8d69288fbee4904';

const FORMAT = ['refname', 'objectname', 'committerdate:unix', 'parent', 'contents:subject']
  .map((field) => `%(${field})`)
  .join('%00');

const CHANGES = { A: 'added', D: 'deleted' } as const;

/** Opens the saved work of the home that `.caloron/` lies in. */
export function openKeptWork(home: string): KeptWorks {
  const paths = pathsOf(existsSync(home) ? realpathSync(home) : home);
  const clean = createCleanGit(join(paths.repos, 'clean.git'));
  return {
    async list({ sprint_id, task_id } = {}) {
      const found: KeptWork[] = [];
      for (const place of clones(paths)) {
        if (sprint_id !== undefined && place.sprint_id !== sprint_id) continue;
        if (task_id !== undefined && place.task_id !== task_id) continue;
        found.push(...(await worksOf(place)));
      }
      return found;
    },
    changes: (work) => changesOf(clean, work),
    async patch(work) {
      const range = [(await baseOf(work)) ?? EMPTY_TREE, work.commit];
      const flags = ['--no-renames', '--ignore-submodules=none', '--binary', '--full-index'];
      return (await clean(['diff', ...flags, ...range], work)).stdout;
    },
    restoreInto: (work, dir) => restoreInto(paths, work, dir),
    restoreBranch: (work, dir, branch) => restoreBranch(clean, work, dir, branch),
    restoreWorktree: (work, last) =>
      withTaskLock(paths, work, 'put saved work back', () =>
        restoreWorktree(clean, paths, work, last() ?? join(paths.worktrees, work.sprint_id, work.task_id)),
      ),
  };
}

interface Clone {
  readonly sprint_id: Id;
  readonly task_id: Id;
  readonly clone: string;
}

function clones(paths: ShellPaths): readonly Clone[] {
  return foldersOf(paths.tasks).flatMap((sprint_id) =>
    foldersOf(join(paths.tasks, sprint_id)).flatMap((name) => {
      const task_id = name.replace(/\.git$/, '');
      const known = Id.safeParse(sprint_id).success && Id.safeParse(task_id).success;
      const clone = taskCloneDir(paths, sprint_id, task_id);
      return known && existsSync(join(clone, 'caloron-clone')) ? [{ sprint_id, task_id, clone }] : [];
    }),
  );
}

function foldersOf(dir: string): readonly string[] {
  if (lstatSync(dir, { throwIfNoEntry: false })?.isDirectory() !== true) return [];
  const entries = readdirSync(dir, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .toSorted();
}

async function worksOf({ sprint_id, task_id, clone }: Clone): Promise<readonly KeptWork[]> {
  const prefix = `refs/caloron/wip/${sprint_id}/${task_id}/`;
  const { stdout } = await git(['for-each-ref', `--format=${FORMAT}`, prefix], { git_dir: clone });
  const found: KeptWork[] = [];
  for (const line of stdout === '' ? [] : stdout.split('\n')) {
    const [ref = '', commit = '', seconds = '', parents = '', subject = ''] = line.split('\0');
    const n = Number(ref.slice(prefix.length));
    if (!Number.isSafeInteger(n)) continue;
    const kept_at = addMs('1970-01-01T00:00:00.000Z', Number(seconds) * 1000);
    const place = { ref, sprint_id, task_id, n, clone, commit, kept_at, subject };
    found.push({ ...place, ...(await shapeOf(clone, commit, parents, subject)) });
  }
  return found.toSorted((a, b) => a.n - b.n);
}

/** Where saved work was checked out, what was staged, and what repositories inside had. */
async function shapeOf(
  clone: string,
  commit: Sha,
  parents: string,
  subject: string,
): Promise<Pick<Restorable, 'head' | 'staged' | 'inside'>> {
  const [first, second] = parents.split(' ').filter((sha) => sha !== '');
  const ours = subject.startsWith('caloron: unfinished work');
  if (second === undefined) return { head: ours ? (first ?? null) : commit, staged: null, inside: [] };
  const format = '--format=%P%x00%s%x00%b';
  const { stdout } = await git(['show', '--no-patch', format, second], { git_dir: clone });
  const [above = '', what = '', account = ''] = stdout.split('\0');
  if (ours) {
    const staged = what.startsWith('caloron: staged work') ? second : null;
    return { head: first ?? null, staged, inside: insideIn(account) };
  }
  // What git put aside itself has the same form; any other merge is a commit like all.
  return isStash(first, above)
    ? { head: first ?? null, staged: second, inside: [] }
    : { head: commit, staged: null, inside: [] };
}

/** The commit that is on a branch, or was delivered, before the saved work begins. */
async function baseOf({ clone, commit }: KeptWork): Promise<Sha | null> {
  const asked = ['rev-list', '--first-parent', commit, '--not', '--branches', '--remotes', '--tags'];
  const own = (await git(asked, { git_dir: clone })).stdout.split('\n');
  const oldest = own.at(-1) === '' ? commit : (own.at(-1) ?? commit);
  const parent = ['rev-parse', '--verify', '--quiet', `${oldest}^`];
  const found = await git(parent, { git_dir: clone, ok_codes: [0, 1] });
  return found.exit_code === 0 ? found.stdout : null;
}

async function changesOf(clean: CleanGit, work: KeptWork): Promise<KeptChanges> {
  const base = await baseOf(work);
  const ask = async (what: string): Promise<readonly string[]> => {
    const flags = ['--no-renames', '--ignore-submodules=none', '-z', what];
    const { stdout } = await clean(['diff', ...flags, base ?? EMPTY_TREE, work.commit], work);
    return stdout.split('\0').filter((part) => part !== '');
  };
  const states = await ask('--name-status');
  const changeOf = new Map(
    states.flatMap((state, at) => (at % 2 === 0 ? [[states[at + 1] ?? '', state] as const] : [])),
  );
  const lines = (text: string | undefined): number | null => (text === '-' ? null : Number(text));
  const files = (await ask('--numstat')).map((line): ChangedFile => {
    const [added, removed, ...rest] = line.split('\t');
    const path = rest.join('\t');
    const state = changeOf.get(path);
    const change = state === 'A' || state === 'D' ? CHANGES[state] : 'modified';
    return { path, change, added: lines(added), removed: lines(removed) };
  });
  return { base, files };
}
