import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { git } from '@caloron/capabilities/git';
import type { ProcessRow } from '@caloron/types';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';

import type { Serving } from '../support/bins.ts';
import { processesOf } from '../support/processes.ts';
import { SprintWorld } from '../support/sprint-world.ts';

const WAIT = { timeout: 20_000, interval: 100 } as const;

const world = new SprintWorld({
  reviewer: true,
  // Its scripts tell the test where they are by files beside their worktree, where a sandbox lets nobody write.
  settings: { isolation: { sandbox: 'off' } },
});
let scheduler: Serving;

/** Two agents that leave a file uncommitted, say so, and go on once they may. */
beforeAll(async () => {
  for (const task of ['one', 'two'])
    world.script(task, {
      steps: [{ write: `${task}.txt`, content: 'done\n' }, world.gate(task), { commit: `Write ${task}` }],
    });
  await world.start();
  scheduler = await world.startScheduler();
  await world.kickoff('s', ['[one] The first', '[two] The second'], '--num-agents', '2');
  for (const task of ['one', 'two'])
    await vi.waitFor(() => expect(existsSync(join(world.dir, `${task}.begun`))).toBe(true), WAIT);
});
afterAll(() => world.close());

const statusOf = async (task: string): Promise<string | undefined> => (await world.tasks('s'))[task]?.status;
const alive = (): number => world.store.processes.agents('s').filter((agent) => agent.alive).length;
/** The agent that is stopped again and again. */
const latest = (): ProcessRow | undefined => world.store.processes.latest('s', 'two', 'author');
const Paused = z.object({
  data: z.object({
    paused: z.object({ by: z.string(), at: z.string(), stopped: z.boolean() }).nullable(),
    agents: z.array(z.looseObject({ alive: z.boolean() })),
  }),
});
const status = async (): Promise<z.infer<typeof Paused>['data']> =>
  Paused.parse(JSON.parse(await world.said('status', '--output', 'json'))).data;

/** What a tick says that is made: one of the scheduler's may be under way, and one that was killed keeps its lease for 30 s. */
const ticked = (): Promise<string> =>
  vi.waitFor(
    async () => {
      const said = await world.said('tick');
      expect(said).not.toMatch(/^skipped/);
      return said;
    },
    { timeout: 60_000, interval: 500 },
  );

/** What `estop` says of its one agent is true: its file is in the ref it names, and nothing of it runs. */
async function expectStopped(answer: string): Promise<void> {
  const ref = /its uncommitted work is in (\S+)\n +next: .*wip show \1/.exec(answer)?.[1] ?? answer;
  const clone = join(world.home, '.caloron/tasks/s/two.git');
  expect((await git(['show', `${ref}:two.txt`], { git_dir: clone })).stdout).toContain('done');
  expect(processesOf(world.dir).filter(({ command }) => command.includes('two.go'))).toEqual([]);
  expect(alive()).toBe(0);
  expect(latest()?.exit?.cause).toMatchObject({
    class: 'stopped',
    sentence: 'emergency stop by ada',
  });
}

/** Lets the sprint go on until its second agent is at work again. */
async function resumed(...args: readonly string[]): Promise<void> {
  rmSync(join(world.dir, 'two.begun'));
  expect(await world.said('resume', ...args)).toBe('sprint s goes on with the next tick');
  await ticked();
  await vi.waitFor(() => expect(existsSync(join(world.dir, 'two.begun'))).toBe(true), WAIT);
  expect(alive()).toBe(1);
}

describe('a sprint that stands still', () => {
  it('D3 lets its agents end, does nothing of what follows, and does it once it is resumed', async () => {
    expect(await world.said('pause')).toMatch(
      /^sprint s: paused by ada since \S+; 2 agents at work\nGo on: .*resume s/,
    );
    expect(await world.said('pause', 's')).toContain('already paused by ada since');
    expect(await world.said('status')).toMatch(/^sprint s on agent\/lib: paused by ada since 20/);

    // Its agent delivers, and the scheduler takes note; nobody is started to review it.
    world.open('one');
    await vi.waitFor(async () => expect(await statusOf('one')).toBe('InReview'), WAIT);
    expect(await ticked()).toMatch(/0 actions taken/);
    expect(alive()).toBe(1);
    expect(await statusOf('two')).toBe('InProgress');

    expect(await world.said('resume')).toBe('sprint s goes on with the next tick');
    expect(await world.said('resume', 's')).toBe('sprint s was not paused');
    await vi.waitFor(async () => expect(await statusOf('one')).toBe('Done'), WAIT);
    expect((await status()).paused).toBeNull();
  });

  it('has no agent left after an emergency stop, and all of their work', async () => {
    const answer = await world.said('estop');
    expect(answer).toMatch(/^1 sprint paused, 1 agent stopped\n/);
    await expectStopped(answer);
    expect(await status()).toMatchObject({ paused: { by: 'ada', stopped: true } });
    expect(await ticked()).toMatch(/0 actions taken/);
    expect((await status()).agents.filter((agent) => agent.alive)).toEqual([]);
    // Asked again it finds nothing to stop.
    expect(await world.said('estop')).toMatch(/^1 sprint paused, 0 agents stopped\n/);
  });

  it('D20 is stopped though its shell hangs, which finds it ended when it goes on', async () => {
    await resumed('--all');
    process.kill(world.shell.pid, 'SIGSTOP');
    try {
      const [answer, refused] = await Promise.all([world.said('estop'), world.caloron('gc')]);
      expect(answer).toMatch(/^1 sprint paused, 1 agent stopped \(no shell answered\)\n/);
      await expectStopped(answer);
      // One that lives keeps its home: nothing is removed behind its back.
      expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('SHELL_ALREADY_RUNNING') });
    } finally {
      process.kill(world.shell.pid, 'SIGCONT');
    }
    const before = latest();
    expect(await world.said('stop', 'agent-2')).toContain('agent-2 had ended already');
    expect(latest()).toEqual(before);
  });

  it('D20 goes on once, ends agents with no shell and no scheduler there, and stands still over restarts', async () => {
    await resumed();
    process.kill(world.shell.pid, 'SIGKILL');
    process.kill(scheduler.pid, 'SIGKILL');

    const answer = await world.said('estop');
    expect(answer).toMatch(/^1 sprint paused, 1 agent stopped \(no shell answered\)\n/);
    await expectStopped(answer);
    expect(await world.said('estop')).toMatch(/^1 sprint paused, 0 agents stopped/);

    await world.startShell();
    scheduler = await world.startScheduler();
    expect(await world.said('status')).toMatch(
      /^sprint s on agent\/lib: paused by ada since \S+, its agents stopped.*\nPAUSED: nothing is started/,
    );
    expect(await ticked()).toMatch(/0 actions taken/);
    expect(alive()).toBe(0);
    expect(await world.said('pause', '--all')).toContain('already paused by ada');

    world.open('two');
    await world.said('resume');
    await ticked();
    await vi.waitFor(async () => expect(await statusOf('two')).toBe('Done'), WAIT);
  });

  it.each([
    [['pause', 'none'], 'SPRINT_UNKNOWN'],
    [['resume', '../x'], 'CLI_USAGE'],
    [['pause', 's', '--all'], 'CLI_USAGE'],
  ])('is refused by %j', async (args, code) => {
    const ended = await world.caloron(...args);
    expect(ended.stderr).toContain(code);
    expect(ended.code).toBe(1);
  });
});
