import { join, resolve } from 'node:path';

import type { GitCredential } from '@caloron/capabilities/git';
import {
  branchOf,
  type DagState,
  type Id,
  type ProcessRow,
  type Role,
  type Sha,
  type SpawnRequest,
  type Task,
} from '@caloron/types';

import { ShellError } from './errors.ts';
import { type CleanGit, contains, createCleanGit, type Patience } from './git/clean-repository.ts';
import { isBelow } from './git/confined.ts';
import { createMirrors, type Mirror, type Mirrors, type MirrorSource } from './git/mirror.ts';
import { ownWorktree } from './git/own-worktree.ts';
import { removingDir } from './git/removal.ts';
import { ensureTaskClone } from './git/task-clone.ts';
import { saveWip } from './git/wip.ts';
import { authorWorktree, type ReadyWorktree, reviewWorktree, type WorktreePlace } from './git/worktree.ts';
import type { KeyedMutex } from './mutex.ts';
import { type ShellPaths, taskCloneDir } from './paths.ts';

/** What a worktree is prepared for. */
export interface WorktreeWish {
  readonly state: DagState;
  readonly task: Task;
  readonly role: Role;
  readonly request: SpawnRequest;
  readonly credential: GitCredential;
  /** The newest earlier process of this task and role. */
  readonly previous: ProcessRow | undefined;
  /** The newest author process of this task. */
  readonly author: ProcessRow | undefined;
  /** Whether an author of this task reported the commit as its delivery. */
  readonly delivered: (sha: Sha) => boolean;
}

/** A worktree and where its work starts. */
export interface PreparedWorktree extends ReadyWorktree {
  readonly branch: string;
  /** The base branch as it was fetched for this start. */
  readonly base_head: Sha;
  /** The commit under review, or the agents' own work as the forge has it; null without any, or when it is another's. */
  readonly order_head: Sha | null;
  readonly clone_url: string;
}

/** Repositories and worktrees of one home. */
export interface Worktrees {
  /** Fetches and prepares the worktree of a role. Throws FETCH_FAILED, BASE_UNKNOWN, HEAD_UNKNOWN, WORKTREE_FOREIGN, REQUEST_INVALID, or a GitError. */
  prepare(wish: WorktreeWish): Promise<PreparedWorktree>;
  /** Saves what a process has uncommitted; null when nothing is, or when its worktree is gone. Throws GIT_ABORTED where patience ends before anything is saved. */
  save(row: ProcessRow, reason: string, patience?: Patience): Promise<string | null>;
  /** The forge's repository, fetched just now. */
  fetch(state: DagState, credential: GitCredential): Promise<Mirror>;
  readonly clean: CleanGit;
  /** Where a task's worktree for a role is, or would be. */
  placeOf(sprint_id: Id, task_id: Id, role: Role, previous: ProcessRow | undefined): WorktreePlace;
}

/** What repositories and worktrees need. */
export interface WorktreesDeps {
  readonly paths: ShellPaths;
  readonly mutex: KeyedMutex;
  /** Where git finds a repository. */
  readonly remoteUrl: (host: string | null, repo: string) => string;
}

/** Opens the repositories and worktrees below one home. */
export function createWorktrees({ paths, mutex, remoteUrl }: WorktreesDeps): Worktrees {
  const clean = createCleanGit(join(paths.repos, 'clean.git'));
  const mirrors = createMirrors(paths, mutex);

  const sourceOf = ({ sprint }: DagState, credential: GitCredential): MirrorSource => ({
    host: sprint.host,
    repo: sprint.repo,
    url: remoteUrl(sprint.host, sprint.repo),
    credential,
  });

  return {
    clean,
    placeOf: (sprint_id, task_id, role, previous) => placeOf(paths, { sprint_id, task_id, role, previous }),
    fetch: (state, credential) => mirrors.fetch(sourceOf(state, credential)),

    async prepare(wish) {
      const { state, task, role, request, previous } = wish;
      const { sprint_id, sprint } = state;
      const where = { sprint_id, task_id: task.id, role, previous, base: request.worktree_base };
      const place = placeOf(paths, where);
      const source = sourceOf(state, wish.credential);
      const mirror = await mirrors.fetch(source);
      const base = mirror.heads.get(sprint.base_branch);
      if (base === undefined) {
        const default_branch = await mirrors.defaultBranch(source);
        throw new ShellError('BASE_UNKNOWN', {
          repo: sprint.repo,
          branch: sprint.base_branch,
          default_branch,
        });
      }
      await ensureTaskClone({ root: paths.tasks, clone: place.clone, mirror, agent_id: task.agent_id });
      const branch = branchOf(sprint_id, task.id);
      const common = { branch, clone_url: source.url, base_head: base };
      const remote_head = mirror.heads.get(branch);
      if (role === 'reviewer') {
        const wanted = request.head_sha ?? task.head_sha ?? remote_head;
        const head_sha = await reviewHead(mirrors, mirror, source, wanted, branch);
        // Of the mirror: what an agent wrote into the clone could lie about what the head contains.
        const base_sha = await reviewBase(clean, mirror.dir, head_sha, {
          recorded: [task.base_sha, wish.author?.base_sha],
          base,
        });
        const ready = await reviewWorktree(clean, place, { head_sha, base_sha });
        return { ...common, ...ready, order_head: head_sha };
      }
      // A branch of that name on the forge is this task's only if this task had an author before.
      const begun = previous !== undefined || request.mode === 'resume' || request.mode === 'rebase';
      const forge_head = begun ? (remote_head ?? null) : null;
      const ready = await authorWorktree(clean, place, {
        branch,
        start_sha: forge_head ?? (begun ? (previous?.base_sha ?? task.base_sha ?? base) : base),
        recorded_base: begun ? task.base_sha : null,
        forge_base: base,
        forge_head,
      });
      // The harness may replace this head on the forge: so it must be the agents' own work, or be part of what is checked out.
      const ours =
        forge_head !== null &&
        (wish.delivered(forge_head) || (await contains(clean, place.clone, ready.head_sha, forge_head)));
      const base_sha = request.mode === 'rebase' ? base : ready.base_sha;
      return { ...common, ...ready, base_sha, order_head: ours ? forge_head : null };
    },

    async save(row, reason, patience) {
      const { sprint_id, task_id, role } = row;
      const place = placeOf(paths, { sprint_id, task_id, role, previous: row });
      const own = ownWorktree(place.root, place.clone, place.path);
      return own === undefined ? null : saveWip(clean, { ...place, own, reason, patience });
    },
  };
}

/**
 * The base a head under review has to contain: what the state recorded, or the newest author began from where only that is in it
 * (its report was lost after a rebase).
 */
async function reviewBase(
  clean: CleanGit,
  mirror: string,
  head: Sha,
  known: { readonly recorded: readonly (Sha | null | undefined)[]; readonly base: Sha },
): Promise<Sha> {
  const recorded = known.recorded.filter((sha) => sha !== null && sha !== undefined);
  for (const sha of recorded) if (await contains(clean, mirror, head, sha)) return sha;
  return recorded[0] ?? known.base;
}

async function reviewHead(
  mirrors: Mirrors,
  mirror: Mirror,
  source: MirrorSource,
  head: Sha | undefined | null,
  branch: string,
): Promise<Sha> {
  if (head === undefined || head === null)
    throw new ShellError('HEAD_UNKNOWN', { repo: source.repo, head: `branch ${branch}` });
  if (await mirrors.has(mirror, source, head)) return head;
  throw new ShellError('HEAD_UNKNOWN', { repo: source.repo, head: `commit ${head}` });
}

function placeOf(
  paths: ShellPaths,
  where: {
    readonly sprint_id: Id;
    readonly task_id: Id;
    readonly role: Role;
    readonly previous: ProcessRow | undefined;
    readonly base?: string | undefined;
  },
): WorktreePlace {
  const { sprint_id, task_id, role, previous } = where;
  const name = role === 'reviewer' ? `${task_id}--review` : task_id;
  const asked = join(worktreeBase(paths, where.base), sprint_id, name);
  // One worktree per task and role: where an earlier process had it, it stays.
  const path =
    previous !== undefined && isBelow(paths.worktrees, previous.worktree) ? previous.worktree : asked;
  return { root: paths.worktrees, clone: taskCloneDir(paths, sprint_id, task_id), path, sprint_id, task_id };
}

/** The folder a request wants worktrees in: relative to the home, at or below the root of all worktrees. */
function worktreeBase(paths: ShellPaths, asked: string | undefined): string {
  const base = asked === undefined || asked === '' ? paths.worktrees : resolve(paths.home, asked);
  const free = isBelow(paths.worktrees, base) && !isBelow(removingDir(paths.worktrees), base);
  if (!asked?.includes('\0') && free) return base;
  throw new ShellError('REQUEST_INVALID', {
    issues: [`worktree_base: expected a path at or below ${paths.worktrees}`],
  });
}
