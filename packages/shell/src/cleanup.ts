import type { Store } from '@caloron/store';
import {
  branchOf,
  type CleanupReply,
  type CleanupRequest,
  type DagState,
  type ProcessRow,
  type Role,
  type Sha,
  type Task,
} from '@caloron/types';

import type { Credentials } from './credentials.ts';
import { git } from '@caloron/capabilities/git';
import { taggedProcesses } from '@caloron/capabilities/process-identity';
import { type CleanGit, contains } from './git/clean-repository.ts';
import type { Mirror } from './git/mirror.ts';
import { type OwnWorktree, ownWorktree } from './git/own-worktree.ts';
import { hasUncommitted, underWay } from './git/wip.ts';
import type { WorktreePlace } from './git/worktree.ts';
import type { KeyedMutex } from './mutex.ts';
import type { ProcessTable } from './process-table.ts';
import { taskKey } from './spawner.ts';
import type { ShellPaths } from './paths.ts';
import { loadState, taskOf } from './sprint.ts';
import { withTaskLock } from './task-lock.ts';
import type { Workspaces } from './workspace.ts';
import type { Worktrees } from './worktrees.ts';

/** What a clean-up needs. */
export interface CleanupDeps {
  readonly paths: Pick<ShellPaths, 'tasks'>;
  readonly store: Store;
  readonly mutex: KeyedMutex;
  readonly table: ProcessTable;
  readonly worktrees: Worktrees;
  readonly workspaces: Workspaces;
  readonly credentials: Credentials;
}

/** Removes the worktrees of a task whose work is merged; what is dirty, unmerged or in use stays, with the reason. */
export type Cleanup = (request: CleanupRequest) => Promise<CleanupReply>;

interface Found {
  readonly place: WorktreePlace;
  readonly own: OwnWorktree;
  /** The last process that worked there. */
  readonly row: ProcessRow | undefined;
}

/** Clean-ups exclude spawns of the same task. */
export function createCleanup(deps: CleanupDeps): Cleanup {
  return (request) =>
    deps.mutex.run(taskKey(request), async () => {
      const state = await loadState(deps.store, request.sprint_id);
      const task = taskOf(state, request.task_id);
      const kept = (reason: string): CleanupReply => ({ ok: true, removed: false, reason });
      for (const row of deps.store.processes.open()) {
        const mine = row.sprint_id === state.sprint_id && row.task_id === task.id;
        if (mine && !(await deps.table.reconcile(row)))
          return kept(`its ${row.role} (process ${row.process_id}) may still run`);
      }
      const rows = deps.store.processes.list(state.sprint_id).filter((row) => row.task_id === task.id);
      const [survivor] = taggedProcesses(new Set(rows.map(({ process_id }) => process_id)));
      if (survivor !== undefined) return kept(`what process ${survivor.process_id} started still runs`);
      const found = (['author', 'reviewer'] as const).flatMap((role) => worktreeOf(deps, state, task, role));
      if (found.length === 0) return { ok: true, removed: true, reason: 'there was no worktree' };
      // Nobody puts saved work back between the look and the removal.
      const reason = await withTaskLock(deps.paths, request, 'remove its worktrees', () =>
        removeAll(deps, found, { state, task, merge_sha: request.merge_sha }),
      );
      return reason === null ? { ok: true, removed: true, reason } : kept(reason);
    });
}

/** Why they are kept; null when they are gone. */
async function removeAll(
  deps: CleanupDeps,
  found: readonly Found[],
  where: Omit<MergedWhere, 'mirror'>,
): Promise<string | null> {
  const { state, task } = where;
  const mirror = await deps.worktrees.fetch(state, await deps.credentials.forRole(state.sprint, 'author'));
  for (const each of found) {
    const reason = await whyKept(deps.worktrees.clean, each, { ...where, mirror });
    if (reason !== null) return reason;
  }
  // Each may wait for a hook.
  const removed = found.map(({ place, row }) =>
    deps.workspaces.remove({ state, task, row }, place, 'before its removal'),
  );
  await Promise.all(removed);
  return null;
}

function worktreeOf(
  { store, worktrees }: CleanupDeps,
  state: DagState,
  task: Task,
  role: Role,
): readonly Found[] {
  const previous = store.processes.latest(state.sprint_id, task.id, role);
  const place = worktrees.placeOf(state.sprint_id, task.id, role, previous);
  const own = ownWorktree(place.root, place.clone, place.path);
  return own === undefined ? [] : [{ place, own, row: previous }];
}

interface MergedWhere {
  readonly mirror: Mirror;
  readonly state: DagState;
  readonly task: Task;
  readonly merge_sha: Sha | null;
}

/** Why a worktree must stay; null when everything in it is on the base branch. */
async function whyKept(clean: CleanGit, { place, own }: Found, where: MergedWhere): Promise<string | null> {
  if (await hasUncommitted(clean, { clone: place.clone, own })) return `${place.path} has uncommitted work`;
  const doing = underWay(own);
  if (doing !== null) return `${place.path} is in the middle of ${doing}`;
  const { stdout: head } = await git(['rev-parse', '--verify', 'HEAD^{commit}'], { git_dir: own.git_dir });
  if (await isMerged(clean, place.clone, head, where)) return null;
  return `commit ${head} of ${place.path} is not merged into ${where.state.sprint.base_branch}`;
}

async function isMerged(clean: CleanGit, clone: string, head: Sha, where: MergedWhere): Promise<boolean> {
  const { mirror, state, task, merge_sha } = where;
  const within = async (older: Sha, newer: Sha | null | undefined): Promise<boolean> =>
    newer !== null && newer !== undefined && contains(clean, clone, newer, older);
  const base = mirror.heads.get(state.sprint.base_branch);
  if ((await within(head, base)) || (await within(head, merge_sha))) return true;
  // A squash or rebase merge leaves no line from base to head: then the pull request's head must contain it, and be merged.
  const merged = merge_sha !== null && (await within(merge_sha, base));
  const pushed = task.head_sha ?? mirror.heads.get(branchOf(state.sprint_id, task.id));
  return merged && within(head, pushed);
}
