import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { systemClock } from '@caloron/capabilities/clock';
import { systemRandom } from '@caloron/capabilities/random';
import { createRuntime, findHome, loadGraph, readEnvironment, type Runtime } from '@caloron/scheduler';
import { addMs, DagState, EndClass, keys, type Task } from '@caloron/types';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { z } from 'zod';

import {
  editJson,
  environment,
  type ForgeWorld,
  forgeWorld,
  must,
  serve,
  type Serving,
  temporaryDirectory,
  writeText,
} from '../support/bins.ts';
import { killProcessesOf } from '../support/processes.ts';
import { ROOT } from '../support/tree.ts';

const TICK = join(ROOT, 'compositions/sprint_tick.json');
const SPRINT = 'classes';
/** How a program ends by itself; what is stopped did not. */
const KINDS = EndClass.options.filter((kind) => kind !== 'stopped');
/** Longest a state may take that a few ticks and starts of agents bring about. */
const DEADLINE_MS = 20_000;
/** How long the used-up quota lasts: longer than the test, shorter than an agent may be silent. */
const QUOTA_MS = 60_000;

let dir: string;
let home: string;
let world: ForgeWorld;
let env: Readonly<Record<string, string>>;
let runtime: Runtime;
/** How far the ticks' clock is ahead. */
let ahead_ms = 0;
const serving: Serving[] = [];

beforeEach(async () => {
  ended.clear();
  ahead_ms = 0;
  dir = temporaryDirectory();
  home = join(dir, 'home');
  world = await forgeWorld(dir);
  serving.push(world.forge);
  env = environment(world.tokens);
  for (const kind of KINDS) writeEnd(kind);
  const forge = ['--repo', world.repo, '--host', world.forge.url, '--token-env', 'CALORON_FORGE_TOKEN'];
  await caloron('init', ...forge, '--framework', 'stub');
  editJson(join(home, 'caloron.json'), {
    framework_options: { script_dir: join(dir, 'scripts') },
    num_agents: KINDS.length,
    required_approvals: 0,
  });
  const shell = await serve('caloron-shell', ['--port', '0', '--home', home], { cwd: home, env });
  serving.push(shell);
  env = { ...env, CALORON_SHELL_URL: shell.url };
  const found = findHome({ flag: home, cwd: dir, variables: {} });
  runtime = createRuntime({
    home: found,
    environment: readEnvironment(env, found),
    clock: { now: () => addMs(systemClock.now(), ahead_ms) },
    random: systemRandom,
  });
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

/** A task is named after the class its first attempt ends in; the second one does the work. */
function writeEnd(kind: EndClass): void {
  const end = { class: kind, ...(kind === 'quota' ? { reset_in_ms: QUOTA_MS } : {}) };
  const file = `${nameOf(kind)}.txt`;
  const attempts = [
    { steps: [{ say: 'begun' }], end },
    { steps: [{ write: file, content: 'done\n' }, { commit: `Write ${file}` }] },
  ];
  writeText(join(dir, 'scripts', `${nameOf(kind)}.json`), JSON.stringify({ v: 1, attempts }));
}

function nameOf(kind: EndClass): string {
  return kind.replace('_', '-');
}

async function tasks(): Promise<Readonly<Record<string, Task>>> {
  return DagState.parse((await runtime.store.kv.get(keys.state(SPRINT)))?.value).tasks;
}

async function tick(): Promise<void> {
  const input = { sprint_id: SPRINT, repo: world.repo };
  const result = await runtime.run({ graph: loadGraph(TICK), graph_name: TICK, input });
  if (!result.ok) throw new Error(`${result.error.code}: ${result.error.message}`);
}

/** Each task as it stood when its first attempt had ended: the state moves by our ticks alone, and a second attempt has to wait for another one. */
const ended = new Map<string, Task>();

/** Ticks until the tasks stand as expected. */
async function ticksUntil(expected: (now: Readonly<Record<string, Task>>) => void): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    await tick();
    const now = await tasks();
    for (const task of Object.values(now))
      if (task.attempt === 1 && task.process_id === null && !ended.has(task.id)) ended.set(task.id, task);
    try {
      return expected(now);
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
  }
}

/** The classes the ended processes left in their exit files. */
async function classesOnDisk(): Promise<readonly string[]> {
  const Listed = z.object({ data: z.array(z.object({ process_id: z.string() })) });
  const listed = Listed.parse(JSON.parse(await caloron('agents', '--sprint', SPRINT, '--output', 'json')));
  return listed.data.flatMap(({ process_id }) => {
    const file = join(home, '.caloron/agents', process_id, 'exit.json');
    // A second attempt may have begun.
    if (!existsSync(file)) return [];
    const Exit = z.object({ cause: z.object({ class: z.string() }).optional() });
    return Exit.parse(JSON.parse(readFileSync(file, 'utf8'))).cause?.class ?? [];
  });
}

it('D19 O7 G4 an agent that ends in a class is treated by it, and a held provider starts nothing until it serves again', async () => {
  const items = KINDS.map((kind) => `- [${nameOf(kind)}] End in ${kind}`).join('\n');
  await caloron('kickoff', items, '--repo', world.repo, '--sprint-id', SPRINT);

  const again = {
    status: 'InProgress',
    attempt: 1,
    process_id: null,
    retry_at: expect.any(String) as string,
  };
  const failed = { ...again, failed_attempts: 1 };
  const parked = { ...again, failed_attempts: 0, parked: 1 };
  await ticksUntil(() =>
    expect(Object.fromEntries(ended)).toMatchObject({
      transient: failed,
      'rate-limit': parked,
      quota: { ...parked, provider_limit: { provider: 'stub', until: expect.any(String) as string } },
      auth: { status: 'Blocked', status_reason: 'provider_auth' },
      billing: { status: 'Blocked', status_reason: 'provider_billing' },
      'gave-up': { status: 'Blocked', status_reason: 'agent_gave_up' },
      crash: failed,
      timeout: failed,
    }),
  );
  expect(new Set(await classesOnDisk())).toEqual(new Set(KINDS));
  const quota_at = ended.get('quota')?.retry_at ?? '';
  expect(await caloron('status', '--sprint', SPRINT)).toMatch(
    new RegExp(`^quota .*; again from ${quota_at}`, 'm'),
  );

  // A credential is refused: what becomes Ready now waits for the person who can set another.
  await caloron('resolve', 'gave-up', '--sprint', SPRINT);
  await ticksUntil((now) =>
    expect(now['gave-up']).toMatchObject({
      status: 'Ready',
      status_reason: 'provider_limited: stub until a person answers',
    }),
  );
  for (const task of ['auth', 'billing']) await caloron('take-over', task, '--sprint', SPRINT);
  const until = (await tasks())['quota']?.provider_limit?.until;
  await ticksUntil((now) =>
    expect(now['gave-up']?.status_reason).toBe(`provider_limited: stub until ${until}`),
  );

  // The quota is there again: what waited for it goes on by itself.
  ahead_ms = QUOTA_MS + 35_000;
  await ticksUntil((now) => {
    for (const id of ['quota', 'gave-up', 'crash']) {
      expect(now[id]?.attempt).toBeGreaterThan(1);
      expect(now[id]?.status).toBe('Done');
    }
  });
});
