import type { LogRow } from '@caloron/store';
import type { Action, Event, Report } from '@caloron/types';
import { describe, expect, it } from 'vitest';

import { showLine, tell } from './story.ts';

const AT = '2026-01-02T03:04:05.000Z';
const SHA = 'a'.repeat(40);

function row(kind: string, payload: unknown): LogRow {
  return {
    seq: 1,
    event_id: 'e1',
    at: AT,
    kind,
    version: 1,
    run_id: null,
    actor: null,
    sprint_id: 's1',
    target: null,
    causation_id: null,
    correlation_id: null,
    lamport: 1,
    payload,
  };
}

it('tells what was seen on the forge and does not count', () => {
  const reason = 'pull request #4 for task t1 does not count: it is a draft';
  const told = tell(row('forge.ignored', { id: 'x', reason, task_id: 't1' }));

  expect(told).toEqual({ at: AT, what: 'ignored', task: 't1', text: reason });
  expect(tell(row('forge.ignored', 'damaged'))?.task).toBe('');
});

const base = { event_id: 'e1', created_at: AT, actor: null, trusted: true };
const action = { action_id: '0'.repeat(32), cause: 'c', sprint_id: 's1', task_id: 't1', agent_id: 'agent-1' };
const merge: Action = { ...action, type: 'merge_pr', pr_number: 7, head_sha: SHA };
const spawn: Action = {
  ...action,
  type: 'spawn_agent',
  issue_number: 1,
  role: 'author',
  mode: 'start',
  attempt: 2,
  instruction: null,
  pr_number: null,
  head_sha: null,
};

const cause = {
  class: 'budget',
  until: null,
  provider: null,
  sentence: 'budget: one run has used 1 100 tokens of 1 000 tokens',
} as const;
const paused = { code: 1, signal: null, at: AT, known: true, cause };
const exited = { ...base, type: 'agent_exited', process_id: 'p1', task_id: 't1', role: 'author' } as const;

function report(fields: Partial<Report>): Report {
  return {
    process_id: 'p1',
    agent_id: 'agent-1',
    sprint_id: 's1',
    task_id: 't1',
    role: 'author',
    attempt: 1,
    outcome: 'completed',
    body: '',
    head_sha: SHA,
    pr_number: 7,
    exit: { code: 0, signal: null, at: AT, known: true },
    tokens_used: 0,
    duration_ms: 1,
    receipt: null,
    feedback: null,
    synthetic: false,
    ...fields,
  };
}

const told = (event: Event): string | undefined => {
  const line = tell(row(event.type, event));
  return line === undefined ? undefined : `${line.what} ${line.task}: ${line.text}`;
};

describe('the story', () => {
  it.each<readonly [string, Event]>([
    [
      'merge t1: PR #7 merged as bbbbbbbb',
      { ...base, type: 'action_succeeded', action: merge, result: { merge_sha: 'b'.repeat(40) } },
    ],
    [
      'agent t1: agent-1 starts (pid 42, attempt 2)',
      { ...base, type: 'action_succeeded', action: spawn, result: { pid: 42 } },
    ],
    [
      'failed t1: merge_pr: it conflicts',
      {
        ...base,
        type: 'action_failed',
        action: merge,
        error: { code: 'FORGE_NOT_MERGEABLE', message: 'it conflicts', retryable: false },
        final: true,
      },
    ],
    [
      'again t1: merge_pr: no answer',
      {
        ...base,
        type: 'action_failed',
        action: merge,
        error: { code: 'FORGE_UNAVAILABLE', message: 'no answer', retryable: true },
        final: false,
      },
    ],
    [
      'agent t1: agent-1 goes on (pid 42, attempt 2)',
      { ...base, type: 'action_succeeded', action: { ...spawn, mode: 'resume' }, result: { pid: 42 } },
    ],
    [
      'agent t1: agent-1 goes on with PR #7 (pid 42, attempt 2)',
      {
        ...base,
        type: 'action_succeeded',
        action: { ...spawn, mode: 'resume', pr_number: 7 },
        result: { pid: 42 },
      },
    ],
    [
      'failed t1: the process of the author ended by SIGKILL; its work is saved as refs/caloron/wip/s1/t1/1',
      {
        ...exited,
        exit: { code: null, signal: 'SIGKILL', at: AT, known: true },
        wip_ref: 'refs/caloron/wip/s1/t1/1',
      },
    ],
    [
      'failed t1: the process of the author is gone and left no exit code',
      { ...exited, exit: { code: null, signal: null, at: AT, known: false } },
    ],
    ['PR t1: agent-1 delivers PR #7 at aaaaaaaa', { ...base, type: 'agent_reported', report: report({}) }],
    [
      'failed t1: agent-1: failed. it broke',
      {
        ...base,
        type: 'agent_reported',
        report: report({ outcome: 'failed', body: 'it broke\nat line 2', pr_number: null }),
      },
    ],
    [
      'paused t1: agent-1 pauses: budget: one run has used 1 100 tokens of 1 000 tokens',
      {
        ...base,
        type: 'agent_reported',
        report: report({ outcome: 'failed', body: 'stub was ended by SIGTERM.', exit: paused }),
      },
    ],
    [
      'review t1: reviewer-1 approves PR #7',
      {
        ...base,
        type: 'agent_reported',
        report: report({ role: 'reviewer', agent_id: 'reviewer-1', outcome: 'approved' }),
      },
    ],
    [
      'review t1: reviewer-1 failed PR #7: HARNESS_TREE_NOT_EXACT: /w is not exactly aaaaaaaa (changed: a.txt)',
      {
        ...base,
        type: 'agent_reported',
        report: report({
          role: 'reviewer',
          agent_id: 'reviewer-1',
          outcome: 'failed',
          body: 'HARNESS_TREE_NOT_EXACT: /w is not exactly aaaaaaaa (changed: a.txt)\nmore',
        }),
      },
    ],
    ['person t1: resolved', { ...base, type: 'human_command', task_id: 't1', word: 'resolved' }],
  ])('says %j', (text, event) => {
    expect(told(event)).toBe(text);
  });

  it.each([
    ['TAP\n✖ counts words (3 ms)\nmore', '✖ counts words (3 ms)'],
    ['+ check\n./half.txt\n\n', './half.txt'],
  ])('gives the line of a failed test run that says what is wrong, or its last: %j', (tail, says) => {
    const receipt = {
      commit: SHA,
      command: ['node', '--test'],
      exit_code: 1,
      duration_ms: 3,
      log_sha256: 'c'.repeat(64),
      tail,
    };
    const event = {
      ...base,
      type: 'agent_reported',
      report: report({
        role: 'reviewer',
        agent_id: 'reviewer-1',
        outcome: 'changes_requested',
        receipt,
      }),
    } as const;

    expect(told(event)).toBe(`review t1: reviewer-1 requests changes: PR #7 node --test exits 1: ${says}`);
  });

  it('tells the beginning and the end of a sprint, and is silent about bookkeeping', () => {
    const kinds = [
      'sprint.started',
      'sprint.completed',
      'sprint.stuck',
      'kv.put',
      'outbox.started',
      'what.ever',
    ];

    expect(kinds.map((kind) => tell(row(kind, {}))?.text)).toEqual([
      's1 started',
      's1 completed',
      'nothing can move without a person',
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('is silent about a process that ended by itself: its report has told', () => {
    expect(told({ ...exited, exit: { code: 0, signal: null, at: AT, known: true } })).toBeUndefined();
    expect(told({ ...exited, exit: { code: 1, signal: null, at: AT, known: true } })).toBeUndefined();
  });

  it('stands in columns', () => {
    expect(showLine({ at: AT, what: 'merge', task: 't1', text: 'PR #7' })).toBe(
      '03:04:05  merge     t1             PR #7',
    );
  });
});
