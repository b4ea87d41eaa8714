import { lstatSync, mkdirSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';

import type { Logger } from '@caloron/capabilities/logger';
import { messageOf } from '@caloron/noether/errors';
import type { Store, WorktreeLease } from '@caloron/store';
import {
  type DagState,
  HOOK_TIMEOUT_MS,
  type OrderWorkspace,
  type ProcessRow,
  type Task,
  type Workspace,
} from '@caloron/types';

import type { ShellConfig } from './config.ts';
import { ShellError } from './errors.ts';
import { portsInUse } from './free-ports.ts';
import { confined, isBelow } from './git/confined.ts';
import { ownWorktree } from './git/own-worktree.ts';
import { saveWip } from './git/wip.ts';
import { removeWorktree, type WorktreePlace } from './git/worktree.ts';
import type { HookFailure, Hooks } from './hooks.ts';
import type { ShellPaths } from './paths.ts';
import { killAll } from './signals.ts';
import { taggedProcesses } from '@caloron/capabilities/process-identity';
import type { Worktrees } from './worktrees.ts';

/** Blocks in which a port was found in use are tried so often before the range counts as full. */
const PORT_ATTEMPTS = 100;

/** What workspaces need. */
export interface WorkspacesDeps {
  readonly config: ShellConfig;
  readonly paths: ShellPaths;
  readonly store: Store;
  readonly log: Logger;
  readonly worktrees: Worktrees;
  readonly hooks: Hooks;
}

/** Whose worktree it is: of the process that is started. */
export interface WorkspaceOwner {
  readonly state: DagState;
  readonly task: Task;
  readonly row: ProcessRow;
}

/** Whose worktree it was. */
export interface LastOwner extends Omit<WorkspaceOwner, 'row'> {
  /** The last process that worked there; undefined when none came so far. */
  readonly row: ProcessRow | undefined;
}

/** What worktrees hold beside their files, and the hooks around their life. */
export interface Workspaces {
  /**
   * Leases what the sprint gives its worktrees and runs after_create in one that is new; undefined where the sprint sets nothing.
   * Throws PORTS_EXHAUSTED, HOOK_FAILED: then a worktree that was new is gone again.
   */
  prepare(owner: WorkspaceOwner, reused: boolean): Promise<OrderWorkspace | undefined>;
  /** Refuses a process whose directory is no longer the task's worktree. Throws WORKTREE_FOREIGN. */
  assertThere(row: ProcessRow): void;
  /**
   * Saves what is uncommitted, runs before_remove, deletes the worktree and gives back what it held. A hook that fails is noted
   * and stops nothing; one that was broken off by an emergency stop, or by the end of the shell, throws HOOK_FAILED and the worktree stays.
   */
  remove(owner: LastOwner, place: WorktreePlace, reason: string): Promise<void>;
  /** Gives back what a worktree that is gone held. */
  release(worktree: string): Promise<void>;
}

/** Workspaces of one home. */
export function createWorkspaces(deps: WorkspacesDeps): Workspaces {
  const { store, worktrees, paths } = deps;
  const release = (worktree: string): Promise<void> => giveBack(deps, worktree);

  return {
    release,

    async prepare(owner, reused) {
      const { row, state } = owner;
      const policy = state.sprint.workspace;
      if (policy === undefined) return undefined;
      const before = store.worktreeLeases.get(row.worktree);
      const argv = policy.hooks?.after_create ?? null;
      // A shell that died during the hook, or before it, left a worktree that is not ready.
      const fresh = argv !== null && (!reused || before === undefined || before.preparing !== null);
      await endEarlier(before);
      const lease = await leaseOf(deps, owner, policy, fresh);
      const workspace = workspaceOf(policy, lease);
      if (argv === null || !fresh) return workspace;
      await store.worktreeLeases.preparing(row.worktree, row.process_id);
      const failed = await deps.hooks.run({ ...owner, workspace, hook: 'after_create', argv });
      if (failed === null) {
        await store.worktreeLeases.preparing(row.worktree, null);
        return workspace;
      }
      throw await undone(deps, owner, reused, failed);
    },

    assertThere(row) {
      const place = worktrees.placeOf(row.sprint_id, row.task_id, row.role, row);
      if (ownWorktree(place.root, place.clone, row.worktree) === undefined)
        throw new ShellError('WORKTREE_FOREIGN', { worktree: row.worktree, reason: 'it is gone' });
    },

    async remove(owner, place, reason) {
      const own = ownWorktree(place.root, place.clone, place.path);
      if (own === undefined) return release(place.path);
      await saveWip(worktrees.clean, { ...place, own, reason });
      const { row, state } = owner;
      const policy = state.sprint.workspace;
      const argv = policy?.hooks?.before_remove ?? null;
      if (policy !== undefined && argv !== null && row !== undefined) {
        const workspace = workspaceOf(policy, store.worktreeLeases.get(place.path));
        const failed = await deps.hooks.run({ ...owner, row, workspace, hook: 'before_remove', argv });
        const { process_id, worktree } = row;
        // Broken off it has not done what it is for: the next clean-up runs it again.
        if (failed?.broken_off === true) throw hookFailed(failed, worktree, true);
        if (failed !== null)
          deps.log.warn({ process_id, worktree, ...failed }, 'before_remove failed; ignored');
        // What it did to the worktree must not lead the removal elsewhere.
        confined(paths.worktrees, place.path);
      }
      await removeWorktree(place, own);
      await release(place.path);
    },
  };
}

/** A hook whose shell died may still be at work in the worktree. */
async function endEarlier(before: WorktreeLease | undefined): Promise<void> {
  const { preparing = null } = before ?? {};
  if (preparing !== null) await killAll(() => taggedProcesses(new Set([preparing])));
}

/** Takes back what was made for a start that after_create refused. */
async function undone(
  deps: WorkspacesDeps,
  { row, state, task }: WorkspaceOwner,
  reused: boolean,
  failed: HookFailure,
): Promise<ShellError> {
  const { store, worktrees, log } = deps;
  const { worktree, process_id } = row;
  const previous = store.processes.latest(state.sprint_id, task.id, row.role);
  // Where an agent has worked there is more than what the hook left.
  const kept = reused && previous?.worktree === worktree;
  if (!kept) {
    try {
      const place = worktrees.placeOf(state.sprint_id, task.id, row.role, row);
      const own = ownWorktree(place.root, place.clone, worktree);
      if (own !== undefined) await removeWorktree(place, own);
      await giveBack(deps, worktree);
    } catch (error) {
      log.warn({ process_id, worktree, reason: messageOf(error) }, 'a worktree that is not ready stays');
    }
  }
  return hookFailed(failed, worktree, kept);
}

function hookFailed(failed: HookFailure, worktree: string, kept: boolean): ShellError {
  const { hook, argv, reason, tail } = failed;
  return new ShellError('HOOK_FAILED', { hook, argv, reason, tail, worktree, kept });
}

async function leaseOf(
  { store, paths, config, log }: WorkspacesDeps,
  { row }: WorkspaceOwner,
  policy: Workspace,
  fresh: boolean,
): Promise<WorktreeLease> {
  const { worktree, sprint_id, task_id, role, process_id } = row;
  const cache_dir = policy.cache === true ? cacheDir(paths, worktree) : null;
  const ports = policy.ports === undefined ? null : { ...config.ports, count: policy.ports };
  const taken: number[] = [];
  for (let attempt = 0; attempt < PORT_ATTEMPTS; attempt += 1) {
    const wish = { worktree, sprint_id, task_id, role, ports, taken, cache_dir };
    const lease = await store.worktreeLeases.lease({ ...wish, preparing: fresh ? process_id : null });
    if (lease === null) break;
    const { port_first, port_count } = lease;
    const used = port_first === null || port_count === null ? [] : await portsInUse(port_first, port_count);
    if (used.length > 0) {
      log.info({ worktree, used }, 'ports of a block are in use by others; the next block is taken');
      taken.push(...used);
      continue;
    }
    if (cache_dir !== null) makeCache(paths, cache_dir);
    return lease;
  }
  const { first, last } = config.ports;
  throw new ShellError('PORTS_EXHAUSTED', { worktree, count: policy.ports ?? 0, first, last });
}

/** Where a worktree's cache is: the worktree's own way below another root. */
function cacheDir({ worktrees, cache }: ShellPaths, worktree: string): string {
  return join(cache, relative(worktrees, worktree));
}

function makeCache({ cache }: ShellPaths, dir: string): void {
  mkdirSync(cache, { recursive: true, mode: 0o700 });
  confined(cache, dir);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
}

async function giveBack({ store, paths }: WorkspacesDeps, worktree: string): Promise<void> {
  const held = store.worktreeLeases.get(worktree);
  if (held === undefined) return;
  const { cache_dir } = held;
  if (cache_dir !== null && isBelow(paths.cache, cache_dir)) removeTree(paths.cache, cache_dir);
  await store.worktreeLeases.release(worktree);
}

/** Deletes a directory below a root, following no link: neither on the way there nor inside. Throws WORKTREE_FOREIGN. */
export function removeTree(root: string, dir: string): void {
  const found = lstatSync(dir, { throwIfNoEntry: false });
  if (found === undefined || dir === root) return;
  if (found.isDirectory()) confined(root, dir);
  else confined(root, join(dir, '..'));
  rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
}

function workspaceOf(policy: Workspace, lease: WorktreeLease | undefined): OrderWorkspace {
  const { hooks = {}, hook_timeout_ms = HOOK_TIMEOUT_MS } = policy;
  return {
    before_run: hooks.before_run ?? null,
    after_run: hooks.after_run ?? null,
    hook_timeout_ms,
    port_first: lease?.port_first ?? null,
    port_count: lease?.port_count ?? null,
    cache_dir: lease?.cache_dir ?? null,
  };
}
