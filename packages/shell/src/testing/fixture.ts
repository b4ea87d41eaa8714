import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { systemClock } from '@caloron/capabilities/clock';
import { createLogger } from '@caloron/capabilities/logger';
import { systemRandom } from '@caloron/capabilities/random';
import { openStore, type Store } from '@caloron/store';
import { newTask, type DagState, Order, type SpawnRequest, type Sprint, type Task } from '@caloron/types';
import { z } from 'zod';

import { readConfig, type ShellConfig } from '../config.ts';
import { type RunningShell, startShell } from '../start.ts';
import { commitTo, makeRemote } from './remote.ts';

/** The shell token of every test shell. */
export const SHELL_TOKEN = 'the-shell-token-of-this-test';

/** Forge tokens no agent may see. */
export const FORGE_TOKEN = 'forge-secret-0123456789';
export const REVIEWER_TOKEN = 'reviewer-secret-0123456789';

const AT = '2026-04-14T08:30:00.000Z';

/** What the fake harness saw of its start. */
const Seen = z.object({
  order: Order,
  env: z.record(z.string(), z.string()),
  argv: z.array(z.string()),
  cwd: z.string(),
});
export type Seen = z.infer<typeof Seen>;

/** A home, a repository that stands for the forge, and shells started on them. */
export interface Fixture {
  readonly home: string;
  /** Bare repository behind `acme/widgets`. */
  readonly remote: string;
  readonly base_sha: string;
  readonly config: ShellConfig;
  /** A store of the test's own on the same file. */
  readonly store: Store;
  start(changes?: Partial<ShellConfig>): Promise<RunningShell>;
  /** Kicks off sprint `s1` with tasks `t1` (agent-1, reviewer agent-9) and `t2` (agent-1). */
  kickoff(changes?: Partial<Task>, sprint?: Partial<Sprint>): Promise<DagState>;
  /** Changes a task of sprint `s1`, as a tick would. */
  becomes(task_id: string, changes: Partial<Task>): Promise<void>;
  /** Commits files on a branch of the forge's repository, made of `from` when it is new; gives the commit. */
  commit(branch: string, files: Readonly<Record<string, string>>, from?: string): Promise<string>;
  /** What the process's fake harness saw, once it has. */
  seen(process_id: string): Promise<Seen>;
  close(): Promise<void>;
}

/** Waits until `what` gives something, at most 10 s. */
export async function eventually<T>(what: () => T | undefined | false): Promise<T> {
  const deadline = performance.now() + 30_000;
  for (;;) {
    const found = what();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) throw new Error('it did not happen within 30 s');
    await delay(20);
  }
}

/** A spawn of `t1` by `agent-1`. */
export function spawnOf(changes: Partial<SpawnRequest> = {}): SpawnRequest {
  return { sprint_id: 's1', task_id: 't1', agent_id: 'agent-1', repo: 'acme/widgets', ...changes };
}

/** Makes a home and a forge repository with one commit on `main`. */
export async function createFixture(): Promise<Fixture> {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'caloron-shell-')));
  const home = join(root, 'home');
  const remote = join(root, 'forge.git');
  const base_sha = await makeRemote(remote);
  const config = configOf(home, root);
  const running: RunningShell[] = [];
  const opened: Store[] = [];
  const storeOf = (): Store => {
    const [first] = opened;
    if (first !== undefined) return first;
    mkdirSync(dirname(config.db), { recursive: true });
    const store = openStore(config.db, { clock: systemClock, uuid: () => systemRandom.uuid() });
    opened.push(store);
    return store;
  };

  return {
    home,
    remote,
    base_sha,
    config,
    get store() {
      return storeOf();
    },
    async start(changes = {}) {
      const log = createLogger({ name: 'test', level: 'silent' });
      const shell = await startShell({ ...config, ...changes }, { log, remote_url: () => remote });
      running.push(shell);
      return shell;
    },
    async kickoff(changes = {}, sprint = {}) {
      const plain = stateOf(changes);
      const state = { ...plain, sprint: { ...plain.sprint, ...sprint } };
      await storeOf()
        .forRun({ run_id: 'test', lease: null })
        .state.commit({
          sprint_id: 's1',
          expect_rev: 0,
          state,
          cursors: { v: 1, log_seq: 0, forge: {} },
          last_poll: null,
          events: [],
          actions: [],
          announce: [],
          puts: {},
          now: AT,
        });
      return state;
    },
    async becomes(task_id, changes) {
      const { state: store } = storeOf().forRun({ run_id: 'test', lease: null });
      const { rev, state, cursors } = await store.load('s1');
      const task = { ...knownTask(state, task_id), ...changes };
      const tasks = { ...state.tasks, [task_id]: task };
      const nothing = { last_poll: null, events: [], actions: [], announce: [], puts: {} };
      await store.commit({
        sprint_id: 's1',
        expect_rev: rev,
        state: { ...state, tasks },
        cursors,
        ...nothing,
        now: AT,
      });
    },
    commit: (branch, files, from) => commitTo(remote, branch, files, from),
    seen: (process_id) =>
      eventually(() => readSeen(join(home, '.caloron', 'agents', process_id, 'seen.json'))),
    async close() {
      for (const shell of running) await shell.close();
      for (const store of opened) {
        for (const { pid } of store.processes.open()) if (pid !== null) killGroup(pid);
        store.close();
      }
      rmSync(root, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

function knownTask(state: DagState, task_id: string): Task {
  const task = state.tasks[task_id];
  if (task === undefined) throw new Error(`the fixture has no task ${task_id}`);
  return task;
}

function configOf(home: string, root: string): ShellConfig {
  const env = {
    PATH: readConfig({}).env['PATH'],
    HOME: root,
    LANG: 'C.UTF-8',
    LC_ALL: 'C.UTF-8',
    NODE_OPTIONS: '--no-warnings',
    CALORON_SHELL_TOKEN: SHELL_TOKEN,
    CALORON_FORGE_TOKEN: FORGE_TOKEN,
    CALORON_REVIEWER_TOKEN: REVIEWER_TOKEN,
    GITHUB_TOKEN: 'github-secret-0123456789',
    ANTHROPIC_API_KEY: 'model-key',
    OPENAI_API_KEY: 'other-model-key',
    DATABASE_PASSWORD: 'hunter2',
    EXTRA: 'wanted',
    CALORON_HARNESS_BIN: join(import.meta.dirname, 'fake-harness.mjs'),
  };
  return readConfig({ home, port: '0' }, env, root);
}

function readSeen(file: string): Seen | undefined {
  try {
    return Seen.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    // Not there yet, or half of it.
    return undefined;
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

function taskOf(id: string, changes: Partial<Task>): Task {
  return {
    ...newTask(
      's1',
      {
        id,
        title: `Task ${id}`,
        description: 'Do it.',
        depends_on: [],
        agent_id: 'agent-1',
        reviewer_id: 'agent-9',
      },
      AT,
    ),
    status: 'Ready',
    issue_number: 7,
    reviewer_run: null,
    ...changes,
  };
}

function stateOf(changes: Partial<Task>): DagState {
  return {
    v: 1,
    sprint_id: 's1',
    sprint: {
      sprint_id: 's1',
      goal: 'Widgets',
      repo: 'acme/widgets',
      host: 'http://127.0.0.1:9',
      base_branch: 'main',
      token_env: 'CALORON_FORGE_TOKEN',
      reviewer_token_env: 'CALORON_REVIEWER_TOKEN',
      agent_logins: [],
      reviewer_logins: [],
      human_logins: [],
      required_approvals: 1,
      max_review_cycles: 3,
      max_attempts: 3,
      stall_threshold_m: 20,
      cooldown_m: 10,
      merge_method: 'squash',
      verify: [['true']],
      framework: 'claude-code',
      framework_options: { pass_env: 'EXTRA GITHUB_TOKEN' },
      agent_timeout_ms: 60_000,
      conventions: 'Be kind.',
    },
    order: ['t1', 't2'],
    tasks: { t1: taskOf('t1', changes), t2: taskOf('t2', { issue_number: 8 }) },
    status: 'active',
  };
}

/** The sprint the fixture's agents work in. */
export const exampleSprint = stateOf({}).sprint;
