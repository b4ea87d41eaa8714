import { EndClass } from '@caloron/types';
import type { DagState, Event, Exit, Task } from '@caloron/types';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { Drive, event, exited, pull, report, sha } from '../testing/drive.ts';
import { dagEvaluate } from './evaluate.ts';
import { exampleState, exampleTask } from './example.ts';

const NOW = '2026-04-14T08:30:00.000Z';
const IDS = ['a', 'b', 'c'];

const status = fc.constantFrom<Task['status']>(
  'Pending',
  'Ready',
  'InProgress',
  'InReview',
  'Done',
  'Blocked',
  'Cancelled',
  'HumanAssigned',
);
const head = fc.constantFrom(sha('a'), sha('b'));
const process_id = fc.constantFrom('p1', 'p2');

function task(id: string, n: number): fc.Arbitrary<Task> {
  return fc
    .record({
      status,
      agent_id: fc.constantFrom('agent-1', 'agent-2'),
      issue_number: fc.constantFrom(null, n),
      pr_number: fc.constantFrom(null, 10 + n),
      head_sha: fc.option(head),
      base_sha: fc.constantFrom(null, sha('0')),
      process_id: fc.option(process_id),
      attempt: fc.nat(3),
      failed_attempts: fc.nat(3),
      review_cycles: fc.nat(3),
      rebases: fc.nat(3),
      checks: fc.constantFrom<Task['checks']>('unknown', 'none', 'pending', 'green', 'red'),
      status_reason: fc.constantFrom(null, 'rebase', 'changes_requested', 'issue_closed', 'pr_closed: #7'),
      reviewer_id: fc.constantFrom(null, 'reviewer-1'),
      depends_on: fc.subarray(IDS.slice(0, n - 1)),
      retry_at: fc.constantFrom(null, '2026-04-14T08:29:00.000Z', '2026-04-14T08:31:00.000Z'),
      provider_limit: fc.constantFrom(
        null,
        { provider: 'stub', until: '2026-04-14T08:40:00.000Z' },
        { provider: 'stub', until: null },
        { provider: 'other', until: '2026-04-14T08:40:00.000Z' },
      ),
    })
    .map((change) => exampleTask(id, change));
}

const state: fc.Arbitrary<DagState> = fc
  .tuple(task('a', 1), task('b', 2), task('c', 3), fc.nat(2))
  .map(([a, b, c, required_approvals]) => exampleState([a, b, c], { required_approvals }));

const where = fc.record({ pr_number: fc.constantFrom(11, 12, 13), head_sha: head });
const task_id = fc.constantFrom(...IDS, 'ghost');

const happened: fc.Arbitrary<Event> = fc.oneof(
  where.chain((facts) =>
    fc
      .constantFrom('pr_opened' as const, 'pr_updated' as const, 'pr_closed' as const, 'pr_reopened' as const)
      .map((type) => pull(type, facts)),
  ),
  where.map(({ pr_number }) => event({ type: 'pr_merged', pr_number, merge_sha: sha('e') })),
  fc
    .tuple(where, fc.constantFrom('approved' as const, 'changes_requested' as const, 'dismissed' as const))
    .map(([facts, review_state]) =>
      event({ ...facts, type: 'pr_review_submitted', review_id: '1', body: '', review_state }),
    ),
  where.map((facts) => event({ ...facts, type: 'checks_changed', checks: 'green' })),
  fc
    .tuple(
      task_id,
      fc.constantFrom('completed' as const, 'failed' as const, 'blocked' as const),
      where,
      process_id,
      fc.integer({ min: 1, max: 4 }),
      fc.option(fc.constantFrom(...EndClass.options)),
    )
    .map(([id, outcome, facts, process, attempt, kind]) =>
      report({ ...facts, task_id: id, outcome, process_id: process, attempt, exit: failed(kind) }),
    ),
  fc
    .tuple(process_id, fc.constantFrom('author' as const, 'reviewer' as const), task_id)
    .map(([process, role, id]) => exited(process, role, id)),
  fc
    .tuple(
      task_id,
      fc.constantFrom(
        'resolved' as const,
        'assign-human' as const,
        'break-down' as const,
        'caloron:take-over' as const,
        'cancel' as const,
      ),
    )
    .map(([id, word]) => event({ type: 'human_command', task_id: id, word })),
  fc.integer({ min: 1, max: 3 }).map((issue_number) => event({ type: 'issue_closed', issue_number })),
  fc.integer({ min: 1, max: 3 }).map((issue_number) => event({ type: 'issue_reopened', issue_number })),
);
/** The exit of a run that ended in a class, or nobody knows in which. */
function failed(kind: EndClass | null): Exit {
  const exit = { code: 1, signal: null, at: NOW, known: true };
  return kind === null
    ? exit
    : { ...exit, cause: { class: kind, until: null, provider: 'stub', sentence: '' } };
}

const events = fc.array(happened, { maxLength: 8 });

function evaluate(given: DagState, list: readonly Event[]) {
  return dagEvaluate.call({ state: given, log_events: [...list], events: [], now: NOW }, {});
}

function deepFreeze(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return;
  Object.freeze(value);
  for (const inner of Object.values(value)) deepFreeze(inner);
}

/** A task in progress or review has an issue, for only then was it started; one in review has a pull request and its head. */
function isReachable({ tasks }: DagState): boolean {
  return Object.values(tasks).every((one) => {
    const started = one.issue_number !== null || one.status === 'Pending' || one.status === 'Ready';
    return started && (one.status !== 'InReview' || (one.pr_number !== null && one.head_sha !== null));
  });
}

describe('dag_evaluate: laws', () => {
  it('gives the same answer to the same question and leaves the question as it was', () => {
    const law = fc.property(state, events, (given, list) => {
      deepFreeze(given);
      deepFreeze(list);

      expect(evaluate(given, list)).toEqual(evaluate(given, list));
    });
    fc.assert(law, { numRuns: 500 });
  });

  it('never leaves Done or Cancelled', () => {
    const law = fc.property(state, events, (given, list) => {
      const after = evaluate(given, list).state.tasks;

      for (const [id, before] of Object.entries(given.tasks)) {
        if (before.status === 'Done' || before.status === 'Cancelled')
          expect(after[id]?.status).toBe(before.status);
      }
    });
    fc.assert(law, { numRuns: 500 });
  });

  it('keeps to the shapes, names each action once and starts each agent at most once', () => {
    const law = fc.property(state, events, (given, list) => {
      const { actions, ...rest } = dagEvaluate.output.parse(evaluate(given, list));
      const ids = actions.map(({ action_id }) => action_id);
      const started = actions.filter(({ type }) => type === 'spawn_agent').map(({ agent_id }) => agent_id);

      expect(rest.state.order).toEqual(given.order);
      expect(new Set(ids).size).toBe(ids.length);
      expect(new Set(started).size).toBe(started.length);
    });
    fc.assert(law, { numRuns: 500 });
  });

  it('merges only what is approved, unopposed and green on its head', () => {
    const law = fc.property(state, events, (given, list) => {
      const out = evaluate(given, list);

      for (const action of out.actions) {
        if (action.type !== 'merge_pr') continue;
        const merged = out.state.tasks[action.task_id ?? ''];
        const counting = Object.values(merged?.reviews ?? {}).filter(
          ({ head_sha }) => head_sha === action.head_sha,
        );
        expect(merged).toMatchObject({
          status: 'InReview',
          head_sha: action.head_sha,
          pr_number: action.pr_number,
        });
        expect(counting.filter((one) => one.state === 'approved').length).toBeGreaterThanOrEqual(
          given.sprint.required_approvals,
        );
        expect(counting.some((one) => one.state === 'changes_requested')).toBe(false);
        expect(['green', 'none']).toContain(merged?.checks);
      }
    });
    fc.assert(law, { numRuns: 500 });
  });

  it('intends nothing new and changes nothing when nothing happens', () => {
    const law = fc.property(state, events, (given, list) => {
      const once = evaluate(given, list);
      const twice = evaluate(once.state, []);

      const known = new Set(once.actions.map(({ action_id }) => action_id));
      expect(twice.actions.filter(({ action_id }) => !known.has(action_id))).toEqual([]);
      expect(twice.state).toEqual(once.state);
      expect(twice.announce).toEqual([]);
    });
    fc.assert(law, { numRuns: 1000 });
  });

  it('has nothing more to do for a task that a person gives up, and closes the sprint whose last one it was', () => {
    const law = fc.property(state.filter(isReachable), events, task_id, (given, list, id) => {
      const drive = new Drive(given);
      drive.tick({ log: list });
      const before = drive.state.tasks[id];
      const asked = drive.outbox.length;
      drive.log(event({ type: 'human_command', task_id: id, word: 'cancel' }));
      const after = drive.state.tasks[id];

      if (before === undefined || before.status === 'Done' || before.status === 'Cancelled') {
        expect(after).toEqual(before);
        return;
      }
      expect(after).toMatchObject({ status: 'Cancelled', process_id: null });
      const of_task = drive.outbox.slice(asked).filter((one) => one.task_id === id);
      expect(of_task.filter(({ type }) => type !== 'stop_agent')).toEqual([]);
      const stopped = of_task.flatMap((one) => (one.type === 'stop_agent' ? [one.process_id] : []));
      const asked_before = drive.outbox
        .slice(0, asked)
        .some((one) => one.type === 'stop_agent' && one.process_id === before.process_id);
      if (before.process_id !== null && !asked_before) expect(stopped).toContain(before.process_id);
      const over = Object.values(drive.state.tasks).every(
        ({ status: now }) => now === 'Done' || now === 'Cancelled',
      );
      expect(drive.outbox.some(({ type }) => type === 'close_sprint')).toBe(over);
    });
    fc.assert(law, { numRuns: 500 });
  });

  it('leaves no open task without a reason, a process or an intention', () => {
    const law = fc.property(state.filter(isReachable), events, (given, list) => {
      const drive = new Drive(given);
      drive.tick({ log: list });
      drive.tick();

      for (const one of Object.values(drive.state.tasks)) {
        const moves =
          one.process_id !== null ||
          one.status_reason !== null ||
          Object.hasOwn(drive.stuck, one.id) ||
          drive.outbox.some(({ task_id: id }) => id === one.id);
        expect([one.status, moves || one.status === 'Done' || one.status === 'Cancelled']).toEqual([
          one.status,
          true,
        ]);
      }
    });
    fc.assert(law, { numRuns: 1000 });
  });
});
