import { addMs, keys, TaskClaim, type Task } from '@caloron/types';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { hidden, marker, spawn, world } from '../testing/acting.ts';
import { commentOf, forgeError, issueOf, memoryForge, type MemoryForge } from '../testing/memory_forge.ts';
import { agentOf } from '../testing/memory_shell.ts';
import { rowOf } from '../testing/memory_store.ts';
import { action } from './action-id.ts';
import { claimOf, standingClaim, withClaim } from './claim_rule.ts';
import { EXAMPLE_NOW } from './example.ts';

const MINUTE = 60_000;
const KEY = keys.claim('sprint-1', 'login-form');
type Home = ReturnType<typeof world>;

/** A forge with the task's issue, whose clock stands where ours does. */
function forgeOf(): MemoryForge {
  const forge = memoryForge();
  forge.issues.push(issueOf(1, { body: marker, labels: ['caloron:task'] }));
  forge.now = EXAMPLE_NOW;
  return forge;
}

function homeOn(forge: MemoryForge, home: string, task: Partial<Task> = {}, host?: string | null): Home {
  return world([spawn], task, host === undefined ? {} : { host }, { forge, home });
}

/** Lets the clocks of homes and forge go on. */
function pass(ms: number, forge: MemoryForge, ...homes: readonly Home[]): void {
  forge.now = addMs(forge.now, ms);
  for (const home of homes) home.later(ms);
}

const claimsOn = (forge: MemoryForge) => forge.comments.flatMap((comment) => claimOf(comment) ?? []);
const liveOn = (forge: MemoryForge) => claimsOn(forge).filter(({ minutes }) => minutes > 0);
const stored = ({ store }: Home) => TaskClaim.safeParse(store.rows.get(KEY)?.value).data;

/** Publishes a claim as another program would. */
function publish(forge: MemoryForge, home: string, change: { author?: string; at?: string } = {}): void {
  const body = withClaim('Mine.', { home, generation: 1, minutes: 30, renewals: 0 });
  const { author = 'caloron-bot', at = forge.now } = change;
  const id = 100 + forge.comments.length;
  forge.comments.push(commentOf(id, 1, { body, author, created_at: at, updated_at: at }));
}

describe('a start', () => {
  it('is claimed by the comment that says who has been assigned the task', async () => {
    const forge = forgeOf();
    const a = homeOn(forge, 'home-a');

    await a.run();

    expect(forge.comments).toHaveLength(1);
    expect(forge.comments[0]?.body).toBe(
      `@caloron-agent-agent-1 has been assigned this task.\n\n${marker}${hidden(spawn)}\n<!-- caloron-claim:v1:home-a:1:30:0 -->`,
    );
    expect(a.row(spawn)?.result).toMatchObject({ process_id: 'process-1', comment_id: 100 });
    expect(stored(a)).toMatchObject({ issue_number: 1, comment_id: 100, generation: 1, won: true });
  });

  it('G9 of a task that another home has claimed waits, and says who has it since and until when', async () => {
    const forge = forgeOf();
    const [a, b] = [homeOn(forge, 'home-a'), homeOn(forge, 'home-bbbb-1')];
    await a.run();

    const { errors } = await b.run();

    expect(b.shell.spawned).toEqual([]);
    expect(forge.comments).toHaveLength(1);
    const { created_at } = forge.comments[0] ?? commentOf(1, 1);
    expect(errors).toEqual([
      `spawn_agent:login-form: CLAIM_HELD: another orchestrator (home home-a, as caloron-bot) has issue #1 since ${created_at}, until ${addMs(created_at, 30 * MINUTE)} unless it renews its claim`,
    ]);
    expect(b.row(spawn)).toMatchObject({
      status: 'failed',
      attempts: 0,
      next_at: addMs(EXAMPLE_NOW, 5 * MINUTE),
    });
  });

  it('is told again when the claim it waits for was renewed, and not for each look', async () => {
    const forge = forgeOf();
    const [a, b] = [homeOn(forge, 'home-a'), homeOn(forge, 'home-b')];
    await a.run();
    for (let n = 0; n < 5; n += 1) {
      await b.run();
      pass(4 * MINUTE, forge, a, b);
      await a.run();
    }
    await b.run();

    const told = b.store.events.map(({ event }) => event.type === 'action_failed' && event.error.message);
    expect(new Set(told).size).toBe(told.length);
    expect(told).toHaveLength(2);
  });

  it('G9 is taken over when the claim of a home that is gone has expired', async () => {
    const forge = forgeOf();
    const [a, b] = [homeOn(forge, 'home-a'), homeOn(forge, 'home-b')];
    await a.run();
    await b.run();

    pass(29 * MINUTE, forge, b);
    await b.run();
    expect(b.shell.spawned).toEqual([]);

    pass(2 * MINUTE, forge, b);
    await b.run();
    expect(b.shell.spawned).toHaveLength(1);
    expect(standingClaim(claimsOn(forge))).toMatchObject({ home: 'home-b', generation: 2 });
  });

  it('is not taken over by a home whose clock is ahead of the forge’s', async () => {
    const forge = forgeOf();
    const [a, b] = [homeOn(forge, 'home-a'), homeOn(forge, 'home-b')];
    await a.run();

    b.later(40 * MINUTE);
    const { errors } = await b.run();

    expect(b.shell.spawned).toEqual([]);
    expect(errors).toEqual([expect.stringContaining('CLAIM_HELD')]);
    expect(liveOn(forge)).toMatchObject([{ home: 'home-a' }]);
    expect(stored(b)).toBeUndefined();
    // Nor does it ask all the time.
    expect(b.row(spawn)?.next_at).toBe(addMs(EXAMPLE_NOW, 45 * MINUTE));
  });

  it('is claimed once when the answer to its comment was lost', async () => {
    const forge = forgeOf();
    const a = homeOn(forge, 'home-a');
    forge.faults.set('comment', [{ error: forgeError('FORGE_UNAVAILABLE', true), after: true }]);

    const { errors } = await a.run();
    expect(errors).toEqual([expect.stringMatching(/CLAIM_UNSETTLED: .*FORGE_UNAVAILABLE/)]);
    expect(a.row(spawn)).toMatchObject({ status: 'failed', attempts: 0 });
    pass(MINUTE, forge, a);
    await a.run();

    expect(a.shell.spawned).toHaveLength(1);
    expect(claimsOn(forge)).toHaveLength(1);
  });

  it('5.5.10 has its comment and label once, however often it is tried', async () => {
    const forge = forgeOf();
    const a = homeOn(forge, 'home-a');
    a.shell.faults.set('spawn', [new Error('lost'), new Error('lost')]);
    for (let n = 0; n < 3; n += 1) {
      await a.run();
      a.store.actions.set(spawn.action_id, { ...rowOf(spawn), attempts: 1 });
    }

    expect(a.shell.spawned).toHaveLength(1);
    expect(forge.comments).toHaveLength(1);
    expect(forge.issues[0]?.labels).toEqual(['caloron:task', 'caloron:assigned']);
  });

  it('waits for as long as the forge cannot be asked, and fails where it refuses', async () => {
    const forge = forgeOf();
    const a = homeOn(forge, 'home-a');
    for (let n = 0; n < 8; n += 1) {
      forge.faults.set('comments', [{ error: forgeError('FORGE_UNAVAILABLE', true) }]);
      await a.run();
      pass(5 * MINUTE, forge, a);
    }
    expect(a.row(spawn)).toMatchObject({ status: 'failed', attempts: 0, error: { code: 'CLAIM_UNSETTLED' } });

    forge.faults.set('comment', [{ error: forgeError('FORGE_FORBIDDEN') }]);
    await a.run();
    expect(a.row(spawn)).toMatchObject({ status: 'dead', error: { code: 'FORGE_FORBIDDEN' } });
    expect(a.shell.spawned).toEqual([]);
  });

  it('does not believe a claim of a stranger', async () => {
    const forge = forgeOf();
    const a = homeOn(forge, 'home-a');
    publish(forge, 'home-x', { author: 'mallory' });
    publish(forge, 'home-a', { author: 'mallory' });

    await a.run();

    expect(a.shell.spawned).toHaveLength(1);
    expect(stored(a)?.comment_id).toBe(102);
  });

  it('believes its own claim under a login that is on no list', async () => {
    const forge = forgeOf();
    const a = world([spawn], {}, { agent_logins: ['somebody-else'] }, { forge, home: 'home-a' });
    forge.faults.set('comment', [{ error: forgeError('FORGE_UNAVAILABLE', true), after: true }]);

    await a.run();
    pass(MINUTE, forge, a);
    await a.run();

    expect(a.shell.spawned).toHaveLength(1);
    expect(claimsOn(forge)).toHaveLength(1);
  });

  it('on another machine’s forge is looked at again after a while, before anything is started', async () => {
    const forge = forgeOf();
    const [a, b] = [homeOn(forge, 'home-a', {}, null), homeOn(forge, 'home-b', {}, null)];
    expect((await a.run()).errors).toEqual([]);
    // Written at the same time: the other home had not seen it yet.
    publish(forge, 'home-b');
    expect(a.row(spawn)).toMatchObject({
      error: { code: 'CLAIM_UNSETTLED' },
      next_at: addMs(EXAMPLE_NOW, 2_000),
    });
    expect(a.shell.spawned).toEqual([]);

    pass(2_000, forge, a, b);
    await b.run();
    await a.run();

    expect([a.shell.spawned.length, b.shell.spawned.length]).toEqual([1, 0]);
    pass(MINUTE, forge, b);
    await b.run();
    expect(b.row(spawn)?.error?.code).toBe('CLAIM_HELD');
  });

  it('is claimed on the first of two issues that were opened for its task at once', async () => {
    const forge = forgeOf();
    forge.issues.push(issueOf(2, { body: marker, labels: ['caloron:task'] }));
    const a = homeOn(forge, 'home-a');
    const second = action('spawn_agent', { ...spawn, issue_number: 2 });
    const b = world([second], { issue_number: 2 }, {}, { forge, home: 'home-b' });

    await b.run();
    await a.run();

    expect([a.shell.spawned.length, b.shell.spawned.length]).toEqual([0, 1]);
    expect(forge.comments.map(({ issue_number }) => issue_number)).toEqual([1]);
  });

  it('is not claimed on an issue of a stranger with the line of its task', async () => {
    const forge = forgeOf();
    forge.issues[0] = issueOf(1, { body: marker, labels: ['caloron:task'], author: 'mallory' });
    forge.issues.push(issueOf(2, { body: marker, labels: ['caloron:task'] }));
    const own = action('spawn_agent', { ...spawn, issue_number: 2 });
    const a = world([own], { issue_number: 2 }, {}, { forge, home: 'home-a' });

    await a.run();

    expect(a.shell.spawned).toHaveLength(1);
    expect(forge.comments.map(({ issue_number }) => issue_number)).toEqual([2]);
  });

  it('G9 is made by one of three homes, in whatever order their requests come, and by another when that is gone', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.boolean(), async (chance, expired) => {
        const forge = forgeOf();
        if (expired) publish(forge, 'home-x', { at: addMs(forge.now, -31 * MINUTE) });
        const homes = ['home-a', 'home-b', 'home-c'].map((home) => homeOn(shuffled(forge, chance), home));
        const spawned = (): number => homes.reduce((sum, { shell }) => sum + shell.spawned.length, 0);

        const runs = Promise.all(homes.map((home) => home.run()));
        await chance.waitFor(runs);
        expect(spawned()).toBe(1);

        const left = homes.filter(({ shell }) => shell.spawned.length === 0);
        pass(31 * MINUTE, forge, ...left);
        await chance.waitFor(Promise.all(left.map((home) => home.run())));
        expect(spawned()).toBe(2);
      }),
      { numRuns: 100 },
    );
  });
});

/** The same forge, each of whose requests reaches it when chance has it. */
function shuffled(forge: MemoryForge, chance: fc.Scheduler): MemoryForge {
  const repo = new Proxy(forge.repo, {
    get: (target, name: keyof MemoryForge['repo']) => {
      return async (...given: readonly unknown[]): Promise<unknown> => {
        await chance.schedule(Promise.resolve(), name);
        return Reflect.apply(target[name], target, given) as unknown;
      };
    },
  });
  return { ...forge, repo };
}

describe('a claim that is held', () => {
  const working = { status: 'InProgress', process_id: 'process-1', attempt: 1 } as const;

  /** A home whose agent works on the claimed task. */
  async function atWork(forge: MemoryForge, home = 'home-a'): Promise<Home> {
    const a = homeOn(forge, home);
    await a.run();
    const snapshot = a.store.sprints.get('sprint-1');
    const task = snapshot?.state.tasks['login-form'];
    if (snapshot === undefined || task === undefined) throw new Error('no task');
    setTask(a, working);
    a.shell.agents.push(agentOf('agent-1'));
    return a;
  }

  function setTask({ store }: Home, change: Partial<Task>): void {
    const snapshot = store.sprints.get('sprint-1');
    const task = snapshot?.state.tasks['login-form'];
    if (snapshot === undefined || task === undefined) throw new Error('no task');
    const tasks = { 'login-form': { ...task, ...change } };
    store.sprints.set('sprint-1', { ...snapshot, state: { ...snapshot.state, tasks } });
  }

  it('costs no request before half of its term is over, and is renewed then', async () => {
    const forge = forgeOf();
    const a = await atWork(forge);
    forge.calls.length = 0;

    pass(14 * MINUTE, forge, a);
    expect((await a.run()).errors).toEqual([]);
    expect(forge.calls).toEqual([]);

    pass(MINUTE, forge, a);
    expect((await a.run()).errors).toEqual([]);
    expect(forge.calls).toEqual(['editComment', 'comments']);
    expect(liveOn(forge)).toMatchObject([{ home: 'home-a', generation: 1, renewals: 1 }]);
    expect(forge.comments[0]?.body).toContain('has been assigned this task.');
  });

  it.each(['Ready', 'InReview', 'Blocked', 'HumanAssigned'] as const)(
    'is renewed while its task is %s',
    async (status) => {
      const forge = forgeOf();
      const a = await atWork(forge);
      setTask(a, { status });
      pass(15 * MINUTE, forge, a);

      await a.run();

      expect(liveOn(forge)).toMatchObject([{ renewals: 1 }]);
    },
  );

  it('is forgotten when its task is done, and given back when it was cancelled', async () => {
    const forge = forgeOf();
    const [a, b] = [await atWork(forge), homeOn(forge, 'home-b')];
    setTask(a, { status: 'Done' });
    forge.calls.length = 0;
    await a.run();
    expect([stored(a), forge.calls]).toEqual([undefined, []]);
    expect(liveOn(forge)).toHaveLength(1);

    const other = forgeOf();
    const [c, d] = [await atWork(other), homeOn(other, 'home-d')];
    setTask(c, { status: 'Cancelled' });
    await c.run();
    expect([stored(c), liveOn(other)]).toEqual([undefined, []]);
    expect(other.comments[0]?.body).toMatch(/Given back: another orchestrator may have it\.\n<!--/);
    await d.run();
    expect(d.shell.spawned).toHaveLength(1);
    expect(b.shell.spawned).toEqual([]);
  });

  it('G9 that another home took over meanwhile is lost: its agents are stopped and nothing is started', async () => {
    const forge = forgeOf();
    const a = await atWork(forge);
    const b = homeOn(forge, 'home-b');
    pass(31 * MINUTE, forge, a, b);
    await b.run();
    expect(b.shell.spawned).toHaveLength(1);

    const resume = action('spawn_agent', {
      ...spawn,
      cause: 'author:resume:2:-',
      mode: 'resume',
      attempt: 2,
    });
    a.store.actions.set(resume.action_id, { ...rowOf(resume), attempts: 1 });
    const { errors } = await a.run();

    expect(a.shell.stopped).toMatchObject([
      { process_id: 'process-1', reason: expect.stringContaining('another orchestrator (home home-b)') },
    ]);
    expect(errors[0]).toMatch(/^claim:login-form: another orchestrator \(home home-b\) took it over at /);
    expect(a.shell.spawned).toHaveLength(1);
    expect(liveOn(forge)).toMatchObject([{ home: 'home-b' }]);
    expect(a.row(resume)?.error?.code).toBe('CLAIM_HELD');
  });

  it('is not lost for a shell that is away when it has to stop the agents: that is tried again', async () => {
    const forge = forgeOf();
    const [a, b] = [await atWork(forge), homeOn(forge, 'home-b')];
    pass(31 * MINUTE, forge, a, b);
    await b.run();
    a.shell.faults.set('stop', [forgeError('SHELL_UNREACHABLE', true)]);

    expect((await a.run()).errors).toEqual([
      'claim:login-form: SHELL_UNREACHABLE: the forge says SHELL_UNREACHABLE',
    ]);
    expect(stored(a)).toBeDefined();
    pass(MINUTE, forge, a);
    await a.run();

    expect(a.shell.stopped).toHaveLength(1);
    expect(stored(a)).toBeUndefined();
  });

  it('goes on after an outage in which nobody took it over', async () => {
    const forge = forgeOf();
    const a = await atWork(forge);
    pass(50 * MINUTE, forge, a);

    expect((await a.run()).errors).toEqual([]);

    expect(a.shell.stopped).toEqual([]);
    expect(liveOn(forge)).toMatchObject([{ home: 'home-a', generation: 1, renewals: 1 }]);
  });

  it('is published anew when somebody took its comment away', async () => {
    const forge = forgeOf();
    const a = await atWork(forge);
    forge.comments.length = 0;
    pass(15 * MINUTE, forge, a);

    expect((await a.run()).errors).toEqual([]);

    expect(liveOn(forge)).toMatchObject([
      { home: 'home-a', text: expect.stringContaining('works on this task') },
    ]);
    expect(stored(a)).toMatchObject({ won: true });
  });
});
