import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { systemClock } from '@caloron/capabilities/clock';
import { systemRandom } from '@caloron/capabilities/random';
import { createRuntime, findHome, loadGraph, readEnvironment, type Runtime } from '@caloron/scheduler';
import { DagState, keys, type Task } from '@caloron/types';
import { afterAll, beforeAll, expect, it } from 'vitest';

import {
  editJson,
  environment,
  forgeWorld,
  type ForgeWorld,
  must,
  serve,
  type Serving,
  temporaryDirectory,
  writeText,
} from '../support/bins.ts';
import { killProcessesOf, processesOf } from '../support/processes.ts';
import { ROOT } from '../support/tree.ts';

const TICK = join(ROOT, 'compositions/sprint_tick.json');
const SPRINT = 'alive';
/** Minutes without a sign after which an agent is asked: five seconds; after twice that it is lost. */
const THRESHOLD_M = 0.08;
/** Longer than an agent may be silent before it is lost. */
const ASLEEP_MS = 10_000;
const DEADLINE_MS = 60_000;

let dir: string;
let home: string;
let world: ForgeWorld;
let shell: Serving;
let runtime: Runtime;
let env: Readonly<Record<string, string>>;

function script(task: string, ...attempts: readonly (readonly object[])[]): void {
  const told = attempts.map((steps) => ({ steps }));
  writeText(join(dir, 'scripts', `${task}.json`), JSON.stringify({ v: 1, attempts: told }));
}

const work = (task: string) => [{ write: `${task}.txt`, content: 'done\n' }, { commit: `Write ${task}` }];

beforeAll(async () => {
  dir = temporaryDirectory();
  home = join(dir, 'home');
  world = await forgeWorld(dir);
  const forge = ['--repo', world.repo, '--host', world.forge.url, '--token-env', 'CALORON_FORGE_TOKEN'];
  await must('caloron', ['init', ...forge, '--framework', 'stub', '--home', home], { cwd: dir });
  editJson(join(home, 'caloron.json'), {
    framework_options: { script_dir: join(dir, 'scripts') },
    num_agents: 3,
    required_approvals: 0,
    stall_threshold_m: THRESHOLD_M,
    cooldown_m: 0.01,
  });
  const hang = { run: ['sh', '-c', 'echo compiling; while :; do sleep 1; done'] };
  script('hung', [{ write: 'half.txt', content: 'done\n' }, hang], work('hung'));
  script('asked', [{ await_nudge_ms: 600_000 }, ...work('asked')]);
  // Computes a tenth of the time, and prints nothing.
  const busy = 'while [ ! -e built ]; do i=0; while [ $i -lt 50000 ]; do i=$((i+1)); done; sleep 0.2; done';
  script('build', [{ run: ['sh', '-c', busy] }, ...work('build')]);
  env = environment({ ...world.tokens, CALORON_HEARTBEAT_MS: '200' });
  shell = await serve('caloron-shell', ['--port', '0', '--home', home], { cwd: home, env });
  env = { ...env, CALORON_SHELL_URL: shell.url };
  const found = findHome({ flag: home, cwd: dir, variables: {} });
  runtime = createRuntime({
    home: found,
    environment: readEnvironment(env, found),
    clock: systemClock,
    random: systemRandom,
  });
});

afterAll(async () => {
  runtime.close();
  await shell.stop();
  await world.forge.stop();
  killProcessesOf(dir);
  rmSync(dir, { recursive: true, force: true });
});

async function tasks(): Promise<Readonly<Record<string, Task>>> {
  return DagState.parse((await runtime.store.kv.get(keys.state(SPRINT)))?.value).tasks;
}

async function tick(): Promise<void> {
  const input = { sprint_id: SPRINT, repo: world.repo };
  const result = await runtime.run({ graph: loadGraph(TICK), graph_name: TICK, input });
  if (!result.ok) throw new Error(`${result.error.code}: ${result.error.message}`);
}

async function ticksUntil(expected: (now: Readonly<Record<string, Task>>) => void): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    await tick();
    try {
      return expected(await tasks());
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
    await delay(200);
  }
}

function signal(pid: number, name: 'SIGSTOP' | 'SIGCONT'): void {
  try {
    process.kill(pid, name);
  } catch {
    // A command of a moment, which has ended.
  }
}

const processes = async (): Promise<readonly (string | null)[]> =>
  Object.values(await tasks()).map(({ process_id }) => process_id);

it('G1 D14 an agent that hangs is asked and started anew; one that computes, answers or slept is not', async () => {
  const items = ['hung', 'asked', 'build'].map((task) => `- [${task}] The ${task}`).join('\n');
  const kickoff = ['kickoff', items, '--repo', world.repo, '--sprint-id', SPRINT, '--home', home];
  await must('caloron', kickoff, { cwd: dir, env });
  await ticksUntil((now) => expect(Object.values(now).every(({ process_id }) => process_id)).toBe(true));
  await ticksUntil(() => {
    const agents = runtime.store.processes.agents(SPRINT);
    expect(agents.map(({ last_heartbeat_at }) => last_heartbeat_at)).not.toContain(null);
    expect(agents.find(({ task_id }) => task_id === 'build')?.last_cpu_at).toMatch(/Z$/);
  });

  // The machine sleeps: the shell, the agents and all they run. Nobody is lost for what nobody could show.
  const before = await processes();
  const asked = (await tasks())['build']?.intervention_count;
  const asleep = processesOf(dir).filter(({ pid }) => pid !== world.forge.pid);
  for (const { pid } of asleep) signal(pid, 'SIGSTOP');
  await delay(ASLEEP_MS);
  for (const { pid } of asleep) signal(pid, 'SIGCONT');
  await tick();
  expect(await processes()).toEqual(before);
  expect((await tasks())['build']?.intervention_count).toBe(asked);

  await ticksUntil((now) => {
    expect(now['hung']).toMatchObject({ status: 'Done', attempt: 2, failed_attempts: 0 });
    expect(now['asked']).toMatchObject({ status: 'Done', attempt: 1 });
  });
  const { hung, build } = await tasks();
  expect(hung).toMatchObject({ last_stop: { tail: expect.stringContaining('compiling') as string } });
  expect(hung?.last_stop?.wip_ref).toMatch(/^refs\/caloron\/wip\//);
  expect(build).toMatchObject({ status: 'InProgress', attempt: 1 });
  const shown = await must('caloron', ['show', 'build', '--sprint', SPRINT, '--home', home], {
    cwd: dir,
    env,
  });
  expect(shown).toContain('processor time of its processes');
  const account = await must('caloron', ['show', 'hung', '--sprint', SPRINT, '--home', home], {
    cwd: dir,
    env,
  });
  expect(account).toMatch(/probe[^]*restart/);
  expect(account).toContain('(stopped)');

  writeText(join(home, '.caloron/worktrees', SPRINT, 'build', 'built'), '');
  await ticksUntil((now) => expect(now['build']).toMatchObject({ status: 'Done', attempt: 1 }));
}, 120_000);
