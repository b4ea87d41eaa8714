import type { Sprint, Task } from '@caloron/types';
import { describe, expect, it } from 'vitest';

import { Drive, event, exited, pull, report, sha } from '../testing/drive.ts';
import { exampleState, exampleTask } from './example.ts';

const MARKER = '<!-- caloron:login-20260414:a -->';

/** A sprint whose task `a` is in review with head aaaa… and no checks. */
function inReview(task: Partial<Task> = {}, sprint: Partial<Sprint> = {}): Drive {
  const base = {
    status: 'InReview',
    issue_number: 1,
    attempt: 1,
    pr_number: 7,
    head_sha: sha('a'),
    base_sha: sha('0'),
    checks: 'none',
  } as const;
  const drive = new Drive(exampleState([exampleTask('a', { ...base, ...task })], sprint));
  drive.tick();
  return drive;
}

function verdict(
  outcome: 'approved' | 'changes_requested' | 'failed',
  more: Parameters<typeof report>[0] = {},
) {
  return report({
    role: 'reviewer',
    agent_id: 'reviewer-1',
    process_id: 'r1',
    outcome,
    head_sha: sha('a'),
    ...more,
  });
}

function review(state: 'approved' | 'changes_requested' | 'commented' | 'dismissed', more: object = {}) {
  return event({
    type: 'pr_review_submitted',
    pr_number: 7,
    review_id: '1',
    head_sha: sha('a'),
    body: '',
    review_state: state,
    actor: 'maria',
    ...more,
  });
}

describe('dag_evaluate: review', () => {
  it('sends the author back with the text, and takes the new head into review', () => {
    const drive = inReview();
    drive.succeed('spawn_agent', { process_id: 'r1' });

    drive.log(verdict('changes_requested', { body: 'handle the empty password' }), exited('r1', 'reviewer'));
    expect(drive.task()).toMatchObject({
      status: 'InProgress',
      status_reason: 'changes_requested',
      review_cycles: 1,
      review_attempts: 0,
    });
    const resume = drive.latest('spawn_agent');
    expect(resume).toMatchObject({
      cause: `author:resume:2:${sha('a')}`,
      mode: 'resume',
      pr_number: 7,
      head_sha: sha('a'),
    });
    expect(resume.instruction).toContain('> handle the empty password');

    drive.succeed('spawn_agent', { process_id: 'p2' });
    drive.forge(pull('pr_updated', { head_sha: sha('b') }));
    expect(drive.task()).toMatchObject({ status: 'InReview', head_sha: sha('b'), checks: 'unknown' });
    expect(drive.latest('spawn_agent').cause).toBe(`reviewer:review:1:${sha('b')}`);
    drive.log(report({ process_id: 'p2', attempt: 2, head_sha: sha('b'), pr_number: 7 }), exited('p2'));
    expect(drive.task()).toMatchObject({ status: 'InReview', process_id: null, failed_attempts: 0 });

    drive.succeed('spawn_agent', { process_id: 'r2' });
    drive.log(verdict('approved', { process_id: 'r2', head_sha: sha('b') }));
    drive.forge(event({ type: 'checks_changed', pr_number: 7, head_sha: sha('b'), checks: 'green' }));
    expect(drive.causes('merge_pr')).toEqual([`7:${sha('b')}`]);
  });

  it('counts an attempt that leaves the head as it was', () => {
    const drive = inReview();
    drive.log(verdict('changes_requested'));
    drive.succeed('spawn_agent', { process_id: 'p2' });

    drive.forge(pull('pr_updated'));
    expect(drive.task().status).toBe('InProgress');
    drive.log(report({ process_id: 'p2', attempt: 2, head_sha: sha('a'), pr_number: 7 }));

    expect(drive.task()).toMatchObject({ status: 'InProgress', failed_attempts: 1 });
    expect(drive.task().status_reason).toContain('no_changes');
  });

  it('G10 asks a person after max_review_cycles and never merges by force', () => {
    const drive = inReview({ review_cycles: 2 });

    drive.log(verdict('changes_requested'));

    expect(drive.task()).toMatchObject({
      status: 'Blocked',
      status_reason: 'review_cycles_exhausted',
      review_cycles: 3,
    });
    expect(drive.causes('escalate')).toEqual(['review_cycles_exhausted:0']);
    expect(drive.latest('escalate').pr_number).toBe(7);
    expect(drive.causes('merge_pr')).toEqual([]);
    drive.log(event({ type: 'human_command', task_id: 'a', word: 'resolved' }));
    expect(drive.task()).toMatchObject({ status: 'InProgress', review_cycles: 4 });
  });

  it.each([
    ['on an older head', verdict('approved', { head_sha: sha('9') })],
    ['by an agent that is not its reviewer', verdict('approved', { agent_id: 'agent-1' })],
    ['by somebody who may not', review('approved', { trusted: false })],
    ['of a person on an older head', review('approved', { head_sha: sha('9') })],
    ['without login', review('approved', { actor: null })],
    ['that is only a comment', review('commented')],
    ["that is the public form of an agent's verdict", review('approved', { body: MARKER })],
    ['of another pull request', review('approved', { pr_number: 99 })],
  ])('does not count a verdict %s', (_, happened) => {
    const drive = inReview();

    drive.tick(happened.type === 'agent_reported' ? { log: [happened] } : { forge: [happened] });

    expect(drive.task().reviews).toEqual({});
    expect(drive.causes('merge_pr')).toEqual([]);
  });

  it('does not count approvals of a head that has moved on', () => {
    const drive = inReview({ checks: 'unknown' });
    drive.log(verdict('approved'));

    drive.forge(
      pull('pr_updated', { head_sha: sha('b') }),
      event({ type: 'checks_changed', pr_number: 7, head_sha: sha('b'), checks: 'green' }),
    );

    expect(drive.causes('merge_pr')).toEqual([]);
    expect(drive.latest('spawn_agent').cause).toBe(`reviewer:review:1:${sha('b')}`);
  });

  it('needs as many approvals as the sprint asks for, each by another reviewer', () => {
    const drive = inReview({}, { required_approvals: 2 });

    drive.log(verdict('approved'));
    drive.log(verdict('approved', { process_id: 'r2' }));
    expect(drive.task().status_reason).toBe('waits_approval');
    expect(drive.stuck).toEqual({ a: 'waits_approval' });
    drive.forge(review('approved'));

    expect(drive.causes('merge_pr')).toEqual([`7:${sha('a')}`]);
  });

  it('takes the latest word of a reviewer, whichever comes first', () => {
    const later = '2026-04-14T09:00:00.000Z';
    const drive = inReview({}, { required_approvals: 2 });

    drive.forge(review('approved', { created_at: later, review_id: '2' }), review('changes_requested'));

    expect(drive.task().reviews['maria']).toMatchObject({ state: 'approved', review_id: '2' });
    expect(drive.task().status).toBe('InReview');
  });

  it('takes a dismissed approval back', () => {
    const drive = inReview({}, { required_approvals: 2 });
    drive.forge(review('approved'));
    drive.forge(review('dismissed', { review_id: '0' }));
    expect(drive.task().reviews['maria']?.state).toBe('approved');

    drive.forge(review('dismissed'));
    drive.log(verdict('approved'));

    expect(drive.causes('merge_pr')).toEqual([]);
  });

  it('takes a dismissed request for changes of an agent back: the author is not started for it', () => {
    const drive = inReview();
    drive.busy = ['agent-1'];
    drive.log(verdict('changes_requested'));

    drive.forge(review('dismissed', { body: `no ${MARKER}`, actor: 'caloron-bot' }));

    expect(drive.task()).toMatchObject({ status: 'InReview', status_reason: 'waits_approval' });
    expect(drive.causes('spawn_agent').filter((cause) => cause.startsWith('author'))).toEqual([]);
  });

  it('holds a merge against a standing request for changes', () => {
    const drive = inReview();

    drive.tick({ log: [verdict('approved')], forge: [review('changes_requested')] });

    expect(drive.causes('merge_pr')).toEqual([]);
    expect(drive.task().status).toBe('InProgress');
  });

  it('starts one reviewer for one task at a time', () => {
    const base = { status: 'InReview', issue_number: 1, checks: 'none', head_sha: sha('a') } as const;
    const drive = new Drive(
      exampleState([
        exampleTask('a', { ...base, pr_number: 7 }),
        exampleTask('b', { ...base, pr_number: 8, head_sha: sha('b') }),
      ]),
    );

    drive.tick();
    drive.succeed('spawn_agent', { process_id: 'r1' });
    drive.tick();

    expect(drive.causes('spawn_agent')).toEqual([`reviewer:review:1:${sha('a')}`]);
    expect(drive.task('b').status_reason).toBe('reviewer_busy');
  });

  it('tries a reviewer again that ended without a verdict, counting report and exit as one', () => {
    const drive = inReview();
    drive.succeed('spawn_agent', { process_id: 'r1' });

    drive.log(verdict('failed'));
    drive.log(exited('r1', 'reviewer'));
    expect(drive.task().review_attempts).toBe(1);
    drive.later();
    drive.succeed('spawn_agent', { process_id: 'r2' });
    drive.log(exited('r2', 'reviewer'));
    drive.log(exited('r2', 'reviewer'));
    expect(drive.task().review_attempts).toBe(2);
    drive.later();
    drive.log(exited('r3', 'reviewer'));

    expect(drive.causes('spawn_agent')).toEqual([1, 2, 3].map((n) => `reviewer:review:${n}:${sha('a')}`));
    expect(drive.task()).toMatchObject({ status: 'Blocked', status_reason: 'review_failed' });
    drive.log(event({ type: 'human_command', task_id: 'a', word: 'resolved' }));
    expect(drive.latest('spawn_agent').cause).toBe(`reviewer:review:1:${sha('a')}:1`);
  });

  it('tells the person who is asked what the last reviewer run said of its end', () => {
    const drive = inReview();
    for (const process_id of ['r1', 'r2', 'r3']) {
      drive.succeed('spawn_agent', { process_id });
      drive.log(verdict('failed', { process_id, body: 'HARNESS_TREE_NOT_EXACT: changed:\n hook.log' }));
      drive.later();
    }
    expect(drive.latest('escalate')).toMatchObject({
      reason: expect.stringMatching(/The last one: failed, .*: HARNESS_TREE_NOT_EXACT: changed: hook\.log$/),
    });
  });

  it('stops a reviewer whose head was superseded', () => {
    const drive = inReview();
    drive.succeed('spawn_agent', { process_id: 'r1' });

    drive.forge(pull('pr_updated', { head_sha: sha('b') }));
    drive.log(exited('r1', 'reviewer'));

    expect(drive.causes('stop_agent')).toEqual(['r1']);
    expect(drive.task().review_attempts).toBe(0);
  });

  it('needs no reviewer when nobody has to approve', () => {
    const drive = inReview({ reviewer_id: null }, { required_approvals: 0 });

    expect(drive.intended()).toEqual([`merge_pr 7:${sha('a')}`]);
  });
});

describe('dag_evaluate: merge', () => {
  function approved(checks: Task['checks'] = 'none'): Drive {
    const drive = inReview({ checks });
    drive.log(verdict('approved'));
    return drive;
  }

  it.each(['green', 'none'] as const)('merges with checks %s', (checks) => {
    expect(approved(checks).causes('merge_pr')).toEqual([`7:${sha('a')}`]);
  });

  it.each(['red', 'pending', 'unknown'] as const)('waits with checks %s and says so', (checks) => {
    const drive = approved(checks);

    expect(drive.causes('merge_pr')).toEqual([]);
    expect(drive.task().status_reason).toBe(`checks_${checks}`);
    expect(Object.keys(drive.stuck)).toEqual(checks === 'red' ? ['a'] : []);
  });

  it('does not take the checks of another head', () => {
    const drive = approved('unknown');

    drive.forge(event({ type: 'checks_changed', pr_number: 7, head_sha: sha('9'), checks: 'green' }));

    expect(drive.causes('merge_pr')).toEqual([]);
  });

  it('completes a task once, by the success of its merge or by the event of it', () => {
    const drive = approved();

    drive.succeed('merge_pr', { merge_sha: sha('e') });
    const completed_at = drive.task().completed_at;
    drive.forge(
      event({ type: 'pr_merged', pr_number: 7, merge_sha: sha('e'), created_at: '2026-04-15T00:00:00.000Z' }),
    );
    drive.succeed('merge_pr', { merge_sha: sha('e'), already: true });

    expect(drive.task()).toMatchObject({ status: 'Done', completed_at });
    expect(drive.causes('mark_done')).toEqual(['7']);
    expect(drive.latest('cleanup')).toMatchObject({
      cause: `caloron/login-20260414/a:${sha('a')}`,
      merge_sha: sha('e'),
    });
  });

  it('does not revive a cancelled task', () => {
    const drive = inReview({ status: 'Cancelled' });

    drive.forge(event({ type: 'pr_merged', pr_number: 7, merge_sha: sha('e') }));

    expect(drive.task().status).toBe('Cancelled');
  });

  it('lets the author rebase twice over a conflict, then asks a person', () => {
    const drive = approved();
    for (const [head, n] of [
      ['b', 1],
      ['c', 2],
    ] as const) {
      drive.fail('merge_pr', 'FORGE_NOT_MERGEABLE');
      expect(drive.task()).toMatchObject({ status: 'InProgress', status_reason: 'rebase', rebases: n });
      expect(drive.latest('spawn_agent')).toMatchObject({ mode: 'rebase', attempt: n + 1 });
      expect(drive.latest('spawn_agent').instruction).toContain('main');
      drive.succeed('spawn_agent', { process_id: `p${n}` });
      drive.log(report({ process_id: `p${n}`, attempt: n + 1, head_sha: sha(head), pr_number: 7 }));
      drive.log(verdict('approved', { process_id: `r${head}`, head_sha: sha(head) }));
      drive.forge(event({ type: 'checks_changed', pr_number: 7, head_sha: sha(head), checks: 'none' }));
    }
    drive.fail('merge_pr', 'FORGE_NOT_MERGEABLE');

    expect(drive.task()).toMatchObject({ status: 'Blocked', status_reason: 'merge_conflict' });
    expect(drive.causes('merge_pr')).toEqual(['a', 'b', 'c'].map((head) => `7:${sha(head)}`));
  });

  it('keeps the mode of a rebase that has to be tried again', () => {
    const drive = approved();
    drive.fail('merge_pr', 'FORGE_NOT_MERGEABLE');
    drive.succeed('spawn_agent', { process_id: 'p2' });

    drive.log(exited('p2'));
    drive.later();

    expect(drive.latest('spawn_agent')).toMatchObject({ mode: 'rebase', attempt: 3 });
  });

  it('waits for the head a pull request moved to', () => {
    const drive = approved();

    drive.fail('merge_pr', 'FORGE_HEAD_MOVED', { final: false });
    expect(drive.task().status).toBe('InReview');
    drive.forge(pull('pr_updated', { head_sha: sha('b') }));

    expect(drive.latest('spawn_agent').cause).toBe(`reviewer:review:1:${sha('b')}`);
    drive.fail('merge_pr', 'FORGE_HEAD_MOVED');
    expect(drive.task().status).toBe('InReview');
  });

  it('asks a person when no poll brings the head that the forge speaks of', () => {
    const drive = approved();
    drive.fail('merge_pr', 'FORGE_HEAD_MOVED');
    expect(drive.task()).toMatchObject({
      status: 'Blocked',
      status_reason: 'merge_failed: FORGE_HEAD_MOVED',
    });
  });

  it('asks a person about any other refusal, and merges again after the answer', () => {
    const drive = approved();

    drive.fail('merge_pr', 'FORGE_FORBIDDEN');
    expect(drive.task()).toMatchObject({ status: 'Blocked', status_reason: 'merge_failed: FORGE_FORBIDDEN' });
    drive.log(event({ type: 'human_command', task_id: 'a', word: 'resolved' }));

    expect(drive.causes('merge_pr')).toEqual([`7:${sha('a')}`, `7:${sha('a')}:1`]);
  });
});
