import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { systemClock } from '@caloron/capabilities/clock';
import { git } from '@caloron/capabilities/git';
import { systemRandom } from '@caloron/capabilities/random';
import { openStore, type Store } from '@caloron/store';
import type { ProcessRow, Task } from '@caloron/types';
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
import { killProcessesOf, processesOf } from '../support/processes.ts';

const WAIT = { timeout: 20_000, interval: 100 } as const;

let dir: string;
let home: string;
let world: ForgeWorld;
let store: Store;
let shell: Serving;
let scheduler: Serving;
let env: Readonly<Record<string, string>>;

/** An agent that leaves a file uncommitted, says so, and goes on once `{task}.go` is there. */
function script(task: string): void {
  const steps = [
    { write: `${task}.txt`, content: 'done\n' },
    {
      run: ['sh', '-c', `touch ${dir}/${task}.begun; while [ ! -e ${dir}/${task}.go ]; do sleep 0.05; done`],
    },
    { commit: `Write ${task}` },
  ];
  writeText(join(dir, `${task}.json`), JSON.stringify({ v: 1, attempts: [{ steps }] }));
}

async function start(): Promise<void> {
  const tokens = environment({ ...world.tokens, USER: 'ada' });
  shell = await serve('caloron-shell', ['--port', '0', '--home', home], { cwd: home, env: tokens });
  env = { ...tokens, CALORON_SHELL_URL: shell.url };
  scheduler = await serve('noether-scheduler', ['--config', 'scheduler.json'], { cwd: home, env });
}

beforeAll(async () => {
  dir = temporaryDirectory();
  home = join(dir, 'home');
  world = await forgeWorld(dir);
  const forge = ['--repo', world.repo, '--host', world.forge.url, '--token-env', 'CALORON_FORGE_TOKEN'];
  const agents = ['--reviewer-token-env', 'CALORON_REVIEWER_TOKEN', '--framework', 'stub'];
  await must('caloron', ['init', ...forge, ...agents, '--home', home], { cwd: dir });
  // Its scripts tell the test where they are by files beside their worktree, where a sandbox lets nobody write.
  editJson(join(home, 'caloron.json'), {
    framework_options: { script_dir: dir },
    isolation: { sandbox: 'off' },
  });
  for (const task of ['one', 'two']) script(task);
  await start();
  store = openStore(join(home, '.caloron/caloron.db'), {
    clock: systemClock,
    uuid: () => systemRandom.uuid(),
  });
  const brief = '- [one] The first\n- [two] The second';
  const kickoff = ['kickoff', brief, '--repo', world.repo, '--sprint-id', 's', '--num-agents', '2'];
  await must('caloron', [...kickoff, '--home', home], { cwd: dir, env });
  for (const task of ['one', 'two'])
    await vi.waitFor(() => expect(existsSync(join(dir, `${task}.begun`))).toBe(true), WAIT);
});

afterAll(async () => {
  store.close();
  await scheduler.stop();
  await shell.stop();
  await world.forge.stop();
  killProcessesOf(dir);
  rmSync(dir, { recursive: true, force: true });
});

const caloron = (...args: readonly string[]): Promise<Ended> =>
  run('caloron', [...args, '--home', home], { cwd: dir, env });
const said = async (...args: readonly string[]): Promise<string> =>
  must('caloron', [...args, '--home', home], { cwd: dir, env });

/** Read from the database: a look that is repeated needs no process of its own. */
const tasks = async (): Promise<Readonly<Record<string, Task>>> =>
  (await store.forRun({ run_id: 'test', lease: null }).state.load('s')).state.tasks;
const statusOf = async (task: string): Promise<string | undefined> => (await tasks())[task]?.status;
const alive = (): number => store.processes.agents('s').filter((agent) => agent.alive).length;
/** The agent that is stopped again and again. */
const latest = (): ProcessRow | undefined => store.processes.latest('s', 'two', 'author');
const Paused = z.object({
  data: z.object({
    paused: z.object({ by: z.string(), at: z.string(), stopped: z.boolean() }).nullable(),
    agents: z.array(z.looseObject({ alive: z.boolean() })),
  }),
});
const status = async (): Promise<z.infer<typeof Paused>['data']> =>
  Paused.parse(JSON.parse(await said('status', '--output', 'json'))).data;

/** What `estop` says of its one agent is true: its file is in the ref it names, and nothing of it runs. */
async function expectStopped(answer: string): Promise<void> {
  const ref = /its uncommitted work is in (\S+)\n +next: .*wip show \1/.exec(answer)?.[1] ?? answer;
  const clone = join(home, '.caloron/tasks/s/two.git');
  expect((await git(['show', `${ref}:two.txt`], { git_dir: clone })).stdout).toContain('done');
  expect(processesOf(dir).filter(({ command }) => command.includes('two.go'))).toEqual([]);
  expect(alive()).toBe(0);
  expect(latest()?.exit?.cause).toMatchObject({
    class: 'stopped',
    sentence: 'emergency stop by ada',
  });
}

/** Lets the sprint go on until its second agent is at work again. */
async function resumed(...args: readonly string[]): Promise<void> {
  rmSync(join(dir, 'two.begun'));
  expect(await said('resume', ...args)).toBe('sprint s goes on with the next tick');
  await said('tick');
  await vi.waitFor(() => expect(existsSync(join(dir, 'two.begun'))).toBe(true), WAIT);
  expect(alive()).toBe(1);
}

describe('a sprint that stands still', () => {
  it('D3 lets its agents end, does nothing of what follows, and does it once it is resumed', async () => {
    expect(await said('pause')).toMatch(
      /^sprint s: paused by ada since \S+; 2 agents at work\nGo on: .*resume s/,
    );
    expect(await said('pause', 's')).toContain('already paused by ada since');
    expect(await said('status')).toMatch(/^sprint s on agent\/lib: paused by ada since 20/);

    // Its agent delivers, and the scheduler takes note; nobody is started to review it.
    writeText(join(dir, 'one.go'), '');
    await vi.waitFor(async () => expect(await statusOf('one')).toBe('InReview'), WAIT);
    expect(await said('tick')).toMatch(/0 actions taken/);
    expect(alive()).toBe(1);
    expect(await statusOf('two')).toBe('InProgress');

    expect(await said('resume')).toBe('sprint s goes on with the next tick');
    expect(await said('resume', 's')).toBe('sprint s was not paused');
    await vi.waitFor(async () => expect(await statusOf('one')).toBe('Done'), WAIT);
    expect((await status()).paused).toBeNull();
  });

  it('has no agent left after an emergency stop, and all of their work', async () => {
    const answer = await said('estop');
    expect(answer).toMatch(/^1 sprint paused, 1 agent stopped\n/);
    await expectStopped(answer);
    expect(await status()).toMatchObject({ paused: { by: 'ada', stopped: true } });
    expect(await said('tick')).toMatch(/0 actions taken/);
    expect((await status()).agents.filter((agent) => agent.alive)).toEqual([]);
    // Asked again it finds nothing to stop.
    expect(await said('estop')).toMatch(/^1 sprint paused, 0 agents stopped\n/);
  });

  it('D20 is stopped though its shell hangs, which finds it ended when it goes on', async () => {
    await resumed('--all');
    process.kill(shell.pid, 'SIGSTOP');
    try {
      const [answer, refused] = await Promise.all([said('estop'), caloron('gc')]);
      expect(answer).toMatch(/^1 sprint paused, 1 agent stopped \(no shell answered\)\n/);
      await expectStopped(answer);
      // One that lives keeps its home: nothing is removed behind its back.
      expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('SHELL_ALREADY_RUNNING') });
    } finally {
      process.kill(shell.pid, 'SIGCONT');
    }
    const before = latest();
    expect(await said('stop', 'agent-2')).toContain('agent-2 had ended already');
    expect(latest()).toEqual(before);
  });

  it('D20 goes on once, ends agents with no shell and no scheduler there, and stands still over restarts', async () => {
    await resumed();
    process.kill(shell.pid, 'SIGKILL');
    process.kill(scheduler.pid, 'SIGKILL');

    const answer = await said('estop');
    expect(answer).toMatch(/^1 sprint paused, 1 agent stopped \(no shell answered\)\n/);
    await expectStopped(answer);
    expect(await said('estop')).toMatch(/^1 sprint paused, 0 agents stopped/);

    await start();
    expect(await said('status')).toMatch(
      /^sprint s on agent\/lib: paused by ada since \S+, its agents stopped.*\nPAUSED: nothing is started/,
    );
    expect(await said('tick')).toMatch(/0 actions taken/);
    expect(alive()).toBe(0);
    expect(await said('pause', '--all')).toContain('already paused by ada');

    writeText(join(dir, 'two.go'), '');
    await said('resume');
    await said('tick');
    await vi.waitFor(async () => expect(await statusOf('two')).toBe('Done'), WAIT);
  });

  it.each([
    [['pause', 'none'], 'SPRINT_UNKNOWN'],
    [['resume', '../x'], 'CLI_USAGE'],
    [['pause', 's', '--all'], 'CLI_USAGE'],
  ])('is refused by %j', async (args, code) => {
    const ended = await caloron(...args);
    expect(ended.stderr).toContain(code);
    expect(ended.code).toBe(1);
  });
});
