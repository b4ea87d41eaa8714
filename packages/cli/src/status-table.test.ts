import { type DagState, newTask, type Task } from '@caloron/types';
import { describe, expect, it } from 'vitest';

import { sprintLine, STATUS_HEAD, statusRow } from './status-table.ts';
import { waitOf } from './task-facts.ts';

const AT = '2026-04-14T08:30:00.000Z';
const RETRY = '2026-04-14T08:31:00.000Z';

function told(change: Partial<Task>, waits: string | null = null): Readonly<Record<string, string>> {
  const authored = { title: 't', description: '', depends_on: [], agent_id: 'agent-1', reviewer_id: null };
  const task = { ...newTask('s1', { ...authored, id: 'one' }, AT), ...change };
  const row = statusRow(task, {
    evidence: 'live, files 3 s',
    used: '1 000 tokens',
    liveness: 'live',
    sign: { at: AT, kind: 'files' },
    waits,
    spent: null,
  });
  return Object.fromEntries(STATUS_HEAD.map((head, at) => [head, row[at] ?? '']));
}

describe('the line of a sprint', () => {
  it.each([
    ['active', ['Done', 'Cancelled'], 'ending with its next tick (1 Done, 1 Cancelled)'],
    ['active', ['Done', 'Ready'], 'active (1 Done, 1 Ready)'],
    ['completed', ['Done', 'Done'], 'completed (2 Done)'],
  ] as const)('%s with %j says %s', (status, statuses, line) => {
    const tasks = statuses.map((one, at) => {
      const planned = { title: 't', description: '', depends_on: [], agent_id: 'a', reviewer_id: null };
      return [`t${at}`, { ...newTask('s1', { id: `t${at}`, ...planned }, AT), status: one }];
    });
    const state = { sprint_id: 's1', sprint: { repo: 'o/r' }, status, tasks: Object.fromEntries(tasks) };
    expect(sprintLine(state as unknown as DagState, null)).toBe(`sprint s1 on o/r: ${line}`);
  });
});

describe('a task in the status of its sprint', () => {
  it('O7 tells how alive its agent is and what it has used', () => {
    expect(told({ status: 'InProgress', attempt: 1, process_id: 'p1', retry_at: null })).toMatchObject({
      task: 'one',
      agent: 'agent-1',
      evidence: 'live, files 3 s',
      used: '1 000 tokens',
      why: '',
    });
  });

  it('O7 tells beside the reason what its next start waits for, and nothing twice', () => {
    const failed = { status: 'InProgress', status_reason: 'crash: it fell' } as const;
    expect(told(failed, `again from ${RETRY}`)['why']).toBe(`crash: it fell; again from ${RETRY}`);
    expect(told(failed)['why']).toBe('crash: it fell');
    const held = 'provider_limited: stub until a person answers';
    expect(told({ status: 'InReview', status_reason: held }, held)['why']).toBe(held);
  });
});

describe('what the next start of a task waits for', () => {
  const task = newTask(
    's1',
    { id: 'one', title: 't', description: '', depends_on: [], agent_id: 'a', reviewer_id: null },
    AT,
  );
  const held = { provider: 'stub', until: null };

  it.each([
    [{ status: 'InProgress', retry_at: RETRY }, undefined, `again from ${RETRY}`],
    [{ status: 'InReview', retry_at: RETRY }, undefined, `again from ${RETRY}`],
    // Its time has come: nothing is left to wait for.
    [{ status: 'InProgress', retry_at: AT }, undefined, null],
    [{ status: 'InProgress', retry_at: RETRY, process_id: 'p2' }, undefined, null],
    [{ status: 'Blocked', retry_at: RETRY }, undefined, null],
  ] as const)('O7 is its own time while it has no agent: %j', (change, hold, words) => {
    expect(waitOf({ ...task, ...change }, hold, AT)).toBe(words);
  });

  it('G4 is the limit of its provider, however soon its own time comes', () => {
    const failed = { ...task, status: 'InProgress', retry_at: RETRY } as const;
    expect(waitOf(failed, held, AT)).toBe('provider_limited: stub until a person answers');
    expect(waitOf({ ...failed, process_id: 'p2' }, held, AT)).toBeNull();
  });
});
