import type { Task } from '@caloron/types';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { Drive, event, exited, report, sha } from '../testing/drive.ts';
import { remainingPaths } from './critical_path.ts';
import { exampleState, exampleTask } from './example.ts';

const FULL = /^capacity: all \d agents that this sprint may have at once are at work$/;

/** A task with an issue and an agent of its own. */
function ready(id: string, change: Partial<Task> = {}): Task {
  const own = { status: 'Ready', issue_number: id.charCodeAt(0), agent_id: `agent-${id}` } as const;
  return exampleTask(id, { ...own, ...change });
}

function started(drive: Drive): readonly string[] {
  return drive.outbox.flatMap((action) =>
    action.type === 'spawn_agent' ? [`${action.role} ${action.task_id ?? ''}`] : [],
  );
}

describe('dag_evaluate: room in a sprint', () => {
  it('D6 intends no more agents than the sprint may have, and tells the others what they wait for', () => {
    const drive = new Drive(
      exampleState(
        ['a', 'b', 'c'].map((id) => ready(id)),
        { capacity: { sprint: 2 } },
      ),
    );

    drive.tick();

    expect(started(drive)).toEqual(['author a', 'author b']);
    expect(drive.task('c')).toMatchObject({ status: 'Ready', status_reason: expect.stringMatching(FULL) });
    expect(drive.stuck).toEqual({ c: expect.stringMatching(FULL) });
    expect(drive.state.status).toBe('active');
  });

  it('D6 counts authors and reviewers alike, and starts the next when one has ended', () => {
    const review = ready('a', {
      status: 'InReview',
      pr_number: 7,
      head_sha: sha('a'),
      reviewer_id: 'reviewer',
      reviewer_run: { process_id: 'r1', over: false },
    });
    const drive = new Drive(exampleState([review, ready('b')], { capacity: { sprint: 1 } }));
    drive.tick();
    expect(started(drive)).toEqual([]);

    drive.later();
    drive.log(exited('r1', 'reviewer'));

    expect(started(drive)).toEqual(['reviewer a']);
  });

  it('D3 takes what its agents report and stops who is not wanted, also when it may start nobody', () => {
    const running = (id: string): Task =>
      ready(id, { status: 'InProgress', attempt: 1, process_id: `of-${id}` });
    const drive = new Drive(
      exampleState([running('a'), running('b'), running('c'), ready('d')], { capacity: { sprint: 1 } }),
    );

    drive.log(
      report({ task_id: 'a', agent_id: 'agent-a', process_id: 'of-a', head_sha: sha('a'), pr_number: 7 }),
      event({ type: 'human_command', task_id: 'b', word: 'assign-human' }),
    );

    expect(drive.task('a').status).toBe('InReview');
    expect(drive.causes('stop_agent')).toEqual(['of-b']);
    expect(started(drive)).toEqual([]);
  });

  it('reviews what is done before it starts what is new, when not both can be', () => {
    const review = ready('b', {
      status: 'InReview',
      pr_number: 7,
      head_sha: sha('a'),
      reviewer_id: 'reviewer',
    });
    const drive = new Drive(exampleState([ready('a'), review], { capacity: { sprint: 1 } }));

    drive.tick();

    expect(started(drive)).toEqual(['reviewer b']);
    expect(drive.task('a').status_reason).toMatch(FULL);
  });

  it('has no limit where none is set', () => {
    const drive = new Drive(exampleState(['a', 'b', 'c', 'd'].map((id) => ready(id))));
    drive.tick();
    expect(started(drive)).toHaveLength(4);
  });

  it('keeps what an author is told to do beside the wait, and gives it room first', () => {
    const back = ready('b', {
      status: 'InProgress',
      status_reason: 'changes_requested',
      attempt: 1,
      base_sha: sha('0'),
    });
    const other = ready('c', { status: 'InProgress', process_id: 'p9', attempt: 1 });
    const drive = new Drive(exampleState([ready('a'), back, other], { capacity: { sprint: 1 } }));
    drive.tick();
    expect(drive.task('b').status_reason).toBe('changes_requested');
    expect(drive.stuck['b']).toMatch(FULL);

    drive.log(report({ task_id: 'c', agent_id: 'agent-c', process_id: 'p9', outcome: 'failed' }));

    expect(started(drive)).toEqual(['author b']);
  });
});

describe('dag_evaluate: a start that found no room', () => {
  const refusal = { message: '4 of 4 agents run on this machine', retryable: true, final: false };

  it('D13 waits under its reason, counts as no attempt, asks nobody, and loses the reason when it is made', () => {
    const drive = new Drive(exampleState([ready('a')]));
    drive.tick();

    for (let n = 0; n < 30; n += 1) drive.fail('spawn_agent', 'CAPACITY_HOST', refusal);

    expect(drive.task()).toMatchObject({
      status: 'Ready',
      status_reason: 'capacity: 4 of 4 agents run on this machine',
      attempt: 0,
      failed_attempts: 0,
    });
    expect(drive.stuck).toEqual({ a: 'capacity: 4 of 4 agents run on this machine' });
    expect(drive.intended()).toEqual(['spawn_agent author:start:1:-']);

    drive.succeed('spawn_agent', { process_id: 'p1' });
    expect(drive.task()).toMatchObject({
      status: 'InProgress',
      status_reason: null,
      process_id: 'p1',
      put_back: null,
    });
    expect(drive.stuck).toEqual({});
  });

  it('D13 is told of a reviewer too, and of a provider that another sprint found used up', () => {
    const review = ready('a', {
      status: 'InReview',
      pr_number: 7,
      head_sha: sha('a'),
      reviewer_id: 'reviewer',
    });
    const drive = new Drive(exampleState([review]));
    drive.tick();

    drive.fail('spawn_agent', 'PROVIDER_HELD', { ...refusal, message: 'stub until 13:00' });

    expect(drive.task()).toMatchObject({
      status: 'InReview',
      status_reason: 'provider_limited: stub until 13:00',
    });
    expect(drive.stuck).toEqual({ a: 'provider_limited: stub until 13:00' });
    drive.succeed('spawn_agent', { process_id: 'r1' });
    expect(drive.task()).toMatchObject({ status_reason: 'waits_review', put_back: null });
  });

  it('tells of its task what was in the way of a start that is tried again, until it is made', () => {
    const drive = new Drive(exampleState([ready('a')]));
    drive.tick();
    drive.fail('spawn_agent', 'SHELL_REFUSED', { ...refusal, message: 'no branch main' });
    expect(drive.task()).toMatchObject({ status: 'Ready', status_reason: 'not_started: no branch main' });
    drive.succeed('spawn_agent', { process_id: 'p1' });
    expect(drive.task()).toMatchObject({ status_reason: null, put_back: null });
  });
});

describe('dag_evaluate: the critical path', () => {
  it('D5 starts the task first on which the longest chain waits; those of one length as they were authored', () => {
    const tasks = [
      ready('a'),
      ready('b'),
      ready('c'),
      exampleTask('d', { depends_on: ['c'] }),
      exampleTask('e', { depends_on: ['d', 'b'] }),
    ];
    const drive = new Drive(exampleState(tasks, { capacity: { sprint: 2 } }));
    drive.tick();
    expect(started(drive)).toEqual(['author c', 'author b']);
    expect([...remainingPaths(tasks)].toSorted(([a], [b]) => (a < b ? -1 : 1))).toEqual([
      ['a', 1],
      ['b', 2],
      ['c', 3],
      ['d', 2],
      ['e', 1],
    ]);
  });

  it('D5 gives one agent the task with the longer path, also when it was authored later', () => {
    const tasks = [
      ready('a', { agent_id: 'one' }),
      ready('b', { agent_id: 'one' }),
      exampleTask('c', { depends_on: ['b'] }),
    ];
    const drive = new Drive(exampleState(tasks));
    drive.tick();
    expect(started(drive)).toEqual(['author b']);
  });

  it('comes to an end on a cycle and on what depends on itself or on nobody', () => {
    const node = (id: string, ...depends_on: string[]) => ({ id, depends_on, status: 'Pending' }) as const;
    const paths = remainingPaths([
      node('a', 'b'),
      node('b', 'a'),
      node('c', 'c', 'ghost'),
      node('__proto__', 'c'),
    ]);
    expect([...paths.keys()].toSorted()).toEqual(['__proto__', 'a', 'b', 'c']);
    expect(paths.get('c')).toBe(2);
  });

  it('is found in a chain of ten thousand tasks', () => {
    const chain = Array.from({ length: 10_000 }, (_, n) => ({
      id: `t${n}`,
      depends_on: n === 0 ? [] : [`t${n - 1}`],
      status: 'Pending' as const,
    }));
    expect(remainingPaths(chain).get('t0')).toBe(10_000);
  });

  it('D5 starts no task while a Ready one with a longer remaining path and a free agent waits', () => {
    const IDS = ['a', 'b', 'c', 'd', 'e', 'f'];
    const node = (id: string, n: number): fc.Arbitrary<Task> =>
      fc
        .record({
          status: fc.constantFrom<Task['status']>('Pending', 'Ready', 'Ready', 'Done', 'InProgress'),
          agent_id: fc.constantFrom('one', 'two', 'three'),
          process_id: fc.constantFrom(null, 'p'),
          depends_on: fc.subarray(IDS.slice(0, n)),
        })
        .map((change) =>
          exampleTask(id, {
            ...change,
            issue_number: n + 1,
            process_id: change.status === 'InProgress' ? change.process_id : null,
          }),
        );
    const sprint = fc.tuple(fc.tuple(...IDS.map(node)), fc.integer({ min: 1, max: 4 }));
    fc.assert(
      fc.property(sprint, ([tasks, limit]) => {
        const drive = new Drive(exampleState(tasks, { capacity: { sprint: limit } }));
        const live = tasks.filter(({ process_id }) => process_id !== null).length;
        const before = drive.state;
        drive.tick();
        const spawns = drive.outbox.filter(({ type }) => type === 'spawn_agent');
        expect(spawns.length).toBeLessThanOrEqual(Math.max(0, limit - live));
        const paths = remainingPaths(Object.values(before.tasks));
        const length = (id: string | null): number => paths.get(id ?? '') ?? 0;
        const begun = spawns.filter(({ task_id }) => drive.task(task_id ?? '').status === 'Ready');
        const agents = new Set(drive.outbox.map(({ agent_id }) => agent_id));
        const working = Object.values(drive.state.tasks).filter(({ status }) => status === 'InProgress');
        const busy = new Set([...agents, ...working.map(({ agent_id }) => agent_id)]);
        const waiting = Object.values(drive.state.tasks).filter(
          ({ id, status }) => status === 'Ready' && !begun.some(({ task_id }) => task_id === id),
        );
        for (const { id, agent_id } of waiting) {
          const mine = begun.filter((start) => start.agent_id === agent_id);
          // An agent takes the longer one of its own tasks; a free one waits for none shorter than it.
          for (const start of busy.has(agent_id) ? mine : begun)
            expect(length(start.task_id)).toBeGreaterThanOrEqual(length(id));
        }
      }),
      { numRuns: 300 },
    );
  });
});
