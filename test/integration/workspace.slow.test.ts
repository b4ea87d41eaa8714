import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { systemClock } from '@caloron/capabilities/clock';
import { git } from '@caloron/capabilities/git';
import { systemRandom } from '@caloron/capabilities/random';
import { openStore, type Store } from '@caloron/store';
import type { Task } from '@caloron/types';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';

import {
  editJson,
  type Ended,
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

const WAIT = { timeout: 20_000, interval: 100 } as const;

let dir: string;
let home: string;
let world: ForgeWorld;
let shell: Serving;
let store: Store;
let env: Readonly<Record<string, string>>;

/** Each hook says that it ran, with what its worktree holds, in the cache of its worktree or, at the end, beside the home. */
const hook = (name: string): readonly string[] => [
  'sh',
  '-c',
  `echo ${name} $CALORON_PORT_FIRST $CALORON_PORT_COUNT $CALORON_CACHE_DIR >> ${dir}/hooks`,
];

beforeAll(async () => {
  dir = temporaryDirectory();
  home = join(dir, 'home');
  world = await forgeWorld(dir);
  const forge = ['--repo', world.repo, '--host', world.forge.url, '--token-env', 'CALORON_FORGE_TOKEN'];
  await must('caloron', ['init', ...forge, '--framework', 'stub', '--home', home], { cwd: dir });
  const hooks = {
    after_create: hook('after_create'),
    before_run: hook('before_run'),
    after_run: hook('after_run'),
    before_remove: hook('before_remove'),
  };
  editJson(join(home, 'caloron.json'), {
    framework_options: { script_dir: dir },
    required_approvals: 0,
    // Hooks write beside the home, where a sandbox lets nobody write.
    isolation: { sandbox: 'off' },
    workspace: { hooks, ports: 3, cache: true },
  });
  const steps = [{ write: 'one.txt', content: 'done\n' }, { commit: 'Write one' }];
  writeText(join(dir, 'one.json'), JSON.stringify({ v: 1, attempts: [{ steps }] }));
  const tokens = environment({ ...world.tokens, USER: 'ada' });
  shell = await serve('caloron-shell', ['--port', '0', '--home', home], { cwd: home, env: tokens });
  env = { ...tokens, CALORON_SHELL_URL: shell.url };
  store = openStore(join(home, '.caloron/caloron.db'), {
    clock: systemClock,
    uuid: () => systemRandom.uuid(),
  });
});

afterAll(async () => {
  store.close();
  await shell.stop();
  await world.forge.stop();
  killProcessesOf(dir);
  rmSync(dir, { recursive: true, force: true });
});

const caloron = (...args: readonly string[]): Promise<Ended> =>
  run('caloron', [...args, '--home', home], { cwd: dir, env });
const said = (...args: readonly string[]): Promise<string> =>
  must('caloron', [...args, '--home', home], { cwd: dir, env });
const kickoff = ['kickoff', '- [one] The first', '--repo', 'agent/lib', '--sprint-id', 's'];

const Gc = z.object({
  data: z.object({
    without_shell: z.boolean(),
    items: z.array(z.looseObject({ kind: z.string(), class: z.string(), action: z.string() })),
  }),
});
async function gc(...args: readonly string[]): Promise<z.infer<typeof Gc>['data']> {
  return Gc.parse(JSON.parse(await said('gc', '--output', 'json', ...args))).data;
}

describe('what a sprint says its agents are given', () => {
  it('is refused where it cannot be meant, with the field and what is expected, and nothing is made', async () => {
    const cases: readonly (readonly [Readonly<Record<string, unknown>>, RegExp])[] = [
      [{ workspace: { ports: 0 } }, /workspace\.ports/],
      [{ workspace: { hooks: { before_run: 'make' } } }, /workspace\.hooks\.before_run.*array/],
      [{ budget: { agent: { tokens: -1 } } }, /budget\.agent\.tokens/],
      [{ capacity: { host: 0 } }, /capacity\.host/],
      [{ isolation: { sandbox: 'maybe' } }, /isolation\.sandbox.*auto/],
    ];
    const file = join(home, 'caloron.json');
    const good = readFileSync(file, 'utf8');
    for (const [fields, problem] of cases) {
      editJson(file, fields);
      const { code, stderr } = await caloron(...kickoff);
      expect(stderr).toMatch(problem);
      expect(code).toBe(1);
      writeText(file, good);
    }
    expect(store.sprints()).toEqual([]);
  });

  it('W15 is held from a worktree’s making to its end, and what is left of it goes, with a shell and without', async () => {
    await said(...kickoff);
    await vi.waitFor(async () => {
      await said('tick');
      const { state } = await store.forRun({ run_id: 'test', lease: null }).state.load('s');
      expect(state.tasks['one']?.status).toBe('Done');
    }, WAIT);
    const lines = (): readonly string[] => readFileSync(join(dir, 'hooks'), 'utf8').trim().split('\n');
    await vi.waitFor(() => expect(lines().at(-1)).toMatch(/^before_remove/), WAIT);
    const held = lines().map((line) => line.split(' ').slice(1).join(' '));
    expect(lines().map((line) => line.split(' ')[0])).toEqual([
      'after_create',
      'before_run',
      'after_run',
      'before_remove',
    ]);
    // The same ports and the same cache at every moment of its life.
    expect(new Set(held).size).toBe(1);
    expect(held[0]).toMatch(/^\d+ 3 \S+\/\.caloron\/cache\/s\/one$/);
    await vi.waitFor(() => expect(store.worktreeLeases.list()).toEqual([]), WAIT);
    expect(existsSync(join(home, '.caloron/cache/s/one'))).toBe(false);

    // What a machine that went down left: a cache nobody holds.
    const stray = join(home, '.caloron/cache/s/gone');
    writeText(join(stray, 'a.txt'), 'a');
    const with_shell = await gc('--dry-run');
    expect(with_shell.without_shell).toBe(false);
    expect(with_shell.items).toContainEqual(expect.objectContaining({ path: stray, action: 'would_remove' }));
    await shell.stop();
    const alone = await gc('--keep-days', '0');
    expect(alone.without_shell).toBe(true);
    expect(alone.items.filter(({ action }) => action !== 'removed')).toEqual([]);
    expect(readdirSync(join(home, '.caloron/agents'))).toEqual([]);
    expect(existsSync(stray)).toBe(false);
    expect(existsSync(join(home, '.caloron/shell.lock'))).toBe(false);
  });

  it('nothing is taken that nobody offered, and nothing allowed that nobody asked for', async () => {
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [['adopt', 'none'], /CLI_TASK_UNKNOWN/],
      [['adopt', 'one', '--sprint', '../x'], /CLI_USAGE/],
      [['adopt', 'one'], /no offered work of task one[^]*CLI_NOT_FOUND/],
      [['approve', 'none'], /CLI_TASK_UNKNOWN/],
      [['approve', 'one'], /no approval is asked for task one/],
      [['approve', '--sprint'], /no approval is asked for sprint s/],
      [['approve'], /name the task/],
    ];
    const seq = store.events.lastSeq();
    await Promise.all(
      cases.map(async ([args, problem]) => {
        const { code, stderr } = await caloron(...args);
        expect(stderr).toMatch(problem);
        expect(code).toBe(1);
      }),
    );
    expect(store.events.lastSeq()).toBe(seq);
  });

  it('finished work of a process that had lost its task is offered, taken by a word, and merged', async () => {
    const waits = [{ write: 'two.txt', content: 'half done\n' }, { wait_ms: 600_000 }];
    writeText(join(dir, 'two.json'), JSON.stringify({ v: 1, attempts: [{ steps: waits }] }));
    const { CALORON_SHELL_URL: _, ...tokens } = env;
    shell = await serve('caloron-shell', ['--port', '0', '--home', home], { cwd: home, env: tokens });
    env = { ...tokens, CALORON_SHELL_URL: shell.url };
    await said('kickoff', '- [two] The second', '--repo', world.repo, '--sprint-id', 't');
    const two = async (): Promise<Task | undefined> =>
      (await store.forRun({ run_id: 'test', lease: null }).state.load('t')).state.tasks['two'];
    await said('tick');
    expect((await two())?.process_id).not.toBeNull();
    const head_sha = await lateWork();
    // Opened once it is taken: a pull request on the task's branch would be taken by itself.
    const pr_number = ((await two())?.issue_number ?? 0) + 1;
    const created_at = systemClock.now();
    const exit = { code: 0, signal: null, at: created_at, known: true };
    const who = { sprint_id: 't', task_id: 'two', agent_id: 'agent-1', process_id: 'late-process' } as const;
    const work = { role: 'author', attempt: 1, outcome: 'completed', head_sha, pr_number, exit } as const;
    const rest = {
      tokens_used: 0,
      duration_ms: 1,
      body: '',
      receipt: null,
      feedback: null,
      synthetic: false,
    };
    await store.events.appendEvent('t', {
      type: 'agent_reported',
      event_id: 'agent_reported:late-process',
      created_at,
      actor: 'agent-1',
      trusted: true,
      report: { ...who, ...work, ...rest },
    });
    await said('tick');

    expect(await said('status')).toContain('late work of agent-1 offered: adopt');
    expect(await said('show', 'two')).toContain('./caloron adopt two late-pro');
    expect((await caloron('adopt', 'two', 'other')).code).toBe(1);
    const taken = await said('adopt', 'two', 'late-pro');
    expect(taken).toBe(`two: PR #${pr_number} at ${head_sha.slice(0, 8)} is taken by the next tick.`);
    const words = store.events.read({ after: 0, sprint_id: 't', kinds: ['human_command'] });
    expect(words.map(({ payload }) => payload)).toMatchObject([
      { word: 'adopt', task_id: 'two', process_id: 'late-process', actor: 'ada' },
    ]);
    expect(await openPull()).toBe(pr_number);
    await vi.waitFor(async () => {
      await said('tick');
      expect(await two()).toMatchObject({ status: 'Done', pr_number, head_sha, offers: [] });
      expect(store.processes.agents('t').filter(({ alive }) => alive)).toEqual([]);
    }, WAIT);
    expect(await said('wip', 'list', '--task', 'two')).toContain('two');
  });
});

/** What an agent that nobody counted on any more delivered on the task's branch. */
async function lateWork(): Promise<string> {
  const cwd = join(dir, 'seed');
  const token = world.tokens.CALORON_FORGE_TOKEN;
  const credential = { username: 'x-access-token', token };
  const remote = `${world.forge.url}/${world.repo}.git`;
  await git(['fetch', '--quiet', remote, 'main'], { cwd, credential });
  await git(['checkout', '--quiet', '--detach', 'FETCH_HEAD'], { cwd });
  writeText(join(cwd, 'two.txt'), 'done\n');
  await git(['add', 'two.txt'], { cwd });
  await git(['commit', '--quiet', '-m', 'Write two'], {
    cwd,
    author: { name: 'Agent', email: 'a@localhost' },
  });
  await git(['push', '--quiet', remote, 'HEAD:refs/heads/caloron/t/two'], { cwd, credential });
  return (await git(['rev-parse', 'HEAD'], { cwd })).stdout;
}

async function openPull(): Promise<number> {
  const response = await fetch(`${world.forge.url}/repos/${world.repo}/pulls`, {
    method: 'POST',
    headers: {
      authorization: `token ${world.tokens.CALORON_FORGE_TOKEN}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({ title: 'Write two', head: 'caloron/t/two', base: 'main', body: '' }),
  });
  return z.object({ number: z.number() }).parse(await response.json()).number;
}
