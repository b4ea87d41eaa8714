import { newTask, type Task } from '@caloron/types';
import { describe, expect, it } from 'vitest';

import { STATUS_HEAD, statusRow } from './status-table.ts';

const AT = '2026-04-14T08:30:00.000Z';
const RETRY = '2026-04-14T08:31:00.000Z';

function told(change: Partial<Task>): Readonly<Record<string, string>> {
  const authored = { title: 't', description: '', depends_on: [], agent_id: 'agent-1', reviewer_id: null };
  const task = { ...newTask('s1', { ...authored, id: 'one' }, AT), ...change };
  const row = statusRow(task, {
    evidence: 'live, files 3 s',
    used: '1 000 tokens',
    liveness: 'live',
    sign: { at: AT, kind: 'files' },
    spent: null,
  });
  return Object.fromEntries(STATUS_HEAD.map((head, at) => [head, row[at] ?? '']));
}

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

  it.each([
    [{ status: 'InProgress' }, `crash: it fell; again from ${RETRY}`],
    [{ status: 'InReview' }, `crash: it fell; again from ${RETRY}`],
    [{ status: 'InProgress', process_id: 'p2' }, 'crash: it fell'],
    [{ status: 'Blocked' }, 'crash: it fell'],
    [{ status: 'Done' }, 'crash: it fell'],
  ] as const)('O7 tells when it is tried again while it waits for that: %j', (change, why) => {
    expect(told({ status_reason: 'crash: it fell', retry_at: RETRY, ...change })['why']).toBe(why);
  });
});
