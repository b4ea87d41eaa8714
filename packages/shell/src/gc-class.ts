import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { git } from '@caloron/capabilities/git';
import { type GcItem, type DagState, type Sha, type Task } from '@caloron/types';

import type { CleanGit } from './git/clean-repository.ts';
import { headState, type OwnWorktree } from './git/own-worktree.ts';
import { refsBelow } from './git/refs.ts';
import { hasUncommitted, underWay } from './git/wip.ts';
import { mirrorDir, type ShellPaths } from './paths.ts';

/** What a worktree or clone is, and why. */
export interface Verdict {
  readonly class: GcItem['class'];
  readonly reason: string;
}

/** Whether nothing more will happen to a task. */
export function isOver(state: DagState, task: Task): boolean {
  return task.status === 'Done' || task.status === 'Cancelled' || state.status === 'completed';
}

/** What a worktree without an agent is. Throws GIT_FAILED where it cannot be read: then it stays. */
export async function classOfWorktree(
  clean: CleanGit,
  paths: ShellPaths,
  where: { readonly state: DagState; readonly task: Task; readonly clone: string; readonly own: OwnWorktree },
): Promise<Verdict> {
  const { state, task, clone, own } = where;
  const doing = underWay(own);
  if (doing !== null) return { class: 'dirty', reason: `it is in the middle of ${doing}` };
  if (existsSync(join(own.git_dir, 'locked'))) return { class: 'dirty', reason: 'it is locked' };
  if (await hasUncommitted(clean, { clone, own })) return { class: 'dirty', reason: 'uncommitted work' };
  const { stdout: head } = await git(['rev-parse', '--verify', 'HEAD^{commit}'], { git_dir: own.git_dir });
  const unpushed = await unpushedIn(clean, paths, { state, task, clone, tips: [head] });
  if (unpushed !== null) return { class: 'unpushed', reason: unpushed };
  const stash = headState(own).branch !== null && (await refsBelow(clone, 'refs/stash')).size > 0;
  if (stash) return { class: 'unpushed', reason: 'a stash' };
  if (!isOver(state, task)) return { class: 'open', reason: `its task is ${task.status}` };
  return task.status === 'Done'
    ? { class: 'merged', reason: 'its work is merged' }
    : { class: 'clean', reason: 'its task is over' };
}

/** What a task's clone without worktrees is: all that leads to commits in it has to be on the forge. */
export async function classOfClone(
  clean: CleanGit,
  paths: ShellPaths,
  where: { readonly state: DagState; readonly task: Task; readonly clone: string },
): Promise<Verdict> {
  const { state, task, clone } = where;
  const saved = (await refsBelow(clone, 'refs/caloron/')).size;
  if (saved > 0) return { class: 'saved', reason: `${saved} saved: ./caloron wip list --task ${task.id}` };
  if ((await refsBelow(clone, 'refs/stash')).size > 0) return { class: 'unpushed', reason: 'a stash' };
  const tips = [...(await refsBelow(clone, 'refs/heads/')).values()];
  const unpushed = await unpushedIn(clean, paths, { state, task, clone, tips });
  if (unpushed !== null) return { class: 'unpushed', reason: unpushed };
  if (!isOver(state, task)) return { class: 'open', reason: `its task is ${task.status}` };
  return { class: 'clean', reason: 'its task is over' };
}

/** Commits the forge does not have, as far as it was fetched; null when it has all. A squashed head counts as what it was merged from. */
async function unpushedIn(
  clean: CleanGit,
  paths: ShellPaths,
  where: {
    readonly state: DagState;
    readonly task: Task;
    readonly clone: string;
    readonly tips: readonly Sha[];
  },
): Promise<string | null> {
  const { state, task, clone, tips } = where;
  if (tips.length === 0) return null;
  const { host, repo } = state.sprint;
  // The clone's own remote refs are the agent's to write: the mirror's are not.
  const mirror = mirrorDir(paths, host, repo);
  const fetched = existsSync(mirror) ? [...(await refsBelow(mirror, 'refs/heads/')).values()] : [];
  const merged = task.status === 'Done' && task.head_sha !== null ? [task.head_sha] : [];
  const known: Sha[] = [];
  for (const sha of new Set([...fetched, ...merged])) {
    const found = await clean(['cat-file', '-e', `${sha}^{commit}`], { clone }, { ok_codes: [0, 1, 128] });
    if (found.exit_code === 0) known.push(sha);
  }
  const { stdout } = await clean(['rev-list', '--count', ...tips, '--not', ...known], { clone });
  return stdout === '0' ? null : `${stdout} commits the forge does not have`;
}
