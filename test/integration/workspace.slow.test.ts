import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { systemClock } from '@caloron/capabilities/clock';
import type { Task } from '@caloron/types';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';

import { editJson, writeText } from '../support/bins.ts';
import { SprintWorld } from '../support/sprint-world.ts';

const WAIT = { timeout: 120_000, interval: 100 } as const;

const world = new SprintWorld();

/** Each hook says that it ran, with what its worktree holds, in the cache of its worktree or, at the end, beside the home. */
const hook = (name: string): readonly string[] => [
  'sh',
  '-c',
  `echo ${name} $CALORON_PORT_FIRST $CALORON_PORT_COUNT $CALORON_CACHE_DIR >> ${world.dir}/hooks`,
];

beforeAll(async () => {
  const names = ['after_create', 'before_run', 'after_run', 'before_remove'];
  world.script('one', { steps: [{ write: 'one.txt', content: 'done\n' }, { commit: 'Write one' }] });
  await world.start();
  editJson(join(world.home, 'caloron.json'), {
    required_approvals: 0,
    // Hooks write beside the home, where a sandbox lets nobody write.
    isolation: { sandbox: 'off' },
    workspace: { hooks: Object.fromEntries(names.map((name) => [name, hook(name)])), ports: 3, cache: true },
  });
});
afterAll(() => world.close());

const KICKOFF = ['kickoff', '- [one] The first', '--repo', 'agent/lib', '--sprint-id', 's'];

const Gc = z.object({
  data: z.object({
    without_shell: z.boolean(),
    items: z.array(z.looseObject({ kind: z.string(), class: z.string(), action: z.string() })),
  }),
});
async function gc(...args: readonly string[]): Promise<z.infer<typeof Gc>['data']> {
  return Gc.parse(JSON.parse(await world.said('gc', '--output', 'json', ...args))).data;
}

describe('what a sprint says its agents are given', () => {
  it('is refused where it cannot be meant, with the field and what is expected, and nothing is made', async () => {
    const cases: readonly (readonly [Readonly<Record<string, unknown>>, RegExp])[] = [
      [{ workspace: { ports: 0 } }, /workspace\.ports/],
      [{ workspace: { hooks: { before_run: 'make' } } }, /workspace\.hooks\.before_run.*list of words/],
      [{ budget: { agent: { tokens: -1 } } }, /budget\.agent\.tokens/],
      [{ capacity: { host: 0 } }, /capacity\.host/],
      [{ isolation: { sandbox: 'maybe' } }, /isolation\.sandbox.*auto/],
    ];
    const file = join(world.home, 'caloron.json');
    const good = readFileSync(file, 'utf8');
    for (const [fields, problem] of cases) {
      editJson(file, fields);
      const { code, stderr } = await world.caloron(...KICKOFF);
      writeText(file, good);
      expect(stderr).toMatch(problem);
      expect(code).toBe(1);
    }
    expect(world.store.sprints()).toEqual([]);
  });

  it('W15 is held from a worktree’s making to its end, and what is left of it goes, with a shell and without', async () => {
    await world.said(...KICKOFF);
    await vi.waitFor(async () => {
      await world.said('tick');
      expect((await world.tasks('s'))['one']?.status).toBe('Done');
    }, WAIT);
    const lines = (): readonly string[] => readFileSync(join(world.dir, 'hooks'), 'utf8').trim().split('\n');
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
    await vi.waitFor(() => expect(world.store.worktreeLeases.list()).toEqual([]), WAIT);
    expect(existsSync(join(world.home, '.caloron/cache/s/one'))).toBe(false);

    // What a machine that went down left: a cache nobody holds.
    const stray = join(world.home, '.caloron/cache/s/gone');
    writeText(join(stray, 'a.txt'), 'a');
    const with_shell = await gc('--dry-run');
    expect(with_shell.without_shell).toBe(false);
    expect(with_shell.items).toContainEqual(expect.objectContaining({ path: stray, action: 'would_remove' }));
    await world.shell.stop();
    const alone = await gc('--keep-days', '0');
    expect(alone.without_shell).toBe(true);
    expect(alone.items.filter(({ action }) => action !== 'removed')).toEqual([]);
    expect(readdirSync(join(world.home, '.caloron/agents'))).toEqual([]);
    expect(existsSync(stray)).toBe(false);
    expect(existsSync(join(world.home, '.caloron/shell.lock'))).toBe(false);
  });

  it('nothing is taken that nobody offered, and nothing allowed that nobody asked for', async () => {
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [['adopt', 'none'], /CLI_TASK_UNKNOWN/],
      [['adopt', 'one', '--sprint', '../x'], /CLI_USAGE/],
      [['approve', 'none'], /CLI_TASK_UNKNOWN/],
      [['approve', 'one'], /no approval is asked for task one/],
      [['approve', '--sprint'], /no approval is asked for sprint s/],
      [['approve'], /name the task/],
    ];
    const seq = world.store.events.lastSeq();
    await Promise.all(
      cases.map(async ([args, problem]) => {
        const { code, stderr } = await world.caloron(...args);
        expect(stderr).toMatch(problem);
        expect(code).toBe(1);
      }),
    );
    expect(await world.said('adopt', 'one')).toBe('one is Done already: nothing changes');
    expect(world.store.events.lastSeq()).toBe(seq);
  });

  it('finished work of a process that had lost its task is offered, taken by a word, and merged', async () => {
    world.script('two', { steps: [{ write: 'two.txt', content: 'half done\n' }, { wait_ms: 600_000 }] });
    await world.startShell();
    await world.kickoff('t', ['[two] The second']);
    const two = async (): Promise<Task | undefined> => (await world.tasks('t'))['two'];
    await world.said('tick');
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
    await world.store.events.appendEvent('t', {
      type: 'agent_reported',
      event_id: 'agent_reported:late-process',
      created_at,
      actor: 'agent-1',
      trusted: true,
      report: { ...who, ...work, ...rest },
    });
    await world.said('tick');

    expect(await world.said('status')).toContain('late work of agent-1 offered: adopt');
    expect(await world.said('show', 'two')).toContain('./caloron adopt two late-pro');
    expect(await world.caloron('adopt', 'two', 'other')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/no offered work of task two[^]*CLI_NOT_FOUND/) as string,
    });
    const taken = await world.said('adopt', 'two', 'late-pro');
    expect(taken).toBe(`two: PR #${pr_number} at ${head_sha.slice(0, 8)} is taken by the next tick.`);
    const words = world.store.events.read({ after: 0, sprint_id: 't', kinds: ['human_command'] });
    expect(words.map(({ payload }) => payload)).toMatchObject([
      { word: 'adopt', task_id: 'two', process_id: 'late-process', actor: 'ada' },
    ]);
    expect(await openPull()).toBe(pr_number);
    await vi.waitFor(async () => {
      await world.said('tick');
      expect(await two()).toMatchObject({ status: 'Done', pr_number, head_sha, offers: [] });
      expect(world.store.processes.agents('t').filter(({ alive }) => alive)).toEqual([]);
    }, WAIT);
    expect(await world.said('wip', 'list', '--task', 'two')).toContain('two');
  });
});

/** What an agent that nobody counted on any more delivered on the task's branch. */
async function lateWork(): Promise<string> {
  await world.git('fetch', '--quiet', world.remote, 'main');
  await world.git('checkout', '--quiet', '--detach', 'FETCH_HEAD');
  writeText(join(world.dir, 'seed/two.txt'), 'done\n');
  await world.git('add', 'two.txt');
  await world.git('commit', '--quiet', '-m', 'Write two');
  await world.git('push', '--quiet', world.remote, 'HEAD:refs/heads/caloron/t/two');
  return world.git('rev-parse', 'HEAD');
}

async function openPull(): Promise<number> {
  const pull = { title: 'Write two', head: 'caloron/t/two', base: 'main', body: '' };
  return z.object({ number: z.number() }).parse(await world.ask('pulls', pull)).number;
}
