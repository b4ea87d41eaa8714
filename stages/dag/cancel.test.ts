import { describe, expect, it } from 'vitest';

import { Drive, event, pull, report, sha } from '../testing/drive.ts';
import { exampleState, exampleTask } from './example.ts';

const cancel = (task_id: string) => event({ type: 'human_command', task_id, word: 'cancel' });
const running = exampleTask('a', {
  status: 'InProgress',
  issue_number: 1,
  attempt: 1,
  process_id: 'p1',
  base_sha: sha('0'),
});
const needsA = exampleTask('b', { issue_number: 2, depends_on: ['a'] });

describe('a task that a person gives up', () => {
  it('is Cancelled, what works on it is stopped, and what needs it waits for a person', () => {
    const drive = new Drive(exampleState([running, needsA]));
    drive.log(cancel('a'));

    expect(drive.task('a')).toMatchObject({ status: 'Cancelled', status_reason: 'cancel', process_id: null });
    expect(drive.task('b')).toMatchObject({ status: 'Blocked', status_reason: 'dependency_cancelled:a' });
    expect(drive.intended().filter((one) => /^(stop|supervisor|escalate)/.test(one))).toEqual([
      'stop_agent p1',
    ]);
    expect(drive.stuck).toEqual({ b: 'dependency_cancelled:a' });
  });

  it.each([
    ['Blocked', { status_reason: 'max_attempts' }],
    ['HumanAssigned', {}],
    ['InReview', { pr_number: 7, head_sha: sha('a') }],
    ['Pending', {}],
    ['Ready', {}],
  ] as const)('may be %s', (status, more) => {
    const drive = new Drive(exampleState([exampleTask('a', { issue_number: 1, status, ...more }), needsA]));
    drive.log(cancel('a'));

    expect(drive.task('a')).toMatchObject({ status: 'Cancelled' });
  });

  it('stays as it is where it is Done, and once it is Cancelled nothing moves it', () => {
    const done = exampleTask('a', { status: 'Done', issue_number: 1, pr_number: 7, head_sha: sha('a') });
    const drive = new Drive(exampleState([done, { ...running, id: 'b', issue_number: 2 }, exampleTask('c')]));
    drive.log(cancel('a'));
    expect(drive.task('a')).toEqual(done);

    drive.log(cancel('b'));
    const cancelled = drive.task('b');
    drive.log(report({ task_id: 'b', process_id: 'p1', head_sha: sha('c'), pr_number: 8 }));
    drive.log(event({ type: 'human_command', task_id: 'b', word: 'resolved' }));
    drive.forge(pull('pr_opened', { pr_number: 8, head_sha: sha('c'), linked_issue: 2 }));
    // What its run has used is counted all the same.
    expect(drive.task('b')).toEqual({ ...cancelled, runs: expect.anything() as unknown });
  });
});

describe('a sprint whose open tasks are given up, each before those it needs', () => {
  it('closes, asks nobody, and keeps what is Done', () => {
    const done = exampleTask('z', { status: 'Done', issue_number: 3 });
    const drive = new Drive(exampleState([done, running, needsA]));
    drive.log(cancel('b'));
    drive.log(cancel('a'));

    expect(drive.task('z')).toEqual(done);
    expect(drive.intended()).toContainEqual(expect.stringMatching(/^close_sprint /));
    expect(drive.intended().filter((one) => one.startsWith('escalate'))).toEqual([]);
  });
});
