import { rmSync } from 'node:fs';
import { join } from 'node:path';

import type { Logger } from '@caloron/capabilities/logger';
import { randomToken } from '@caloron/capabilities/random';
import type { Processes, Store } from '@caloron/store';
import type {
  DagState,
  Mode,
  ProcessRow,
  Random,
  Role,
  SpawnReply,
  SpawnRequest,
  Task,
} from '@caloron/types';

import { agentEnvironment } from './agent-env.ts';
import type { Capacity } from './capacity.ts';
import type { ShellConfig } from './config.ts';
import type { Credentials } from './credentials.ts';
import { ShellError } from './errors.ts';
import type { Isolation } from './isolation.ts';
import type { KeyedMutex } from './mutex.ts';
import { orderOf, writeOrder } from './order.ts';
import { agentFiles, logFile, mirrorDir, sessionFile, type ShellPaths } from './paths.ts';
import { bootId, pidNamespace, taggedProcesses } from '@caloron/capabilities/process-identity';
import type { ProcessTable } from './process-table.ts';
import { runBudgetOf } from './run-budget.ts';
import { deliveredHeads, loadState, wantedTaskOf } from './sprint.ts';
import { withTaskLock } from './task-lock.ts';
import { tokenHash } from './token.ts';
import type { Workspaces } from './workspace.ts';
import type { PreparedWorktree, Worktrees } from './worktrees.ts';

/** What starting an agent needs. */
export interface SpawnerDeps {
  readonly config: ShellConfig;
  readonly paths: ShellPaths;
  readonly store: Store;
  readonly random: Random;
  readonly log: Logger;
  readonly mutex: KeyedMutex;
  readonly table: ProcessTable;
  readonly worktrees: Worktrees;
  readonly workspaces: Workspaces;
  readonly credentials: Credentials;
  readonly capacity: Capacity;
  readonly isolation: Isolation;
  /** The address agents reach this shell at. */
  readonly url: () => string;
}

/** Starts agents, each action once. */
export type Spawner = (request: SpawnRequest) => Promise<SpawnReply>;

/** What a request means once the sprint's state has filled it up. */
interface Resolved {
  readonly request: SpawnRequest;
  readonly state: DagState;
  readonly task: Task;
  readonly action_id: string;
  readonly role: Role;
  readonly mode: Mode;
  readonly attempt: number;
}

/**
 * Starts an agent: fetch, worktree, order file, row, fork. One at a time per task and per agent; the same action_id gives the
 * same record and never a second process.
 */
export function createSpawner(deps: SpawnerDeps): Spawner {
  const { mutex, random, store } = deps;
  return async (request) => {
    const action_id = request.action_id ?? random.uuid().replaceAll('-', '');
    const perAgent = (): Promise<SpawnReply> =>
      mutex.run(`agent:${request.agent_id}`, () => spawnOnce(deps, request, action_id));
    const known = store.processes.byAction(action_id);
    if (known !== undefined && known.state !== 'spawning') return recorded(known, request);
    return mutex.run(taskKey(request), perAgent);
  };
}

/** Spawn, cleanup and stop of one task exclude each other under this key. */
export function taskKey({
  sprint_id,
  task_id,
}: {
  readonly sprint_id: string;
  readonly task_id: string;
}): string {
  return `task:${sprint_id}/${task_id}`;
}

async function spawnOnce(deps: SpawnerDeps, request: SpawnRequest, action_id: string): Promise<SpawnReply> {
  const { processes } = deps.store;
  const open = processes.byAction(action_id);
  if (open?.state === 'spawning') await deps.table.reconcile(open);
  const known = processes.byAction(action_id);
  if (known !== undefined) return recorded(known, request);

  const resolved = await resolveRequest(deps, request, action_id);
  const { state, role } = resolved;
  await refuseBusy(deps, request, role);
  await deps.isolation.admit(state.sprint);
  // Locked only now: a request that is refused leaves nothing behind.
  const start = () =>
    withTaskLock(deps.paths, request, 'start an agent', () => prepareAndFork(deps, resolved));
  return deps.capacity.within({ action_id, sprint: state.sprint }, start);
}

async function prepareAndFork(deps: SpawnerDeps, resolved: Resolved): Promise<SpawnReply> {
  const { processes } = deps.store;
  const { request, state, task, role } = resolved;
  const issue_number = request.issue_number ?? task.issue_number;
  if (issue_number === null) {
    throw new ShellError('ISSUE_MISSING', { sprint_id: state.sprint_id, task_id: task.id });
  }
  const worktree = await deps.worktrees.prepare({
    state,
    task,
    role,
    request: { ...request, mode: resolved.mode },
    credential: await deps.credentials.forRole(state.sprint, 'author'),
    previous: processes.latest(state.sprint_id, task.id, role),
    author: processes.latest(state.sprint_id, task.id, 'author'),
    delivered: (sha) => deliveredHeads(deps.store, state.sprint_id, task.id).has(sha),
  });
  return fork(deps, resolved, worktree, issue_number);
}

/** The record of an action that was carried out before. */
function recorded(row: ProcessRow, request: SpawnRequest): SpawnReply {
  const same =
    row.sprint_id === request.sprint_id &&
    row.task_id === request.task_id &&
    row.agent_id === request.agent_id;
  if (!same) {
    const issues = [`action_id: it belongs to ${row.sprint_id}/${row.task_id} of agent ${row.agent_id}`];
    throw new ShellError('REQUEST_INVALID', { issues });
  }
  const { pid, process_id, worktree, branch, base_sha } = row;
  if (pid === null)
    throw new ShellError('SPAWN_FAILED', {
      process_id,
      reason: 'it never came to run; start it with a new action',
    });
  return { ok: true, pid, process_id, worktree, branch, base_sha, existing: true };
}

async function resolveRequest(
  deps: SpawnerDeps,
  request: SpawnRequest,
  action_id: string,
): Promise<Resolved> {
  const state = await loadState(deps.store, request.sprint_id);
  const task = wantedTaskOf(state, request.task_id);
  if (request.repo !== state.sprint.repo) {
    throw new ShellError('REPO_MISMATCH', { repo: request.repo, expected: state.sprint.repo });
  }
  const role = request.role ?? 'author';
  // attempt counts authors' spawns; a reviewer reviews the current one.
  const attempt = request.attempt ?? (role === 'author' ? task.attempt + 1 : Math.max(1, task.attempt));
  const mode = request.mode ?? (role === 'author' ? 'start' : 'review');
  return { request, state, task, action_id, role, mode, attempt };
}

/** No second process for an agent, nor for a role of a task whose first may live: rows and /proc are both asked. */
async function refuseBusy({ store, table }: SpawnerDeps, request: SpawnRequest, role: Role): Promise<void> {
  const { processes } = store;
  const { sprint_id, task_id, agent_id } = request;
  const ofTask = (row: ProcessRow): boolean =>
    row.sprint_id === sprint_id && row.task_id === task_id && row.role === role;
  for (const row of processes.open()) {
    if (row.agent_id !== agent_id && !ofTask(row)) continue;
    if (await table.reconcile(row)) continue;
    const { process_id } = row;
    if (row.agent_id !== agent_id) throw new ShellError('TASK_BUSY', { task_id, role, process_id });
    throw new ShellError('AGENT_BUSY', {
      agent_id,
      process_id,
      sprint_id: row.sprint_id,
      task_id: row.task_id,
    });
  }
  refuseSurvivors(processes, { sprint_id, task_id, role });
}

/** A settled process whose children outlived it would still write into the worktree. */
function refuseSurvivors(
  processes: Processes,
  { sprint_id, task_id, role }: { readonly sprint_id: string; readonly task_id: string; readonly role: Role },
): void {
  const rows = processes.list(sprint_id).filter((row) => row.task_id === task_id && row.role === role);
  const [survivor] = taggedProcesses(new Set(rows.map((row) => row.process_id)));
  if (survivor !== undefined)
    throw new ShellError('TASK_BUSY', { task_id, role, process_id: survivor.process_id });
}

async function fork(
  deps: SpawnerDeps,
  resolved: Resolved,
  worktree: PreparedWorktree,
  issue_number: number,
): Promise<SpawnReply> {
  const { config, paths, store, log, table } = deps;
  const { state, request } = resolved;
  const process_id = deps.random.uuid();
  const agent_token = randomToken();
  const files = agentFiles(paths, process_id);
  const unconfined = rowOf(resolved, worktree, process_id, logFile(paths, process_id));
  const sandbox = (await deps.isolation.sandboxOf(state.sprint, unconfined)) ?? null;
  const sandboxed = sandbox === null ? null : { by: 'bubblewrap' as const, network: sandbox.network };
  const row: ProcessRow = { ...unconfined, sandboxed };
  const workspace = await deps.workspaces.prepare({ state, task: resolved.task, row }, worktree.reused);
  deps.workspaces.assertThere(row);
  // Given up since it was asked for: who ended the sprint saw no process to stop.
  wantedTaskOf(await loadState(store, state.sprint_id), row.task_id);
  const order = orderOf({
    row,
    state,
    task: resolved.task,
    request,
    issue_number,
    head_sha: worktree.order_head,
    base_head: worktree.base_head,
    clone_url: worktree.clone_url,
    session_file: sessionFile(paths, row.sprint_id, row.task_id, row.role),
    budget: runBudgetOf(state, resolved.task),
    trusted_objects: join(mirrorDir(paths, state.sprint.host, state.sprint.repo), 'objects'),
    heartbeat_ms: config.heartbeat_ms,
    shell_url: deps.url(),
    shell_file: paths.address_file,
    agent_token,
    workspace,
    sandbox,
  });
  writeOrder(files.order, order);
  // From here on a crash leaves a row that says what may be running.
  try {
    await store.processes.begin(row, tokenHash(agent_token));
  } catch (error) {
    // Nobody will read it, and it holds a token.
    rmSync(files.order, { force: true });
    throw error;
  }
  const pid = await table.start(row, {
    command: process.execPath,
    args: [config.harness_bin, 'start'],
    cwd: worktree.path,
    env: agentEnvironment({
      env: config.env,
      sprint: state.sprint,
      token_envs: config.token_envs,
      process_id,
      order_file: files.order,
    }),
    output_file: files.harness_log,
  });
  const { agent_id, sprint_id, task_id, role, mode, attempt } = row;
  const about = { process_id, pid, agent_id, sprint_id, task_id, role, mode, attempt, sandboxed };
  log.info(about, 'agent started');
  const { branch, base_sha } = worktree;
  return { ok: true, pid, process_id, worktree: worktree.path, branch, base_sha, existing: false };
}

function rowOf(
  resolved: Resolved,
  worktree: PreparedWorktree,
  process_id: string,
  log_file: string,
): ProcessRow {
  const { request, action_id, role, mode, attempt } = resolved;
  return {
    process_id,
    action_id,
    agent_id: request.agent_id,
    sprint_id: request.sprint_id,
    task_id: request.task_id,
    role,
    mode,
    attempt,
    pid: null,
    start_ticks: null,
    boot_id: bootId(),
    pid_ns: pidNamespace(),
    pgid: null,
    worktree: worktree.path,
    branch: worktree.branch,
    base_sha: worktree.base_sha,
    log_file,
    state: 'spawning',
    exit: null,
  };
}
