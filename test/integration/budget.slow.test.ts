import { rmSync } from 'node:fs';
import { join } from 'node:path';

import { git } from '@caloron/capabilities/git';
import { systemClock } from '@caloron/capabilities/clock';
import { systemRandom } from '@caloron/capabilities/random';
import { createRuntime, findHome, loadGraph, readEnvironment, type Runtime } from '@caloron/scheduler';
import { type AgentInfo, DagState, keys, type Task } from '@caloron/types';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { z } from 'zod';

import {
  editJson,
  environment,
  type ForgeWorld,
  forgeWorld,
  must,
  run,
  serve,
  type Serving,
  temporaryDirectory,
  writeText,
} from '../support/bins.ts';
import { killProcessesOf } from '../support/processes.ts';
import { ROOT } from '../support/tree.ts';

const TICK = join(ROOT, 'compositions/sprint_tick.json');
const SPRINT = 'thrift';
/** Longest a state may take that a few ticks, heartbeats and starts of agents bring about. */
const DEADLINE_MS = 20_000;

let dir: string;
let home: string;
let world: ForgeWorld;
let env: Readonly<Record<string, string>>;
let runtime: Runtime;
const serving: Serving[] = [];

beforeEach(async () => {
  dir = temporaryDirectory();
  home = join(dir, 'home');
  world = await forgeWorld(dir);
  serving.push(world.forge);
  env = environment({ ...world.tokens, USER: 'ada', CALORON_HEARTBEAT_MS: '200' });
  const forge = ['--repo', world.repo, '--host', world.forge.url, '--token-env', 'CALORON_FORGE_TOKEN'];
  await caloron('init', ...forge, '--framework', 'stub');
});

afterEach(async () => {
  runtime.close();
  for (const { stop } of serving.splice(0).reverse()) await stop();
  killProcessesOf(dir);
  rmSync(dir, { recursive: true, force: true });
});

function caloron(...args: readonly string[]): Promise<string> {
  return must('caloron', [...args, '--home', home], { cwd: dir, env });
}

/** Starts the shell on these settings, and a sprint of these tasks. */
async function begin(settings: object, ...tasks: readonly string[]): Promise<void> {
  editJson(join(home, 'caloron.json'), {
    framework_options: { script_dir: join(dir, 'scripts') },
    num_agents: tasks.length,
    required_approvals: 0,
    ...settings,
  });
  const shell = await serve('caloron-shell', ['--port', '0', '--home', home], { cwd: home, env });
  serving.push(shell);
  env = { ...env, CALORON_SHELL_URL: shell.url };
  const found = findHome({ flag: home, cwd: dir, variables: {} });
  runtime = createRuntime({
    home: found,
    environment: readEnvironment(env, found),
    clock: systemClock,
    random: systemRandom,
  });
  const brief = tasks.map((task) => `- [${task}] Write ${task}`).join('\n');
  await caloron('kickoff', brief, '--repo', world.repo, '--sprint-id', SPRINT);
}

/** First attempt: some work, then tokens, then more work for as long as it may; the second ends what was begun. */
function script(task: string, input: number, work_ms: number): void {
  const waits = Array.from({ length: work_ms / 100 }, () => ({ wait_ms: 100 }));
  const use = { use: { model: 'm-1', input, output: 100 } };
  const begun = [{ write: `${task}.txt`, content: 'half\n' }, use, ...waits, { commit: `Write ${task}` }];
  const rest = [
    { replace: `${task}.txt`, find: 'half', with: 'whole' },
    { use: { model: 'm-1', input: 10, output: 5 } },
    { commit: `Write ${task}` },
  ];
  const attempts = [{ steps: begun }, { steps: rest }];
  writeText(join(dir, 'scripts', `${task}.json`), JSON.stringify({ v: 1, attempts }));
}

async function tasks(): Promise<Readonly<Record<string, Task>>> {
  return DagState.parse((await runtime.store.kv.get(keys.state(SPRINT)))?.value).tasks;
}

function alive(): readonly AgentInfo[] {
  return runtime.store.processes.agents(SPRINT).filter((agent) => agent.alive);
}

/** Ticks until the tasks stand as expected; `always` is looked at after each tick. */
async function ticksUntil(
  expected: (now: Readonly<Record<string, Task>>) => void,
  always: () => void = () => undefined,
): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const input = { sprint_id: SPRINT, repo: world.repo };
    const result = await runtime.run({ graph: loadGraph(TICK), graph_name: TICK, input });
    if (!result.ok) throw new Error(`${result.error.code}: ${result.error.message}`);
    const now = await tasks();
    always();
    try {
      return expected(now);
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
  }
}

const Comments = z.array(z.object({ body: z.string() }));
const Issue = z.object({ labels: z.array(z.object({ name: z.string() })) });

async function forgeGet(path: string): Promise<unknown> {
  const headers = { authorization: `Bearer ${world.tokens.CALORON_FORGE_TOKEN}` };
  return (await fetch(`${world.forge.url}/repos/${world.repo}${path}`, { headers })).json();
}

it('G5 O7 D19 O6 an agent that uses up its budget is paused with its work, asks, and goes on in the same worktree once it is approved', async () => {
  script('one', 900, 20_000);
  const prices = { default: { input: 3, output: 15 } };
  await begin({ budget: { agent: { tokens: 1000 }, sprint: { cost_usd: 5 } }, prices }, 'one');

  await ticksUntil((now) => expect(now['one']?.status).toBe('Blocked'));
  const { one } = await tasks();
  expect(one?.status_reason).toBe('budget_exceeded: one run has used 1 000 tokens of 1 000 tokens');
  expect(one).toMatchObject({ attempt: 1, failed_attempts: 0, process_id: null });
  expect(one?.runs).toMatchObject([{ over: true, usage: [{ model: 'm-1', input: 900, output: 100 }] }]);
  // Its report comes before its end.
  await vi.waitFor(() => expect(alive()).toEqual([]), { timeout: 10_000, interval: 50 });

  const clone = join(home, '.caloron/tasks', SPRINT, 'one.git');
  const saved = `refs/caloron/wip/${SPRINT}/one`;
  await vi.waitFor(
    async () => {
      const listed = await git(['for-each-ref', '--format=%(refname)', saved], { git_dir: clone });
      const [ref = ''] = listed.stdout.trim().split('\n');
      expect((await git(['show', `${ref}:one.txt`], { git_dir: clone })).stdout).toContain('half');
    },
    { timeout: 10_000, interval: 200 },
  );
  expect(await caloron('wip', 'list')).toContain('one');

  const number = one?.issue_number ?? 0;
  await ticksUntil((now) => expect(now['one']?.budget?.breach?.comment_id).toBeGreaterThan(0));
  const said = Comments.parse(await forgeGet(`/issues/${number}/comments`)).filter(({ body }) =>
    body.includes('needs an approval'),
  );
  expect(said).toHaveLength(1);
  expect(said[0]?.body).toContain('one run has used 1 000 tokens of 1 000 tokens');
  expect(said[0]?.body).toContain('./caloron approve one');
  const labels = async (): Promise<readonly string[]> =>
    Issue.parse(await forgeGet(`/issues/${number}`)).labels.map(({ name }) => name);
  expect(await labels()).toContain('caloron:needs-approval');

  expect(await caloron('status')).toContain('used 1 000 tokens, $0.004200 of $5.00');
  expect(await caloron('show', 'one')).toContain('./caloron approve one');
  const wrong = await run('caloron', ['approve', 'one', '--tokens', '-5', '--home', home], { cwd: dir, env });
  expect(wrong.code).toBe(1);
  expect(wrong.stderr).toContain('--tokens');

  expect(await caloron('approve', 'one')).toContain('The next tick lets it go on');
  await ticksUntil((now) => expect(now['one']?.status).toBe('Done'));
  const done = (await tasks())['one'];
  expect(done).toMatchObject({ attempt: 2, failed_attempts: 0, budget: { approved: { n: 1, by: 'ada' } } });
  const seed = join(dir, 'seed');
  const credential = { username: 'x-access-token', token: world.tokens.CALORON_FORGE_TOKEN };
  await git(['fetch', '--quiet', `${world.forge.url}/${world.repo}.git`, 'main'], { cwd: seed, credential });
  expect((await git(['show', 'FETCH_HEAD:one.txt'], { cwd: seed })).stdout).toContain('whole');
  expect(await labels()).not.toContain('caloron:needs-approval');
  expect(await caloron('status')).toContain('used 1 015 tokens');
});

it('G5 two agents are not both started where what is left pays only one of them', async () => {
  for (const task of ['one', 'two']) script(task, 100, 0);
  await begin({ budget: { agent: { tokens: 1000 }, sprint: { tokens: 1500 } } }, 'one', 'two');

  let waited = '';
  let most = 0;
  await ticksUntil(
    (now) => expect(Object.values(now).map(({ status }) => status)).toEqual(['Done', 'Done']),
    () => {
      most = Math.max(most, alive().length);
      const state = runtime.store.kv.get(keys.state(SPRINT));
      void state.then((found) => {
        const all = Object.values(DagState.parse(found?.value).tasks);
        waited =
          all.find(({ status_reason }) => status_reason?.startsWith('budget: '))?.status_reason ?? waited;
      });
    },
  );

  expect(most).toBe(1);
  expect(waited).toBe(
    'budget: needs 1 000 tokens of 500 tokens that runs at work leave of the limit of the sprint',
  );
});
