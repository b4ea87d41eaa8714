import { describe, expect, it } from 'vitest';

import { exampleState, exampleTask } from './example.ts';
import { Drive, event, report, sha } from '../testing/drive.ts';

describe('dag_evaluate: the way of a task', () => {
  it('goes from Pending to Done with every action once', () => {
    const drive = new Drive(exampleState([exampleTask('a'), exampleTask('b', { depends_on: ['a'] })]));

    drive.tick();
    expect(drive.intended()).toEqual(['create_issue issue']);
    drive.succeed('create_issue', { issue_number: 1 });
    drive.succeed('spawn_agent', { process_id: 'p1', base_sha: sha('0') });
    expect(drive.task('a')).toMatchObject({ status: 'InProgress', attempt: 1, process_id: 'p1', base_sha: sha('0') });
    drive.log(report({ process_id: 'p1', head_sha: sha('a'), pr_number: 7 }));
    expect(drive.task('a')).toMatchObject({ status: 'InReview', pr_number: 7, head_sha: sha('a'), process_id: null });
    drive.succeed('spawn_agent', { process_id: 'r1' });
    drive.log(report({ role: 'reviewer', agent_id: 'reviewer-1', process_id: 'r1', outcome: 'approved', head_sha: sha('a') }));
    expect(drive.task('a')).toMatchObject({ status: 'InReview', status_reason: 'checks_unknown' });
    drive.forge(event({ type: 'checks_changed', pr_number: 7, head_sha: sha('a'), checks: 'none' }));
    drive.succeed('merge_pr', { merge_sha: sha('e') });

    expect(drive.task('a')).toMatchObject({ status: 'Done', status_reason: null });
    expect(drive.task('b')).toMatchObject({ status: 'Ready', status_reason: 'waits_issue' });
    expect(drive.intended()).toEqual([
      'create_issue issue',
      'spawn_agent author:start:1:-',
      `submit_pr_for_review 7:${sha('a')}`,
      `spawn_agent reviewer:review:1:${sha('a')}`,
      `merge_pr 7:${sha('a')}`,
      'mark_done 7',
      `cleanup caloron/login-20260414/a:${sha('a')}`,
      'create_issue issue',
    ]);
  });
});
