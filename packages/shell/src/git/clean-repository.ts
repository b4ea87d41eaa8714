import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { git, type GitResult } from '@caloron/capabilities/git';

/** How long a checkout or a snapshot of a large worktree may take, in milliseconds. */
export const WORKTREE_TIMEOUT_MS = 300_000;

/** Names the commits the shell makes of unfinished work. */
const AUTHOR = { name: 'caloron', email: 'caloron@localhost' };

/** Makes an empty bare repository, or leaves an existing one as it is. */
export async function initBare(dir: string): Promise<void> {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  await git(['init', '--quiet', '--bare', '--template=', dir], {});
}

/** Which objects, files and index a command of ours works on. */
export interface CleanTarget {
  /** The bare clone whose objects are read and written. */
  readonly clone: string;
  readonly worktree?: string;
  readonly index_file?: string;
}

/** How a command of ours may end. */
interface CleanOptions {
  readonly stdin?: string;
  readonly ok_codes?: readonly number[];
  /** Pathspecs may begin with `:(…)`; else every character of one means itself. */
  readonly magic_pathspecs?: boolean;
  /** Ends the command. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs git on an agent's objects and files with a configuration that is ours: the agent's own config, filters, attributes
 * and refs are never read, so nothing it has set up can run in the shell's name.
 */
export interface CleanGit {
  (args: readonly string[], target: CleanTarget, options?: CleanOptions): Promise<GitResult>;
  /** Runs git in a repository with that repository's configuration, for what only it knows: its refs. It ends when the other does. */
  readonly plain: typeof git;
}

/** How long a look at a worktree may take. */
export interface Patience {
  /** Ends every command of it. */
  readonly signal: AbortSignal;
  /** Ends those that read repositories inside: earlier, so that all else can still be saved. */
  readonly inside: AbortSignal;
  /** Hears of what there was no time for. */
  readonly leftOut: (what: string) => void;
}

/** The clean repository of a home; it stays empty and is made at the first use. */
export function createCleanGit(dir: string): CleanGit {
  let made: Promise<void> | undefined;
  const run = async (
    args: readonly string[],
    target: CleanTarget,
    { magic_pathspecs = false, ...options }: CleanOptions = {},
  ): Promise<GitResult> => {
    made ??= initBare(dir);
    await made;
    // An index of commits among the objects is the agent's to write, and could lie about what contains what.
    return git(['-c', 'core.commitGraph=false', ...args], {
      git_dir: dir,
      env: {
        GIT_OBJECT_DIRECTORY: join(target.clone, 'objects'),
        GIT_LITERAL_PATHSPECS: magic_pathspecs ? '0' : '1',
      },
      author: AUTHOR,
      timeout_ms: WORKTREE_TIMEOUT_MS,
      ...(target.worktree === undefined ? {} : { work_tree: target.worktree, cwd: target.worktree }),
      ...(target.index_file === undefined ? {} : { index_file: target.index_file }),
      ...options,
    });
  };
  return Object.assign(run, { plain: git });
}

/** The same git, ended by a signal; a command that has one of its own by that. */
export function endedBy(clean: CleanGit, signal: AbortSignal | undefined): CleanGit {
  if (signal === undefined) return clean;
  const run: (...given: Parameters<CleanGit>) => Promise<GitResult> = (args, target, options) =>
    clean(args, target, { ...options, signal: options?.signal ?? signal });
  return Object.assign(run, {
    plain: ((args, options) =>
      clean.plain(args, { ...options, signal: options.signal ?? signal })) satisfies typeof git,
  });
}

/** Whether `newer` contains `older`; false when one of them is not known in the clone. */
export async function contains(
  clean: CleanGit,
  clone: string,
  newer: string,
  older: string,
): Promise<boolean> {
  const asked = await clean(
    ['merge-base', '--is-ancestor', older, newer],
    { clone },
    { ok_codes: [0, 1, 128] },
  );
  return asked.exit_code === 0;
}
