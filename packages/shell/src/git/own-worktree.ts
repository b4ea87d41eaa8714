import { existsSync, lstatSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { ShellError } from '../errors.ts';
import { confined } from './confined.ts';

/** A worktree that is one of ours. */
export interface OwnWorktree {
  readonly path: string;
  /** Its administrative directory inside the task's clone. */
  readonly git_dir: string;
}

/** Where HEAD of a worktree stands. */
export interface HeadState {
  /** The branch checked out; null when detached. */
  readonly branch: string | null;
  /** The branch an interrupted rebase works on; null without one. */
  readonly rebasing: string | null;
}

/** What git reads and writes in the administrative directory, which the agent can write too. */
const PLAIN_FILES = ['HEAD', 'index', 'commondir', 'config.worktree', 'ORIG_HEAD'];

function textOf(file: string): string | undefined {
  const found = lstatSync(file, { throwIfNoEntry: false });
  return found?.isFile() === true ? readFileSync(file, 'utf8').trim() : undefined;
}

/**
 * The worktree at `path` if it is linked to `clone`; undefined when there is nothing (or an empty directory).
 * Reads files only: an agent's configuration has no say. Throws WORKTREE_FOREIGN for anything else.
 */
export function ownWorktree(root: string, clone: string, path: string): OwnWorktree | undefined {
  confined(root, path);
  if (!existsSync(path) || readdirSync(path).length === 0) return undefined;
  const foreign = (reason: string): ShellError =>
    new ShellError('WORKTREE_FOREIGN', { worktree: path, reason });
  const link = textOf(join(path, '.git'));
  if (link === undefined || !link.startsWith('gitdir: ')) throw foreign('it is no worktree of this task');
  const git_dir = link.slice('gitdir: '.length);
  if (!existsSync(git_dir) || !existsSync(clone)) throw foreign('its repository is gone');
  if (dirname(realpathSync(git_dir)) !== join(realpathSync(clone), 'worktrees')) {
    throw foreign('it belongs to another repository');
  }
  if (textOf(join(git_dir, 'gitdir')) !== join(path, '.git'))
    throw foreign('its repository knows it under another path');
  // A link would have git write where it leads, and a pipe would keep whoever reads it waiting for ever.
  const odd = PLAIN_FILES.find((name) => {
    const found = lstatSync(join(git_dir, name), { throwIfNoEntry: false });
    return found !== undefined && !found.isFile();
  });
  if (odd !== undefined) throw foreign(`its ${odd} is no file`);
  return { path, git_dir: realpathSync(git_dir) };
}

/** Reads where HEAD stands without running git. */
export function headState({ git_dir }: OwnWorktree): HeadState {
  const prefix = 'refs/heads/';
  const branchIn = (text: string | undefined): string | null =>
    text?.startsWith(prefix) === true ? text.slice(prefix.length) : null;
  const head = textOf(join(git_dir, 'HEAD'));
  const rebase =
    textOf(join(git_dir, 'rebase-merge', 'head-name')) ?? textOf(join(git_dir, 'rebase-apply', 'head-name'));
  return {
    branch: branchIn(head?.startsWith('ref: ') === true ? head.slice('ref: '.length) : undefined),
    rebasing: branchIn(rebase),
  };
}
