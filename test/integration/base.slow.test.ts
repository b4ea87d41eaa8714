import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { git } from '@caloron/capabilities/git';
import { systemClock } from '@caloron/capabilities/clock';
import { systemRandom } from '@caloron/capabilities/random';
import { createRuntime, findHome, loadGraph, readEnvironment, type Runtime } from '@caloron/scheduler';
import { addMs, DagState, keys, type Task } from '@caloron/types';
import { afterAll, beforeAll, expect, it } from 'vitest';

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
const SPRINT = 'bases';
const AUTHOR = { name: 'A Person', email: 'person@localhost' };
/** Longest a state may take that a few ticks and starts of agents bring about. */
const DEADLINE_MS = 20_000;

let dir: string;
let home: string;
let world: ForgeWorld;
let env: Readonly<Record<string, string>>;
let runtime: Runtime;
/** How far the ticks' clock is ahead: no backoff is waited for. */
let ahead_ms = 0;
const serving: Serving[] = [];

beforeAll(async () => {
  dir = temporaryDirectory();
  home = join(dir, 'home');
  world = await forgeWorld(dir);
  serving.push(world.forge);
  env = environment(world.tokens);
  const wait = `touch ${dir}/begun; while [ ! -e ${dir}/go ]; do sleep 0.05; done`;
  const steps = [
    { write: 'one.txt', content: 'done\n' },
    { run: ['sh', '-c', wait] },
    { commit: 'Write one' },
  ];
  writeText(join(dir, 'scripts/one.json'), JSON.stringify({ v: 1, attempts: [{ steps }] }));
  const forge = ['--repo', world.repo, '--host', world.forge.url, '--token-env', 'CALORON_FORGE_TOKEN'];
  await caloron('init', ...forge, '--framework', 'stub');
  editJson(join(home, 'caloron.json'), {
    framework_options: { script_dir: join(dir, 'scripts') },
    num_agents: 1,
    required_approvals: 0,
    verify: [['sh', 'check.sh']],
    // Its scripts tell the test where they are by files beside their worktree.
    isolation: { sandbox: 'off' },
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

afterAll(async () => {
  runtime.close();
  for (const { stop } of serving.splice(0).reverse()) await stop();
  killProcessesOf(dir);
  rmSync(dir, { recursive: true, force: true });
});

function caloron(...args: readonly string[]): Promise<string> {
  return must('caloron', [...args, '--home', home], { cwd: dir, env });
}

/** The forge's repository, as its owner can change it behind everybody's back. */
async function onForge(...args: readonly string[]): Promise<string> {
  const credential = { username: 'x-access-token', token: world.tokens.CALORON_FORGE_TOKEN };
  return (await git(args, { cwd: join(dir, 'seed'), author: AUTHOR, credential })).stdout;
}
/** The bare repository itself: a forge lets nobody push its default branch away. */
function repository(): string {
  const [name = ''] = readdirSync(join(world.data, 'repos'));
  return join(world.data, 'repos', name);
}
const url = (): string => `${world.forge.url}/${world.repo}.git`;

/** A commit of one more file on another, pushed to main by force; gives it. */
async function pushMain(parent: string, file: string): Promise<string> {
  await onForge('checkout', '--quiet', '--force', '--detach', parent);
  writeText(join(dir, 'seed', file), 'done\n');
  await onForge('add', file);
  await onForge('commit', '--quiet', '-m', `Add ${file}`);
  await onForge('push', '--quiet', '--force', url(), 'HEAD:refs/heads/main');
  return onForge('rev-parse', 'HEAD');
}

async function task(): Promise<Task | undefined> {
  return DagState.parse((await runtime.store.kv.get(keys.state(SPRINT)))?.value).tasks['one'];
}

/** Ticks until the task stands as expected. */
async function ticksUntil(expected: (now: Task | undefined) => void): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const input = { sprint_id: SPRINT, repo: world.repo };
    const result = await runtime.run({ graph: loadGraph(TICK), graph_name: TICK, input });
    if (!result.ok) throw new Error(`${result.error.code}: ${result.error.message}`);
    ahead_ms += 2_000;
    const now = await task();
    try {
      return expected(now);
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
  }
}

it('G3 a base that is deleted or rewritten while a sprint runs is named, and what is merged stands on the new one', async () => {
  const first = await onForge('rev-parse', 'HEAD');
  const before = await pushMain(first, 'secret.txt');
  await caloron('kickoff', '- [one] The first', '--repo', world.repo, '--sprint-id', SPRINT);

  // Deleted: nobody is started, and it is said why.
  const bare = (...args: readonly string[]) => git(args, { git_dir: repository() });
  await bare('update-ref', '-d', 'refs/heads/main');
  await ticksUntil((now) => expect(now?.status_reason).toMatch(/^not_started: /));
  expect(await caloron('status')).toMatch(/^one +Ready .*not_started: .*agent\/lib has no branch main/m);
  expect(runtime.store.processes.list(SPRINT)).toEqual([]);
  await bare('update-ref', 'refs/heads/main', before);
  await ticksUntil(() => expect(existsSync(join(dir, 'begun'))).toBe(true));
  expect(await task()).toMatchObject({ status: 'InProgress', status_reason: null, base_sha: before });

  // Rewritten while its agent works: what was taken out of it does not come back.
  const clean = await pushMain(first, 'clean.txt');
  writeText(join(dir, 'go'), '');
  await ticksUntil((now) => expect(now?.status_reason).toBe('rebase: base_rewritten'));
  const shown = await caloron('show', 'one');
  expect(shown).toContain('its base branch is 1 commit ahead of the head');
  expect(shown).toMatch(/main was rewritten and no longer contains [0-9a-f]{40}/);
  await ticksUntil((now) => expect(now?.status).toBe('Done'));
  expect(await task()).toMatchObject({ base_sha: clean, rebases: 1, failed_attempts: 0 });
  await onForge('fetch', '--quiet', url(), 'main');
  const merged = await onForge('ls-tree', '--name-only', 'FETCH_HEAD');
  expect(merged.split('\n')).toEqual(['README.md', 'check.sh', 'clean.txt', 'one.txt']);
});
