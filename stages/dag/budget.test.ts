import {
  addMs,
  joinUsage,
  spentOf,
  type AgentInfo,
  type Budget,
  type Task,
  type Usage,
} from '@caloron/types';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { Drive, event, exited, pull, report, sha } from '../testing/drive.ts';
import { exampleSprint, exampleState, exampleTask } from './example.ts';

const NO_KINDS = { input: 0, cache_read: 0, cache_write: 0 };
const used = (output: number, model = 'm'): Usage => [{ model, ...NO_KINDS, output }];

function tokens(task: Task | undefined): number {
  return (task?.runs ?? []).reduce((sum, { usage }) => sum + spentOf(usage, 0, {}).tokens, 0);
}

/** A sprint of tasks that each have an agent of their own. */
function sprintOf(budget: Budget, count: number, more: Partial<Task> = {}): Drive {
  const tasks = Array.from({ length: count }, (_, at) =>
    exampleTask(`t${at}`, { issue_number: at + 1, agent_id: `agent-${at}`, reviewer_id: null, ...more }),
  );
  return new Drive(exampleState(tasks, { budget, prices: { default: { input: 1, output: 10 } } }));
}

/** Lets the intended start of a task's author succeed; the shell sees it alive. */
function start(drive: Drive, id: string, role: 'author' | 'reviewer' = 'author'): string {
  const action = drive.outbox.findLast((one) => one.type === 'spawn_agent' && one.task_id === id);
  if (action?.type !== 'spawn_agent') throw new Error(`no start of ${id}`);
  const process_id = `${id}-${action.attempt}${role === 'author' ? '' : '-review'}`;
  drive.log(event({ type: 'action_succeeded', action, result: { process_id, base_sha: sha('b') } }));
  beat(drive, id, process_id, [], true, role);
  return process_id;
}

function beat(
  drive: Drive,
  id: string,
  process_id: string,
  usage: Usage,
  alive = true,
  role: 'author' | 'reviewer' = 'author',
): void {
  const info: AgentInfo = {
    sprint_id: exampleSprint.sprint_id,
    task_id: id,
    role,
    process_id,
    pid: 1,
    alive,
    status: 'working',
    task_started_at: drive.now,
    last_heartbeat_at: drive.now,
    last_progress_at: drive.now,
    next_by: null,
    tokens_used: 0,
    usage,
    exit: null,
  };
  const { agent_id, reviewer_id } = drive.task(id);
  drive.agents = { ...drive.agents, [role === 'author' ? agent_id : (reviewer_id ?? '')]: info };
}

/** The run of a task ends, with so many tokens in its report. */
function end(drive: Drive, id: string, process_id: string, output: number, paused: boolean): void {
  beat(drive, id, process_id, used(output), false);
  const cause = { class: 'budget' as const, until: null, provider: null, sentence: 'told to pause' };
  const task = drive.task(id);
  drive.log(
    report({
      task_id: id,
      agent_id: task.agent_id,
      process_id,
      attempt: task.attempt,
      usage: used(output),
      tokens_used: output,
      ...(paused
        ? { outcome: 'failed', exit: { code: 1, signal: null, at: drive.now, known: true, cause } }
        : { outcome: 'completed', pr_number: Number(id.slice(1)) + 50, head_sha: sha('a') }),
    }),
  );
}

function approve(drive: Drive, id: string, scope: 'task' | 'sprint', n: number, more = {}): void {
  drive.log(
    event({
      type: 'human_command',
      actor: 'ada',
      task_id: id,
      word: 'approve',
      approval: { scope, n, more },
    }),
  );
}

describe('what is kept for a start', () => {
  it('G5 pays for no other: the review of a new head waits until what was kept for the old one is given back', () => {
    const drive = sprintOf({ agent: { tokens: 60 }, task: { tokens: 100 } }, 1, {
      reviewer_id: 'reviewer-1',
    });
    drive.tick();
    end(drive, 't0', start(drive, 't0'), 10, false);
    const first = drive.latest('spawn_agent');
    const kept = () => drive.task('t0').runs?.filter(({ over }) => !over);
    expect(kept()).toMatchObject([{ action_id: first.action_id, reserved: { tokens: 60 } }]);

    drive.forge(pull('pr_updated', { pr_number: 50, head_sha: sha('c') }));
    expect(drive.latest('spawn_agent')).toEqual(first);
    expect(drive.task('t0').status_reason).toMatch(/^budget: needs 60 tokens of 30 tokens/);

    drive.fail('spawn_agent', 'ACTION_OVERTAKEN', { final: false, retryable: true });
    const second = drive.latest('spawn_agent');
    expect(second.head_sha).toBe(sha('c'));
    expect(kept()).toMatchObject([{ action_id: second.action_id, reserved: { tokens: 60 } }]);
  });
});

describe('what a run has used', () => {
  it('O6 counts once, whatever is told twice, late or in another order', () => {
    const figure = fc.tuple(fc.constantFrom('a', 'b'), fc.nat(1000)).map(([model, n]) => used(n, model));
    fc.assert(
      fc.property(fc.array(figure, { minLength: 1, maxLength: 8 }), fc.array(fc.nat(7)), (told, again) => {
        const once = told.reduce(joinUsage, []);
        const more = again
          .flatMap((at) => told[at] ?? [])
          .reduce((sum: Usage, one) => joinUsage(sum, [one]), []);
        expect(joinUsage(more, told.toReversed().reduce(joinUsage, []))).toEqual(once);
      }),
      { numRuns: 200 },
    );
  });

  it('O6 a report after beats, its exit and a late beat are one figure; a second run adds', () => {
    const drive = sprintOf({ agent: { tokens: 1000 } }, 1);
    drive.tick();
    const first = start(drive, 't0');
    beat(drive, 't0', first, used(300));
    drive.tick();
    end(drive, 't0', first, 400, true);
    drive.log(exited(first, 'author', 't0'));
    beat(drive, 't0', first, used(350));
    drive.tick();
    expect(tokens(drive.task('t0'))).toBe(400);

    drive.later();
    const second = start(drive, 't0');
    expect(second).not.toBe(first);
    end(drive, 't0', second, 50, false);
    expect(tokens(drive.task('t0'))).toBe(450);
  });

  it('costs by its own price, else as its program says, else by the default; what is left is unknown', () => {
    const usage: Usage = [
      { model: 'own', input: 1_000_000, output: 100_000, cache_read: 0, cache_write: 0, micro_usd: 1 },
      { model: 'told', input: 10, output: 0, cache_read: 0, cache_write: 0, micro_usd: 77 },
      { model: 'other', input: 10, output: 10, cache_read: 10, cache_write: 0 },
    ];
    const own = { input: 3, output: 15 };

    expect(spentOf(usage, 0, { own, default: { input: 1, output: 2, cache_read: 0.1 } })).toEqual({
      tokens: 1_100_040,
      micro_usd: 3_000_000 + 1_500_000 + 77 + 31,
      ms: 0,
    });
    expect(spentOf(usage, 0, { own })).toMatchObject({ micro_usd: 4_500_077, unpriced: 30 });
    expect(spentOf(used(5, 'constructor'), 0, {})).toMatchObject({ micro_usd: 0, unpriced: 5 });
  });
});

describe('a budget', () => {
  it('G5 reserves for a start before it is intended: two that fit only one by one start one by one', () => {
    const drive = sprintOf({ agent: { tokens: 600 }, sprint: { tokens: 1000 } }, 2);
    drive.tick();
    expect(drive.causes('spawn_agent')).toHaveLength(1);
    expect(drive.task('t1').status_reason).toMatch(/^budget: needs 600 tokens of 400 tokens/);

    end(drive, 't0', start(drive, 't0'), 300, false);
    drive.tick();
    expect(drive.causes('spawn_agent')).toHaveLength(2);
  });

  it('G5 pauses a run that has used it up, blocks its task, asks once, and goes on where it was after an approval', () => {
    const drive = sprintOf({ agent: { tokens: 100 } }, 1);
    drive.tick();
    const process_id = start(drive, 't0');
    beat(drive, 't0', process_id, used(120));
    drive.tick();
    drive.tick();
    expect(drive.causes('stop_agent')).toEqual([`pause:${process_id}`]);
    expect(drive.latest('stop_agent').pause).toContain('one run has used 120 tokens of 100 tokens');
    expect(drive.task('t0').status).toBe('InProgress');

    end(drive, 't0', process_id, 130, true);
    expect(drive.task('t0')).toMatchObject({ status: 'Blocked', failed_attempts: 0 });
    expect(drive.stuck['t0']).toBe('budget_exceeded: one run has used 130 tokens of 100 tokens');
    expect(drive.causes('notify_agent')).toEqual(['budget:1']);

    approve(drive, 't0', 'task', 1);
    expect(drive.causes('spawn_agent')).toEqual(['author:start:1:-', 'author:resume:2:-']);
    expect(drive.task('t0').budget?.approved).toMatchObject({ n: 1, by: 'ada' });
  });

  it('takes no answer to an older breach for a newer one', () => {
    const drive = sprintOf({ task: { tokens: 100 } }, 1);
    drive.tick();
    end(drive, 't0', start(drive, 't0'), 100, true);
    expect(drive.task('t0').budget?.breach?.n).toBe(1);
    approve(drive, 't0', 'task', 1, { tokens: 10 });
    end(drive, 't0', start(drive, 't0'), 15, true);
    expect(drive.task('t0').budget?.breach?.n).toBe(2);

    approve(drive, 't0', 'task', 1);
    const before = drive.task('t0').budget?.breach?.at ?? '';
    const comment = { type: 'issue_comment', issue_number: 1, comment_id: 9, body: 'approve' } as const;
    drive.forge(event({ ...comment, created_at: addMs(before, -60_000) }));
    drive.forge(event({ ...comment, comment_id: 10, created_at: addMs(before, 60_000), trusted: false }));
    expect(drive.task('t0').status).toBe('Blocked');

    drive.forge(event({ ...comment, comment_id: 11, created_at: addMs(before, 60_000) }));
    expect(drive.task('t0')).toMatchObject({ status: 'InProgress' });
  });

  it('stops an agent that does not pause within a quarter of an hour, and takes its end for a pause', () => {
    const drive = sprintOf({ agent: { minutes: 5 } }, 1);
    drive.tick();
    const process_id = start(drive, 't0');
    drive.later(300_000);
    expect(drive.causes('stop_agent')).toEqual([`pause:${process_id}`]);
    drive.later(900_000);
    expect(drive.causes('stop_agent')).toEqual([`pause:${process_id}`, process_id]);
    const stopped = exited(process_id, 'author', 't0');
    drive.log(stopped.type === 'agent_exited' ? { ...stopped, duration_ms: 1_200_000 } : stopped);

    expect(drive.task('t0')).toMatchObject({ status: 'Blocked', failed_attempts: 0 });
  });

  it('asks for the sprint once, and one answer lets all its tasks go on', () => {
    const drive = sprintOf({ sprint: { tokens: 100 } }, 3);
    drive.tick();
    const running = ['t0', 't1'].map((id) => [id, start(drive, id)] as const);
    for (const [id, process_id] of running) beat(drive, id, process_id, used(60));
    drive.tick();
    for (const [id, process_id] of running) end(drive, id, process_id, 60, true);
    expect(running.map(([id]) => drive.task(id).status)).toEqual(['Blocked', 'Blocked']);
    expect(drive.causes('notify_agent')).toEqual(['sprint_budget:1']);

    approve(drive, 't0', 'sprint', 1);
    drive.tick();
    expect(drive.state.budget).toMatchObject({ breach: null, sprint: { tokens: 220 } });
    expect(running.map(([id]) => drive.task(id).status)).toEqual(['InProgress', 'InProgress']);
    expect(drive.causes('spawn_agent').length).toBeGreaterThan(3);
  });

  it('pauses a reviewer, too: its task waits in review, and after an approval its next run reviews the same head', () => {
    const drive = sprintOf({ agent: { tokens: 100 } }, 1, {
      status: 'InReview',
      reviewer_id: 'reviewer-1',
      pr_number: 50,
      head_sha: sha('a'),
      checks: 'none',
    });
    drive.tick();
    const process_id = start(drive, 't0', 'reviewer');
    beat(drive, 't0', process_id, used(100), true, 'reviewer');
    drive.tick();
    expect(drive.latest('stop_agent')).toMatchObject({ agent_id: 'reviewer-1', process_id });
    expect(drive.latest('stop_agent').pause).toContain('one run has used 100 tokens');

    beat(drive, 't0', process_id, used(100), false, 'reviewer');
    const cause = { class: 'budget' as const, until: null, provider: null, sentence: 'told to pause' };
    const exit = { code: 1, signal: null, at: drive.now, known: true, cause };
    const of = { task_id: 't0', agent_id: 'reviewer-1', role: 'reviewer', mode: 'review' } as const;
    const said = { ...of, process_id, head_sha: sha('a'), usage: used(100), tokens_used: 100 };
    drive.log(report({ ...said, outcome: 'failed', exit }));
    expect(drive.task('t0')).toMatchObject({ status: 'Blocked', review_attempts: 0 });

    drive.forge(
      event({
        type: 'issue_comment',
        issue_number: 1,
        comment_id: 9,
        body: 'approve',
        created_at: drive.now,
      }),
    );
    drive.tick();
    expect(drive.task('t0').status).toBe('InReview');
    const reviews = drive.outbox.filter((one) => one.type === 'spawn_agent');
    expect(reviews).toMatchObject([
      { role: 'reviewer', head_sha: sha('a') },
      { role: 'reviewer', head_sha: sha('a') },
    ]);
  });

  it('takes the word `approve` on the issue that asks for the sprint, from a trusted person alone', () => {
    const drive = sprintOf({ sprint: { tokens: 100 } }, 2);
    drive.tick();
    end(drive, 't0', start(drive, 't0'), 100, true);
    expect(drive.causes('notify_agent')).toEqual(['sprint_budget:1']);
    const comment = { type: 'issue_comment', issue_number: 1, created_at: drive.now } as const;
    drive.forge(event({ ...comment, comment_id: 8, body: 'approve', trusted: false }));
    drive.forge(event({ ...comment, comment_id: 9, body: 'I do not approve' }));
    expect(drive.state.budget?.breach?.n).toBe(1);

    drive.forge(event({ ...comment, comment_id: 10, body: 'approve\n\ngo on', actor: 'ada' }));
    expect(drive.state.budget).toMatchObject({
      breach: null,
      approved: { n: 1, by: 'ada' },
      sprint: { tokens: 200 },
    });
  });

  it('stops a task whose run paused by itself at a limit of its own or of the task, though nobody told it to', () => {
    for (const [budget, scope] of [
      [{ agent: { tokens: 1000 } }, 'one run'],
      [{ task: { tokens: 1000 } }, 'the task'],
    ] as const) {
      const drive = sprintOf(budget, 1);
      drive.tick();
      end(drive, 't0', start(drive, 't0'), 1000, true);
      drive.tick();
      const task = drive.task('t0');
      expect(task).toMatchObject({ status: 'Blocked', failed_attempts: 0, budget: { breach: { n: 1 } } });
      expect(task.status_reason).toBe(`budget_exceeded: ${scope} has used 1 000 tokens of 1 000 tokens`);
      approve(drive, 't0', 'task', 1);
      drive.tick();
      expect(drive.task('t0')).toMatchObject({ status: 'InProgress', budget: { breach: null } });
    }
  });

  it('does not believe an agent that says it was told to pause for ever', () => {
    const drive = sprintOf({ agent: { tokens: 1000 } }, 1);
    drive.tick();
    for (let run = 0; run < 3; run += 1) {
      end(drive, 't0', start(drive, 't0'), 1, true);
      drive.later();
    }
    expect(drive.task('t0')).toMatchObject({ status: 'Blocked', status_reason: 'attempts_exhausted' });
  });

  it('writes nothing while agents only use tokens', () => {
    const drive = sprintOf({ agent: { tokens: 1000 } }, 1);
    drive.tick();
    const process_id = start(drive, 't0');
    drive.tick();
    const before = drive.state;
    beat(drive, 't0', process_id, used(10));
    drive.tick();

    expect(drive.state).toEqual(before);
  });
});

const limit = fc.option(fc.integer({ min: 50, max: 400 }), { nil: undefined });
const step = fc.record({
  kind: fc.constantFrom('use', 'end', 'approve', 'wait'),
  task: fc.nat(3),
  amount: fc.integer({ min: 1, max: 150 }),
});

describe('laws of budgets', () => {
  it.each(['for now', 'for good'])(
    'what was kept for a start that its task does not want %s is free for others',
    (how) => {
      const drive = sprintOf({ agent: { tokens: 80 }, sprint: { tokens: 100 } }, 2);
      drive.tick();
      expect(drive.causes('spawn_agent')).toHaveLength(1);
      drive.log(event({ type: 'human_command', task_id: 't0', word: 'assign-human' }));
      expect(drive.task('t1').status_reason).toMatch(/^budget: needs/);
      if (how === 'for now') drive.fail('spawn_agent', 'ACTION_OVERTAKEN', { final: false });
      else drive.succeed('spawn_agent', { taken_back: 'it is a person\u2019s' });
      expect(drive.latest('spawn_agent').task_id).toBe('t1');
      expect(drive.task('t0').put_back ?? null).toBeNull();
    },
  );

  it('G5 what is used and reserved never exceeds a limit at a start, and an approval always lets it move', () => {
    const law = fc.property(
      limit,
      limit,
      limit,
      fc.array(step, { maxLength: 30 }),
      (agent, task, sprint, steps) => {
        const of = (tokens: number | undefined) => (tokens === undefined ? {} : { tokens });
        const drive = sprintOf({ agent: of(agent), task: of(task), sprint: of(sprint) }, 4);
        const live = new Map<string, { process_id: string; output: number }>();
        const limits = (id: string) => ({
          task: drive.task(id).budget?.task.tokens ?? task ?? Infinity,
          sprint: drive.state.budget?.sprint.tokens ?? sprint ?? Infinity,
        });
        const spoken = (ids: readonly string[]): number =>
          ids
            .flatMap((id) => drive.task(id).runs ?? [])
            .reduce((sum, run) => {
              const beaten = [...live.values()].find((one) => one.process_id === run.process_id)?.output ?? 0;
              const spent = Math.max(spentOf(run.usage, 0, {}).tokens, beaten);
              return sum + (run.over ? spent : Math.max(spent, run.reserved.tokens ?? 0));
            }, 0);
        const ids = ['t0', 't1', 't2', 't3'];
        let seen = 0;
        const look = (): void => {
          const starts = drive.outbox.filter(({ type }) => type === 'spawn_agent');
          for (const { task_id } of starts.slice(seen)) {
            const id = task_id ?? '';
            expect(spoken([id])).toBeLessThanOrEqual(limits(id).task);
            expect(spoken(ids)).toBeLessThanOrEqual(limits(id).sprint);
          }
          for (const { task_id } of starts.slice(seen)) {
            const id = task_id ?? '';
            live.set(id, { process_id: start(drive, id), output: 0 });
          }
          seen = starts.length;
          if (drive.outbox.filter(({ type }) => type === 'spawn_agent').length > seen) look();
        };
        drive.tick();
        look();
        for (const { kind, task: at, amount } of steps) {
          const id = `t${at}`;
          const run = live.get(id);
          if (kind === 'use' && run !== undefined) {
            run.output += amount;
            beat(drive, id, run.process_id, used(run.output));
            drive.tick();
          } else if (kind === 'end' && run !== undefined) {
            const told = drive.causes('stop_agent').includes(`pause:${run.process_id}`);
            live.delete(id);
            end(drive, id, run.process_id, run.output, told);
          } else if (kind === 'approve') {
            const own = drive.task(id).budget?.breach ?? null;
            const shared = drive.state.budget?.breach ?? null;
            if (own !== null) approve(drive, id, 'task', own.n);
            else if (shared !== null) approve(drive, shared.task_id, 'sprint', shared.n);
            if (own !== null) expect(drive.task(id).status).not.toBe('Blocked');
            else if (shared !== null) expect(drive.state.budget?.breach).toBeNull();
          } else drive.later();
          look();
        }
      },
    );
    fc.assert(law, { numRuns: 150 });
  });
});
