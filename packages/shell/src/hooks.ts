import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { launch } from '@caloron/capabilities/launch';
import { taggedProcesses } from '@caloron/capabilities/process-identity';
import { messageOf } from '@caloron/noether/errors';
import {
  type DagState,
  HookEnd,
  Order,
  type OrderWorkspace,
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
}

/** Runs hooks; never throws. */
export interface Hooks {
  /** Null when it ended well. */
  run(run: HookRun): Promise<HookFailure | null>;
}

/** What hooks need. */
export interface HooksDeps {
  readonly config: ShellConfig;
  readonly paths: ShellPaths;
  /** The sandbox of a process of the sprint; null or undefined where there is none. */
  readonly sandboxOf: (state: DagState, row: ProcessRow) => Promise<unknown>;
}

/** What a harness may take beside the hook itself, in milliseconds: to start, to end the hook's group, to stop. */
const BESIDE_MS = 20_000;

/**
 * Hooks are run by a harness of their own, as an agent's programs are: confined where agents are, in a group that is ended with
 * all it started, with an environment that is an allow-list. A worktree holds what an agent wrote, so no command runs in it in
 * the shell's own process or with its environment.
 */
export function createHooks({ config, paths, sandboxOf }: HooksDeps): Hooks {
  return {
    async run({ state, task, row, workspace, hook, argv }) {
      const { process_id } = row;
      const { dir, harness_log } = agentFiles(paths, process_id);
      const order_file = join(dir, `${hook}.json`);
      const end_file = join(dir, `${hook}.end.json`);
      const failed = (reason: string, tail = ''): HookFailure => ({ hook, argv, reason, tail });
      try {
        rmSync(order_file, { force: true });
        rmSync(end_file, { force: true });
        const sandbox = (await sandboxOf(state, row)) ?? null;
        const order = hookOrder({ state, task, row, workspace, hook, argv }, sandbox);
        writeOrder(order_file, order);
        const { sprint } = state;
        const { env, token_envs, harness_bin } = config;
        const started = await launch({
          command: process.execPath,
          args: [harness_bin, 'hook'],
          cwd: dir,
          env: agentEnvironment({ env, sprint, token_envs, process_id, order_file }),
          output_file: harness_log,
        });
        const limit = delay(workspace.hook_timeout_ms + BESIDE_MS, 'late' as const, { ref: false });
        const ended = await Promise.race([started.exited, limit]);
        // It has ended, or took longer than it can: nothing of it may go on in the worktree.
        await killAll(() => taggedProcesses(new Set([process_id])));
        if (ended === 'late') return failed(`it was ended after ${workspace.hook_timeout_ms} ms`);
        const { reason, tail } = HookEnd.parse(JSON.parse(readFileSync(end_file, 'utf8')));
        return reason === null ? null : failed(reason, tail);
      } catch (error) {
        return failed(`it could not be run: ${messageOf(error)}`);
      } finally {
        rmSync(order_file, { force: true });
      }
    },
  };
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
