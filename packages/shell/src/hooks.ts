import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { type Launched, launch } from '@caloron/capabilities/launch';
import { taggedProcesses } from '@caloron/capabilities/process-identity';
import { messageOf } from '@caloron/noether/errors';
import type { Store } from '@caloron/store';
import {
  type DagState,
  HookEnd,
  keys,
  Order,
  type OrderWorkspace,
  Paused,
  type ProcessRow,
  type Task,
} from '@caloron/types';

import { agentEnvironment } from './agent-env.ts';
import type { ShellConfig } from './config.ts';
import { writeOrder } from './order.ts';
import { agentFiles, type ShellPaths } from './paths.ts';
import { killAll } from './signals.ts';

/** One hook around the life of a worktree. */
export interface HookRun {
  readonly state: DagState;
  readonly task: Task;
  /** The process it is run for: its tag, and whose log gets the output. */
  readonly row: ProcessRow;
  readonly workspace: OrderWorkspace;
  readonly hook: 'after_create' | 'before_remove';
  readonly argv: readonly string[];
}

/** Why a hook failed. */
export interface HookFailure {
  readonly hook: HookRun['hook'];
  readonly argv: readonly string[];
  readonly reason: string;
  /** The end of what it said. */
  readonly tail: string;
  /** Whether it was not let come to its end, or not begun: it is to be run once that is over. */
  readonly broken_off: boolean;
}

/** Runs hooks; never throws. */
export interface Hooks {
  /** Null when it ended well. */
  run(run: HookRun): Promise<HookFailure | null>;
  /** Ends those under way; none is begun any more. */
  close(): Promise<void>;
}

/** What hooks need. */
export interface HooksDeps {
  readonly config: ShellConfig;
  readonly paths: ShellPaths;
  /** The sandbox of a process of the sprint; null or undefined where there is none. */
  readonly sandboxOf: (state: DagState, row: ProcessRow) => Promise<unknown>;
  /** Who stopped a sprint in an emergency stands there. */
  readonly kv: Pick<Store['kv'], 'get'>;
}

/** What a harness may take beside the hook itself, in milliseconds: to start, to end the hook's group, to stop. */
const BESIDE_MS = 20_000;

/** How often it is looked whether a hook under way may go on, in milliseconds. */
const LOOK_MS = 200;

/**
 * Hooks are run by a harness of their own, as an agent's programs are: confined where agents are, in a group that is ended with
 * all it started, with an environment that is an allow-list. A worktree holds what an agent wrote, so no command runs in it in
 * the shell's own process or with its environment.
 */
export function createHooks({ config, paths, sandboxOf, kv }: HooksDeps): Hooks {
  const under_way = new Set<Promise<unknown>>();
  let closed = false;

  /** Why no hook of a sprint may run now; null where one may. */
  async function forbidden({ sprint_id, status }: DagState): Promise<string | null> {
    if (closed) return 'the shell ended';
    if (status === 'completed' || status === 'cancelled') return null;
    const found = await kv.get(keys.paused(sprint_id));
    return Paused.safeParse(found?.value).data?.stopped === true
      ? 'it was ended by an emergency stop of the sprint'
      : null;
  }

  async function runOne(given: HookRun): Promise<HookFailure | null> {
    const { state, row, workspace, hook, argv } = given;
    const { process_id } = row;
    const { dir, harness_log } = agentFiles(paths, process_id);
    const order_file = join(dir, `${hook}.json`);
    const end_file = join(dir, `${hook}.end.json`);
    const failed = (reason: string, tail = '', broken_off = false): HookFailure => ({
      hook,
      argv,
      reason,
      tail,
      broken_off,
    });
    try {
      rmSync(order_file, { force: true });
      rmSync(end_file, { force: true });
      const sandbox = (await sandboxOf(state, row)) ?? null;
      writeOrder(order_file, hookOrder(given, sandbox));
      const { env, token_envs, harness_bin } = config;
      const not_now = await forbidden(state);
      if (not_now !== null) return failed(not_now, '', true);
      const started = await launch({
        command: process.execPath,
        args: [harness_bin, 'hook'],
        cwd: dir,
        env: agentEnvironment({ env, sprint: state.sprint, token_envs, process_id, order_file }),
        output_file: harness_log,
      });
      const ended = await endOf(started, workspace.hook_timeout_ms + BESIDE_MS, () => forbidden(state));
      // It has ended, may not go on, or took longer than it can: nothing of it may go on in the worktree.
      await killAll(() => taggedProcesses(new Set([process_id])));
      // Whoever stops a sprint ends hooks by their processes too, and may be faster than the look above.
      const stopped = await forbidden(state);
      if (stopped !== null) return failed(stopped, '', true);
      if (ended === 'late') return failed(`it was ended after ${workspace.hook_timeout_ms} ms`);
      const { reason, tail } = HookEnd.parse(JSON.parse(readFileSync(end_file, 'utf8')));
      return reason === null ? null : failed(reason, tail);
    } catch (error) {
      return failed(`it could not be run: ${messageOf(error)}`);
    } finally {
      rmSync(order_file, { force: true });
    }
  }

  return {
    run(given) {
      const running = runOne(given);
      under_way.add(running);
      return running.finally(() => under_way.delete(running));
    },
    async close() {
      closed = true;
      await Promise.all(under_way);
    },
  };
}

/** Waits for the end of a hook, its time limit, or a reason that it may not go on. */
async function endOf(
  { exited }: Pick<Launched, 'exited'>,
  limit_ms: number,
  forbidden: () => Promise<string | null>,
): Promise<'ended' | 'late' | 'forbidden'> {
  const deadline = performance.now() + limit_ms;
  const ended = exited.then(() => 'ended' as const);
  while (performance.now() < deadline) {
    const look = delay(LOOK_MS, null, { ref: false });
    if ((await Promise.race([ended, look])) === 'ended') return 'ended';
    if ((await forbidden()) !== null) return 'forbidden';
  }
  return 'late';
}

/** The order of a harness that runs a hook: what the hook is about, nothing to report to and no token. */
function hookOrder({ state, task, row, workspace, hook, argv }: HookRun, sandbox: unknown): Order {
  const { sprint } = state;
  const { process_id, sprint_id, agent_id, role, mode, attempt, worktree, branch, base_sha, log_file } = row;
  return Order.parse({
    v: 1,
    process_id,
    sprint_id,
    agent_id,
    role,
    mode,
    attempt,
    worktree,
    branch,
    base_sha,
    log_file,
    task: {
      id: task.id,
      title: task.title,
      description: '',
      issue_number: task.issue_number ?? 1,
      pr_number: task.pr_number,
    },
    repo: sprint.repo,
    host: sprint.host,
    clone_url: '',
    base_branch: sprint.base_branch,
    head_sha: null,
    conventions: '',
    instruction: null,
    verify: [],
    timeout_ms: workspace.hook_timeout_ms,
    untrusted: [],
    heartbeat_ms: 60_000,
    framework: { name: sprint.framework, options: sprint.framework_options },
    shell_url: '',
    agent_token: '',
    workspace: { ...workspace, hook: { name: hook, argv: [...argv] } },
    ...(sandbox === null ? {} : { sandbox }),
  });
}
