import { addMs, type Task } from '@caloron/types';
import { describe, expect, it } from 'vitest';

import { Drive, event, pull, report, sha } from '../testing/drive.ts';
import { exampleState, exampleTask } from './example.ts';

/** A sprint whose task `a` is approved at head aaaa…, with its merge under way. */
function approved(task: Partial<Task> = {}): Drive {
  const base = { status: 'InReview', issue_number: 1, attempt: 1, pr_number: 7, head_sha: sha('a') } as const;
  const drive = new Drive(
    exampleState([exampleTask('a', { ...base, base_sha: sha('0'), checks: 'none', ...task })]),
  );
  drive.tick();
  const by = { role: 'reviewer', agent_id: 'reviewer-1', process_id: 'r1' } as const;
  drive.log(report({ ...by, outcome: 'approved', head_sha: sha('a') }));
  return drive;
}

const HALF_AN_HOUR = 1_800_000;

describe('a merge that was refused', () => {
  it.each([
    ['FORGE_NOT_MERGEABLE', 'rebase'],
    ['FORGE_BEHIND', 'rebase: base_behind'],
  ])('5.5.5 for %s is the author’s, as a %s', (code, status_reason) => {
    const drive = approved();

    drive.fail('merge_pr', code);

    expect(drive.task()).toMatchObject({ status: 'InProgress', status_reason, rebases: 1 });
    expect(drive.latest('spawn_agent')).toMatchObject({ mode: 'rebase' });
  });

  it.each([
    ['MERGE_OTHER_BASE', 'pr_base_changed'],
    ['MERGE_FROM_FORK', 'merge_failed: MERGE_FROM_FORK'],
    ['FORGE_MERGE_UNSETTLED', 'merge_failed: FORGE_MERGE_UNSETTLED'],
    ['FORGE_FORBIDDEN', 'merge_failed: FORGE_FORBIDDEN'],
  ])('5.5.5 for %s is a person’s, and rebased by nobody', (code, status_reason) => {
    const drive = approved();

    drive.fail('merge_pr', code);

    expect(drive.task()).toMatchObject({ status: 'Blocked', status_reason, rebases: 0 });
    expect(drive.latest('escalate').message).toContain(`it said ${code}`);
  });

  it('5.5.5 for being closed is worked on again, and asked of a person the second time', () => {
    const drive = approved();

    drive.fail('merge_pr', 'MERGE_CLOSED');
    expect(drive.task()).toMatchObject({
      status: 'InProgress',
      status_reason: 'pr_closed: #7',
      pr_number: null,
      reworks: 1,
    });
    drive.forge(pull('pr_closed'));
    expect(drive.task()).toMatchObject({ status: 'InProgress', reworks: 1 });

    const again = approved({ reworks: 1 });
    again.fail('merge_pr', 'MERGE_CLOSED');
    expect(again.task()).toMatchObject({ status: 'Blocked', status_reason: 'pr_closed' });
  });

  it('says nothing of a task that wants another merge by now', () => {
    const drive = approved();

    drive.fail('merge_pr', 'MERGE_NOT_WANTED');

    expect(drive.task()).toMatchObject({ status: 'InReview', status_reason: 'merging' });
  });
});

describe('a merge that waits', () => {
  const wait = (drive: Drive, code: string): void => void drive.fail('merge_pr', code, { final: false });

  it.each([
    ['MERGE_DRAFT', 'draft'],
    ['MERGE_BLOCKED', 'merge_blocked: it said MERGE_BLOCKED'],
  ])('5.5.5 for %s is told as %s, rebased by nobody, and merged when it may be', (code, status_reason) => {
    const drive = approved();

    wait(drive, code);
    expect(drive.task()).toMatchObject({ status: 'InReview', status_reason, rebases: 0 });
    expect(drive.stuck).toEqual({ a: status_reason });
    expect(drive.tick()).toEqual([]);
    drive.succeed('merge_pr', { merge_sha: sha('e') });

    expect(drive.task()).toMatchObject({ status: 'Done', put_back: null });
  });

  it('asks a person after half an hour, once, and waits on', () => {
    const drive = approved();
    wait(drive, 'MERGE_BLOCKED');
    const { since } = drive.task().put_back ?? {};
    drive.later(HALF_AN_HOUR - 60_000);
    expect(drive.causes('escalate')).toEqual([]);

    drive.later(60_000);
    drive.later(HALF_AN_HOUR);
    drive.later(HALF_AN_HOUR);

    expect(drive.causes('escalate')).toEqual(['merge_blocked:0']);
    expect(drive.latest('escalate').message).toContain(`since ${since ?? ''}: it said MERGE_BLOCKED`);
    expect(drive.task().status).toBe('InReview');
    drive.succeed('merge_pr', { merge_sha: sha('e') });
    expect(drive.task().status).toBe('Done');
  });

  it('counts from when it began to wait, whatever stood against it in between', () => {
    const drive = approved();
    wait(drive, 'MERGE_DRAFT');
    const since = drive.task().put_back?.since ?? '';

    drive.now = addMs(drive.now, HALF_AN_HOUR);
    wait(drive, 'MERGE_BLOCKED');

    expect(drive.task().put_back).toMatchObject({ since, reason: expect.stringMatching(/^merge_blocked/) });
    expect(drive.causes('escalate')).toEqual(['merge_blocked:0']);
  });

  it('is tried at once by another merge when a person says that it is seen to, and asked about anew', () => {
    const drive = approved();
    wait(drive, 'MERGE_BLOCKED');
    drive.later(HALF_AN_HOUR);

    drive.log(event({ type: 'human_command', task_id: 'a', word: 'resolved' }));
    expect(drive.task().status_reason).toBe('merging');
    expect(drive.causes('merge_pr')).toEqual([`7:${sha('a')}`, `7:${sha('a')}:1`]);
    wait(drive, 'MERGE_BLOCKED');
    drive.later(HALF_AN_HOUR);

    expect(drive.causes('escalate')).toEqual(['merge_blocked:0', 'merge_blocked:1']);
  });

  it('gives way to a new head, which is reviewed first', () => {
    const drive = approved();
    wait(drive, 'MERGE_DRAFT');

    drive.forge(pull('pr_updated', { head_sha: sha('b'), draft: true, trusted: false }));

    expect(drive.task()).toMatchObject({ status: 'InReview', head_sha: sha('b') });
    expect(drive.task().status_reason).not.toBe('draft');
  });
});

describe('what others do while a merge is under way', () => {
  it('a merge by another hand completes the task, and our own is then found done', () => {
    const drive = approved();

    drive.forge(event({ type: 'pr_merged', pr_number: 7, merge_sha: sha('e') }));
    drive.succeed('merge_pr', { already: true, merge_sha: sha('e') });

    expect(drive.task().status).toBe('Done');
    expect(drive.causes('mark_done')).toEqual(['7']);
  });

  it('a pull request opened again after its task was done moves nothing', () => {
    const drive = approved();
    drive.succeed('merge_pr', { merge_sha: sha('e') });
    const before = drive.state;

    const intended = drive.forge(
      pull('pr_reopened', { head_sha: sha('b') }),
      pull('pr_updated', { head_sha: sha('c') }),
    );

    expect([intended, drive.state]).toEqual([[], before]);
  });

  it('an approval that is dismissed takes the task back from its merge', () => {
    const drive = approved({ reviewer_id: null, status_reason: null });
    const says = (review_state: 'approved' | 'dismissed') =>
      event({
        type: 'pr_review_submitted',
        pr_number: 7,
        review_id: 'r1',
        head_sha: sha('a'),
        body: '',
        review_state,
        actor: 'rita',
      });
    drive.forge(says('approved'));
    expect(drive.task().status_reason).toBe('merging');

    drive.forge(says('dismissed'));

    expect(drive.task().status_reason).toBe('waits_approval');
  });
});
