import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { systemClock } from '@caloron/capabilities/clock';
import { systemRandom } from '@caloron/capabilities/random';
import { openStore } from '@caloron/store';
import { newTask, type SpawnReply } from '@caloron/types';
import { execa } from 'execa';

import { temporaryHome } from '../support/home.ts';
import { stateOf, storeState } from '../support/stored-sprint.ts';
import { ROOT } from '../support/tree.ts';
import { start, type Started } from './process.ts';

const AT = '2026-01-01T00:00:00.000Z';
const SPRINT = 'bench';
const REPO = 'bench/repository';
const TOKEN = 'bench-token-of-the-shell';

/** A shell with a sprint of many tasks and a repository that stands for the forge's. */
export interface AgentsWorld {
  readonly dir: string;
  /** The repository, with a work tree. */
  readonly remote: string;
  readonly base_sha: string;
  readonly shell: Started;
  /** Kills the shell and starts the next one; resolves when that serves. */
  readonly restart: () => Promise<void>;
  /** Starts the agent of a task; resolves when its process runs. */
  readonly spawn: (task: number) => Promise<SpawnReply>;
  /** The body of `GET /status`. */
  readonly status: () => Promise<unknown>;
  /** Ends agents and shell and removes everything. */
  readonly close: () => Promise<void>;
}

async function repository(dir: string, files: number): Promise<{ remote: string; base_sha: string }> {
  const remote = join(dir, 'remote');
  for (let n = 0; n < files; n += 1) {
    const folder = join(remote, `part-${n % 50}`);
    if (n < 50) mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `file-${n}.txt`), `file ${n}\n${'a line of text\n'.repeat(n % 40)}`);
  }
  const git = (...args: readonly string[]) => execa('git', ['-C', remote, ...args]);
  const bench = ['-c', 'user.name=bench', '-c', 'user.email=bench@example.invalid'];
  await execa('git', ['init', '--quiet', '--initial-branch=main', remote]);
  await git('add', '--all');
  await git(...bench, 'commit', '--quiet', '--message', 'files');
  const { stdout } = await git('rev-parse', 'HEAD');
  return { remote, base_sha: stdout };
}

async function kickoff(db: string, tasks: number): Promise<void> {
  const store = openStore(db, { clock: systemClock, uuid: () => systemRandom.uuid() });
  const all = Array.from({ length: tasks }, (_, n) => ({
    ...newTask(
      SPRINT,
      {
        id: `task-${n}`,
        title: `Task ${n}`,
        description: 'A task of the benchmark.',
        depends_on: [],
        agent_id: `agent-${n}`,
        reviewer_id: 'reviewer-1',
      },
      AT,
    ),
    status: 'Ready' as const,
    issue_number: n + 1,
  }));
  const facts = { sprint_id: SPRINT, goal: 'measure', repo: REPO, host: 'http://127.0.0.1:9' };
  const long = { stall_threshold_m: 20, agent_timeout_ms: 600_000 };
  await storeState(store, stateOf(all, { ...facts, ...long }));
  store.close();
}

function endGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

/** Makes a world with a repository of so many files and a sprint of so many tasks. */
export async function agentsWorld(options: {
  readonly files: number;
  readonly tasks: number;
}): Promise<AgentsWorld> {
  const { dir, remove } = temporaryHome();
  const { remote, base_sha } = await repository(dir, options.files);
  const home = join(dir, 'home');
  mkdirSync(join(home, '.caloron'), { recursive: true });
  await kickoff(join(home, '.caloron', 'caloron.db'), options.tasks);
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: dir,
    CALORON_SHELL_TOKEN: TOKEN,
    CALORON_FORGE_TOKEN: 'bench-token-of-the-forge',
    CALORON_HARNESS_BIN: join(ROOT, 'test/bench/idle-agent.mjs'),
  };
  const startShell = () =>
    start(
      join(ROOT, 'packages/shell/src/testing/shell-process.ts'),
      [JSON.stringify({ home, remote, env })],
      env,
    );
  let shell = await startShell();
  const pids: number[] = [];
  const headers = { 'content-type': 'application/json', 'x-caloron-token': TOKEN };
  const answer = async (response: Response): Promise<unknown> => {
    if (!response.ok) throw new Error(`${response.url}: ${response.status} ${await response.text()}`);
    return response.json();
  };
  return {
    dir,
    remote,
    base_sha,
    get shell() {
      return shell;
    },
    async restart() {
      process.kill(shell.pid, 'SIGKILL');
      await shell.stop();
      shell = await startShell();
    },
    spawn: async (task) => {
      const request = {
        sprint_id: SPRINT,
        task_id: `task-${task}`,
        agent_id: `agent-${task}`,
        repo: REPO,
      };
      const body = JSON.stringify(request);
      const reply = (await answer(
        await fetch(`${shell.url}/spawn`, { method: 'POST', headers, body }),
      )) as SpawnReply;
      pids.push(reply.pid);
      return reply;
    },
    status: async () => answer(await fetch(`${shell.url}/status`, { headers })),
    close: async () => {
      await shell.stop();
      for (const pid of pids) endGroup(pid);
      remove();
    },
  };
}
