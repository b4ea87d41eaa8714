import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { git } from '@caloron/capabilities/git';
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
  const brief = '- [one] The first\n- [two] The second';
  const kickoff = ['kickoff', brief, '--repo', world.repo, '--sprint-id', 's', '--num-agents', '2'];
  await must('caloron', [...kickoff, '--home', home], { cwd: dir, env });
  for (const task of ['one', 'two'])
    await vi.waitFor(() => expect(existsSync(join(dir, `${task}.begun`))).toBe(true), WAIT);
});

afterAll(async () => {
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

const State = z.object({
  data: z.object({
    paused: z.object({ by: z.string(), at: z.string(), stopped: z.boolean() }).nullable(),
    tasks: z.record(z.string(), z.object({ status: z.string() })),
  }),
});
const status = async (): Promise<z.infer<typeof State>['data']> =>
  State.parse(JSON.parse(await said('status', '--output', 'json'))).data;
const agents = async (): Promise<readonly { agent_id: string; alive: boolean; pid: number | null }[]> => {
  const shape = z.object({ agent_id: z.string(), alive: z.boolean(), pid: z.number().nullable() });
  return z.object({ data: z.array(shape) }).parse(JSON.parse(await said('agents', '--output', 'json'))).data;
};

describe('a sprint that stands still', () => {
  it('D3 lets its agents end, does nothing of what follows, and does it once it is resumed', async () => {
    expect(await said('pause')).toMatch(
      /^sprint s: paused by ada since \S+; 2 agents at work\nGo on: .*resume s/,
    );
    expect(await said('pause', 's')).toContain('already paused by ada since');
    expect(await said('status')).toMatch(/^sprint s on agent\/lib: paused by ada since 20/);

    // Its agent delivers, and the scheduler takes note; nobody is started to review it.
    writeText(join(dir, 'one.go'), '');
    await vi.waitFor(async () => expect((await status()).tasks['one']?.status).toBe('InReview'), WAIT);
    expect(await said('tick')).toMatch(/0 actions taken/);
    expect((await agents()).filter(({ alive }) => alive)).toHaveLength(1);
    const { tasks } = await status();
    expect([tasks['one']?.status, tasks['two']?.status]).toEqual(['InReview', 'InProgress']);

    expect(await said('resume')).toBe('sprint s goes on with the next tick');
    expect(await said('resume', 's')).toBe('sprint s was not paused');
    await vi.waitFor(async () => expect((await status()).tasks['one']?.status).toBe('Done'), WAIT);
    expect((await status()).paused).toBeNull();
  });

  it('has no agent left after an emergency stop, and all of their work', async () => {
    const answer = await said('estop');
    expect(answer).toMatch(/^1 sprint paused, 1 agent stopped\n/);
    const ref = /its uncommitted work is in (\S+)/.exec(answer)?.[1] ?? '';
    const clone = join(home, '.caloron/tasks/s/two.git');
    expect((await git(['show', `${ref}:two.txt`], { git_dir: clone })).stdout).toContain('done');
    expect((await agents()).filter(({ alive }) => alive)).toEqual([]);
    expect(processesOf(dir).filter(({ command }) => command.includes('two.go'))).toEqual([]);
    expect(await status()).toMatchObject({ paused: { by: 'ada', stopped: true } });
    expect(await said('tick')).toMatch(/0 actions taken/);
    expect((await agents()).filter(({ alive }) => alive)).toEqual([]);
    // Asked again it finds nothing to stop.
    expect(await said('estop')).toMatch(/^1 sprint paused, 0 agents stopped\n/);
  });

  it('D20 goes on once, ends agents with no shell and no scheduler there, and stands still over restarts', async () => {
    rmSync(join(dir, 'two.begun'));
    expect(await said('resume', '--all')).toBe('sprint s goes on with the next tick');
    await vi.waitFor(() => expect(existsSync(join(dir, 'two.begun'))).toBe(true), WAIT);
    expect((await agents()).filter(({ alive }) => alive)).toHaveLength(1);
    process.kill(shell.pid, 'SIGKILL');
    process.kill(scheduler.pid, 'SIGKILL');

    const answer = await said('estop');
    expect(answer).toMatch(/^1 sprint paused, 1 agent stopped \(no shell answered\)\n/);
    const ref = /its uncommitted work is in (\S+)/.exec(answer)?.[1] ?? '';
    const clone = join(home, '.caloron/tasks/s/two.git');
    expect((await git(['show', `${ref}:two.txt`], { git_dir: clone })).stdout).toContain('done');
    expect(processesOf(dir).filter(({ command }) => command.includes('two.go'))).toEqual([]);
    expect(await said('estop')).toMatch(/^1 sprint paused, 0 agents stopped/);

    await start();
    expect(await said('status')).toMatch(
      /^sprint s on agent\/lib: paused by ada since \S+, its agents stopped/,
    );
    expect(await said('tick')).toMatch(/0 actions taken/);
    expect((await agents()).filter(({ alive }) => alive)).toEqual([]);
    expect(await said('pause', '--all')).toContain('already paused by ada');

    writeText(join(dir, 'two.go'), '');
    await said('resume');
    await vi.waitFor(async () => expect((await status()).tasks['two']?.status).toBe('Done'), WAIT);
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
