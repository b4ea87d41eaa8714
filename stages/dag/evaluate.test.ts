import { describe, expect, it } from 'vitest';

import { Drive, event, exited, pull, report, sha } from '../testing/drive.ts';
import { exampleState, exampleTask } from './example.ts';

/** Task `a` in progress: its agent runs as p1. */
function running(more: Parameters<typeof exampleTask>[1] = {}) {
  return exampleTask('a', {
    status: 'InProgress',
    issue_number: 1,
    attempt: 1,
    process_id: 'p1',
    base_sha: sha('0'),
    ...more,
  });
}

describe('dag_evaluate: the way of a task', () => {
  it('goes from Pending to Done with every action once', () => {
    const drive = new Drive(exampleState([exampleTask('a'), exampleTask('b', { depends_on: ['a'] })]));

    drive.tick();
    expect(drive.intended()).toEqual(['create_issue issue']);
    drive.succeed('create_issue', { issue_number: 1 });
    drive.succeed('spawn_agent', { process_id: 'p1', base_sha: sha('0') });
    expect(drive.task('a')).toMatchObject({
      status: 'InProgress',
      attempt: 1,
      process_id: 'p1',
      base_sha: sha('0'),
    });
    drive.log(report({ process_id: 'p1', head_sha: sha('a'), pr_number: 7 }));
    expect(drive.task('a')).toMatchObject({
      status: 'InReview',
      pr_number: 7,
      head_sha: sha('a'),
      process_id: null,
    });
    drive.succeed('spawn_agent', { process_id: 'r1' });
    drive.log(
      report({
        role: 'reviewer',
        agent_id: 'reviewer-1',
        process_id: 'r1',
        outcome: 'approved',
        head_sha: sha('a'),
      }),
    );
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

  it('D4 starts the dependants of a merge in the same evaluation', () => {
    const a = exampleTask('a', { status: 'InReview', issue_number: 1, pr_number: 7, head_sha: sha('a') });
    const drive = new Drive(exampleState([a, exampleTask('b', { issue_number: 2, depends_on: ['a'] })]));

    const fresh = drive.forge(event({ type: 'pr_merged', pr_number: 7, merge_sha: sha('e') }));

    expect(fresh.map(({ type, task_id }) => `${type} ${task_id}`)).toEqual([
      'mark_done a',
      'cleanup a',
      'spawn_agent b',
    ]);
  });

  it('blocks a task whose dependency was cancelled, and goes on without it when a person says so', () => {
    const drive = new Drive(
      exampleState([
        exampleTask('a', { status: 'Cancelled' }),
        exampleTask('b', { issue_number: 2, depends_on: ['a'] }),
      ]),
    );

    drive.tick();
    expect(drive.task('b')).toMatchObject({ status: 'Blocked', status_reason: 'dependency_cancelled:a' });
    drive.log(event({ type: 'human_command', task_id: 'b', word: 'resolved' }));

    expect(drive.task('b')).toMatchObject({ status: 'Ready', depends_on: [] });
  });

  it('binds an issue that carries our marker and no other', () => {
    const drive = new Drive(exampleState([exampleTask('a')]));
    const marker = { sprint_id: 'login-20260414', task_id: 'a' };
    const opened = { type: 'issue_opened' as const, issue_number: 4, labels: ['caloron:task'] };

    drive.forge(
      event({ ...opened, marker: null }),
      event({ ...opened, marker, trusted: false }),
      event({ ...opened, marker: { ...marker, sprint_id: 'other' } }),
    );
    expect(drive.task().issue_number).toBeNull();
    drive.forge(event({ ...opened, marker }));

    expect(drive.task().issue_number).toBe(4);
  });
});

describe('dag_evaluate: one live process per agent', () => {
  it('D4 starts the first of two Ready tasks of one agent; the other says why it waits', () => {
    const drive = new Drive(
      exampleState([exampleTask('a', { issue_number: 1 }), exampleTask('b', { issue_number: 2 })]),
    );

    drive.tick();
    drive.tick();

    expect(drive.intended()).toEqual(['spawn_agent author:start:1:-']);
    expect(drive.latest('spawn_agent').task_id).toBe('a');
    expect(drive.task('b')).toMatchObject({ status: 'Ready', status_reason: 'agent_busy' });
    expect(drive.stuck).toEqual({});
  });

  it('D4 waits for an agent that is busy elsewhere', () => {
    const drive = new Drive(exampleState([exampleTask('a', { issue_number: 1 })]));
    drive.busy = ['agent-1'];

    drive.tick();
    expect(drive.intended()).toEqual([]);
    drive.busy = [];
    drive.tick();

    expect(drive.causes('spawn_agent')).toEqual(['author:start:1:-']);
  });

  it('gives a free agent to the task it left unfinished before a new one', () => {
    const unfinished = running({
      process_id: null,
      status_reason: 'changes_requested',
      pr_number: 7,
      head_sha: sha('a'),
    });
    const reviews = {
      maria: {
        login: 'maria',
        state: 'changes_requested' as const,
        review_id: '1',
        head_sha: sha('a'),
        at: '2026-04-14T08:00:00.000Z',
        body: '',
      },
    };
    const drive = new Drive(
      exampleState([exampleTask('b', { issue_number: 2 }), { ...unfinished, reviews }]),
    );

    drive.tick();

    expect(drive.latest('spawn_agent').task_id).toBe('a');
    expect(drive.task('b').status_reason).toBe('agent_busy');
  });
});

describe('dag_evaluate: author attempts', () => {
  it('takes a report that is faster than the record of its start', () => {
    const drive = new Drive(exampleState([exampleTask('a', { issue_number: 1 })]));
    drive.tick();
    const start = drive.latest('spawn_agent');

    drive.log(report({ process_id: 'p1', head_sha: sha('a'), pr_number: 7 }));
    drive.log(
      event({ type: 'action_succeeded', action: start, result: { process_id: 'p1', base_sha: sha('0') } }),
    );

    expect(drive.task()).toMatchObject({
      status: 'InReview',
      attempt: 1,
      process_id: null,
      base_sha: sha('0'),
    });
    expect(drive.causes('stop_agent')).toEqual([]);
  });

  it.each(['failed', 'timeout', 'no_changes'] as const)('resumes after %s, with what happened', (outcome) => {
    const drive = new Drive(exampleState([running()]));

    drive.log(report({ outcome, body: 'the tests hang' }));

    expect(drive.task()).toMatchObject({ status: 'InProgress', failed_attempts: 1, process_id: null });
    drive.later();
    expect(drive.causes('spawn_agent')).toEqual(['author:resume:2:-']);
    expect(drive.latest('spawn_agent').instruction).toContain(outcome);
    expect(drive.latest('spawn_agent').instruction).toContain('the tests hang');
  });

  it('counts a process that ended without a report once, whatever comes after', () => {
    const drive = new Drive(exampleState([running()]));

    drive.log(exited('p1'), exited('p1'), report({ process_id: 'p1', outcome: 'failed' }));

    expect(drive.task()).toMatchObject({ status: 'InProgress', failed_attempts: 1 });
    expect(drive.task().status_reason).toContain('ended without a report, exit code 1');
  });

  it('does not count an exit after the report, nor one of another process', () => {
    const drive = new Drive(exampleState([running()]));

    drive.log(exited('p0'));
    expect(drive.task()).toMatchObject({ process_id: 'p1', failed_attempts: 0 });
    drive.log(report({ head_sha: sha('a'), pr_number: 7 }), exited('p1'));

    expect(drive.task()).toMatchObject({ status: 'InReview', failed_attempts: 0 });
  });

  it('D9 waits until the process that reported is gone before it starts the next', () => {
    const drive = new Drive(exampleState([running()]));
    drive.busy = ['agent-1'];

    drive.log(report({ outcome: 'failed' }));
    drive.later();
    expect(drive.causes('spawn_agent')).toEqual([]);
    drive.busy = [];
    drive.log(exited('p1'));

    expect(drive.causes('spawn_agent')).toEqual(['author:resume:2:-']);
  });

  it('asks a person after max_attempts failed ones', () => {
    const drive = new Drive(exampleState([running({ failed_attempts: 2, attempt: 3 })]));

    drive.log(report({ attempt: 3, outcome: 'timeout' }));

    expect(drive.task()).toMatchObject({
      status: 'Blocked',
      status_reason: 'attempts_exhausted',
      failed_attempts: 3,
    });
    expect(drive.causes('escalate')).toEqual(['attempts_exhausted:0']);
    expect(drive.latest('escalate').message).toContain('`resolved`');
    expect(drive.state.status).toBe('waiting_for_human');
    expect(drive.announced.map(({ kind }) => kind)).toEqual(['sprint.stuck']);
  });

  it('escalates again after an answer, as a new cause', () => {
    const drive = new Drive(exampleState([running({ failed_attempts: 2 })]));
    drive.log(report({ outcome: 'timeout' }));

    drive.log(event({ type: 'human_command', task_id: 'a', word: 'resolved' }));
    expect(drive.task()).toMatchObject({ status: 'Ready', failed_attempts: 0 });
    expect(drive.state.status).toBe('active');
    for (const process_id of ['p2', 'p3', 'p4']) {
      drive.succeed('spawn_agent', { process_id });
      drive.log(exited(process_id));
      drive.later();
    }

    expect(drive.task().status).toBe('Blocked');
    expect(drive.causes('escalate')).toEqual(['attempts_exhausted:0', 'attempts_exhausted:1']);
    expect(drive.causes('spawn_agent')).toEqual([
      'author:resume:2:-',
      'author:resume:3:-',
      'author:resume:4:-',
    ]);
  });

  it('asks a person at once when the agent says it is blocked', () => {
    const drive = new Drive(exampleState([running()]));

    drive.log(report({ outcome: 'blocked', body: 'no access to the database' }));

    expect(drive.task()).toMatchObject({ status: 'Blocked', status_reason: 'agent_blocked' });
    expect(drive.latest('escalate').reason).toContain('no access to the database');
  });

  it('blocks when a start fails for good; the next start after an answer is another action', () => {
    const drive = new Drive(exampleState([exampleTask('a', { issue_number: 1 })]));
    drive.tick();

    drive.fail('spawn_agent', 'SHELL_REFUSED', { final: false });
    expect(drive.task().status).toBe('Ready');
    drive.fail('spawn_agent', 'SHELL_REFUSED');
    expect(drive.task()).toMatchObject({ status: 'Blocked', status_reason: 'spawn_failed: SHELL_REFUSED' });
    drive.log(event({ type: 'human_command', task_id: 'a', word: 'resolved' }));

    expect(drive.causes('spawn_agent')).toEqual(['author:start:1:-', 'author:start:2:-']);
  });

  it('D15 stops a process that was started for a task that is not wanted any more', () => {
    const drive = new Drive(exampleState([exampleTask('a', { issue_number: 1 })]));
    drive.tick();
    drive.log(event({ type: 'human_command', task_id: 'a', word: 'assign-human' }));

    drive.succeed('spawn_agent', { process_id: 'p1' });

    expect(drive.causes('stop_agent')).toEqual(['p1']);
    expect(drive.task()).toMatchObject({ status: 'HumanAssigned', process_id: null });
  });

  it('starts the task again after supervision stopped its process', () => {
    const drive = new Drive(exampleState([running()]));
    const facts = {
      sprint_id: 'login-20260414',
      task_id: 'a',
      agent_id: 'agent-1',
      cause: '0:1',
      action_id: '0'.repeat(32),
    };
    const restart = {
      ...facts,
      type: 'supervisor',
      action: 'restart',
      reason: 'no progress',
      message: '',
    } as const;

    drive.log(event({ type: 'action_succeeded', action: restart, result: { process_id: 'p1' } }));

    expect(drive.causes('spawn_agent')).toEqual(['author:resume:2:-']);
    expect(drive.latest('spawn_agent').instruction).toContain('no progress');
  });
});

describe('dag_evaluate: pull requests', () => {
  const refused: readonly (readonly [string, Parameters<typeof pull>[1]])[] = [
    ['by a stranger', { trusted: false }],
    ['that is a draft', { draft: true }],
    ['from a fork', { fork: true }],
    ['on another base', { base_ref: 'next' }],
    ['of another sprint', { marker: { sprint_id: 'other', task_id: 'a' }, linked_issue: 1 }],
    ['without link', { marker: null, linked_issue: null }],
    ['with our marker on another branch', { head_ref: 'mine', linked_issue: null }],
  ];

  it.each(refused)('does not bind one %s', (_, change) => {
    const drive = new Drive(exampleState([running()]));

    drive.forge(pull('pr_opened', change));

    expect(drive.task()).toMatchObject({ status: 'InProgress', pr_number: null });
  });

  it('binds by marker and branch, or by the issue it closes', () => {
    const byMarker = new Drive(exampleState([running()]));
    const byIssue = new Drive(exampleState([running()]));

    byMarker.forge(pull('pr_opened', { linked_issue: null }));
    byIssue.forge(pull('pr_opened', { marker: null, head_ref: 'mine' }));

    for (const drive of [byMarker, byIssue])
      expect(drive.task()).toMatchObject({ status: 'InReview', pr_number: 7, head_sha: sha('a') });
  });

  it('does not take a second pull request for a task that has one', () => {
    const drive = new Drive(exampleState([running()]));

    drive.forge(pull('pr_opened'), pull('pr_opened', { pr_number: 8, head_sha: sha('b') }));

    expect(drive.task()).toMatchObject({ pr_number: 7, head_sha: sha('a') });
  });

  it('applies forge events in the order of their time, and a merge after the pull request it merges', () => {
    const drive = new Drive(exampleState([running()]));
    const early = '2026-04-14T08:00:00.000Z';

    drive.forge(
      event({ type: 'pr_merged', pr_number: 7, merge_sha: sha('e'), created_at: early }),
      pull('pr_opened'),
    );

    expect(drive.task()).toMatchObject({ status: 'Done', completed_at: early });
    expect(drive.causes('stop_agent')).toEqual(['p1']);
  });

  it('lets the author rework a pull request that is closed, and asks a person the second time', () => {
    const drive = new Drive(exampleState([running()]));
    drive.log(report({ head_sha: sha('a'), pr_number: 7 }));

    drive.forge(pull('pr_closed'));
    expect(drive.task()).toMatchObject({
      status: 'InProgress',
      pr_number: null,
      status_reason: 'pr_closed: #7',
    });
    expect(drive.causes('spawn_agent').at(-1)).toBe(`author:resume:2:${sha('a')}`);
    drive.succeed('spawn_agent', { process_id: 'p2' });
    drive.log(report({ process_id: 'p2', attempt: 2, head_sha: sha('b'), pr_number: 8 }));
    drive.forge(pull('pr_closed', { pr_number: 8, head_sha: sha('b') }));

    expect(drive.task()).toMatchObject({ status: 'Blocked', status_reason: 'pr_closed' });
    drive.forge(pull('pr_reopened', { pr_number: 8, head_sha: sha('b') }));
    expect(drive.task()).toMatchObject({ status: 'InReview', pr_number: 8 });
  });

  it('blocks a pull request that was turned to another base', () => {
    const drive = new Drive(exampleState([running()]));
    drive.log(report({ head_sha: sha('a'), pr_number: 7 }));

    drive.forge(pull('pr_updated', { base_ref: 'release' }));

    expect(drive.task()).toMatchObject({ status: 'Blocked', status_reason: 'pr_base_changed' });
  });
});

describe('dag_evaluate: people', () => {
  it.each(['resolved', 'resolved\nthe key was missing', '  resolved  ', '**Resolved!**\r\n', 'RESOLVED.'])(
    'hears the word in %j',
    (body) => {
      const drive = new Drive(
        exampleState([running({ status: 'Blocked', status_reason: 'agent_blocked', process_id: null })]),
      );

      drive.forge(event({ type: 'issue_comment', issue_number: 1, comment_id: 1, body }));

      expect(drive.task().status).toBe('Ready');
    },
  );

  it('hears it on the escalation issue and on the pull request too', () => {
    for (const issue_number of [9, 7]) {
      const blocked = running({
        status: 'Blocked',
        status_reason: 'merge_conflict',
        process_id: null,
        escalation_issue: 9,
        pr_number: 7,
        head_sha: sha('a'),
      });
      const drive = new Drive(exampleState([blocked]));

      drive.forge(event({ type: 'issue_comment', issue_number, comment_id: 1, body: 'resolved' }));

      expect(drive.task().status).toBe('InReview');
    }
  });

  it.each([
    ['a stranger', { trusted: false, body: 'resolved' }],
    ['an agent: its comment carries our marker', { body: 'resolved\n<!-- caloron:login-20260414:a -->' }],
    ['somebody who only mentions it', { body: 'is this resolved?' }],
    ['somebody who quotes it', { body: '> resolved\n\nno' }],
    ['somebody who shows it as code', { body: '`resolved`' }],
  ])('does not hear %s', (_, change) => {
    const drive = new Drive(
      exampleState([running({ status: 'Blocked', status_reason: 'agent_blocked', process_id: null })]),
    );

    drive.forge(event({ type: 'issue_comment', issue_number: 1, comment_id: 1, ...change }));

    expect(drive.task().status).toBe('Blocked');
  });

  it.each(['assign-human', 'caloron:take-over'] as const)(
    '%s takes the task from its agent until it is merged',
    (word) => {
      const drive = new Drive(exampleState([running()]));

      drive.log(event({ type: 'human_command', task_id: 'a', word }));
      expect(drive.task()).toMatchObject({ status: 'HumanAssigned', process_id: null });
      expect(drive.causes('stop_agent')).toEqual(['p1']);
      expect(drive.stuck).toEqual({ a: 'human_assigned' });
      drive.forge(pull('pr_opened', { marker: null, head_ref: 'by-hand', actor: 'maria' }));
      drive.forge(event({ type: 'pr_merged', pr_number: 7, merge_sha: sha('e') }));

      expect(drive.task().status).toBe('Done');
    },
  );

  it('takes the word of a person that a task of theirs is done', () => {
    const drive = new Drive(
      exampleState([
        running({ status: 'HumanAssigned', process_id: null }),
        exampleTask('b', { issue_number: 2, depends_on: ['a'] }),
      ]),
    );

    drive.log(event({ type: 'human_command', task_id: 'a', word: 'resolved' }));

    expect(drive.task('a').status).toBe('Done');
    expect(drive.latest('spawn_agent').task_id).toBe('b');
  });

  it('keeps a task that is to be broken down until it is resolved', () => {
    const drive = new Drive(exampleState([running()]));

    drive.log(event({ type: 'human_command', task_id: 'a', word: 'break-down' }));
    expect(drive.task()).toMatchObject({ status: 'Blocked', status_reason: 'break_down_requested' });
    drive.log(event({ type: 'human_command', task_id: 'a', word: 'resolved' }));

    expect(drive.task().status).toBe('Ready');
  });

  it('waits while its issue is closed, and goes on when it is opened again', () => {
    const drive = new Drive(exampleState([running()]));

    drive.forge(event({ type: 'issue_closed', issue_number: 1 }));
    expect(drive.task()).toMatchObject({ status: 'Blocked', status_reason: 'issue_closed' });
    expect(drive.causes('stop_agent')).toEqual(['p1']);
    drive.forge(event({ type: 'issue_reopened', issue_number: 1 }));

    expect(drive.task().status).toBe('Ready');
    expect(drive.causes('spawn_agent')).toEqual(['author:resume:2:-']);
  });

  it('leaves a done task alone when its issue is closed', () => {
    const drive = new Drive(exampleState([running({ status: 'Done', process_id: null })]));

    drive.forge(event({ type: 'issue_closed', issue_number: 1 }));

    expect(drive.task().status).toBe('Done');
  });

  it('intends the issue anew after one that failed for good was resolved', () => {
    const drive = new Drive(exampleState([exampleTask('a')]));
    drive.tick();

    drive.fail('create_issue', 'FORGE_FORBIDDEN');
    expect(drive.task()).toMatchObject({ status: 'Blocked', status_reason: 'issue_failed: FORGE_FORBIDDEN' });
    drive.log(event({ type: 'human_command', task_id: 'a', word: 'resolved' }));
    drive.succeed('create_issue', { issue_number: 3 });

    expect(drive.causes('create_issue')).toEqual(['issue', 'issue:1']);
    expect(drive.task().issue_number).toBe(3);
  });
});

describe('dag_evaluate: the sprint', () => {
  it('closes once every task is Done or Cancelled, and is completed when that has succeeded', () => {
    const drive = new Drive(
      exampleState([exampleTask('a', { status: 'Done' }), exampleTask('b', { status: 'Cancelled' })]),
    );

    drive.tick();
    expect(drive.state.status).toBe('active');
    expect(drive.intended()).toEqual(['close_sprint close']);
    drive.succeed('close_sprint');
    expect(drive.state.status).toBe('completed');

    expect(drive.tick()).toEqual([]);
    expect(drive.announced).toEqual([]);
  });

  it('is over even when it cannot be tidied up, and says so itself', () => {
    const drive = new Drive(exampleState([exampleTask('a', { status: 'Done' })]));
    drive.tick();

    drive.fail('close_sprint', 'SHELL_UNREACHABLE');

    expect(drive.state.status).toBe('completed');
    expect(drive.announced.map(({ kind }) => kind)).toEqual(['sprint.completed']);
  });

  it('announces that it is stuck once, and again only after it moved', () => {
    const drive = new Drive(
      exampleState([
        running({ status: 'Blocked', status_reason: 'agent_blocked', process_id: null }),
        exampleTask('b', { depends_on: ['a'] }),
      ]),
    );

    drive.tick();
    drive.tick();
    expect(drive.announced).toEqual([
      {
        kind: 'sprint.stuck',
        payload: {
          sprint_id: 'login-20260414',
          repo: 'acme/shop',
          stuck: { a: 'agent_blocked', b: 'waits_for: a' },
        },
      },
    ]);
    drive.log(event({ type: 'human_command', task_id: 'a', word: 'resolved' }));
    expect(drive.state.status).toBe('active');
    drive.log(event({ type: 'human_command', task_id: 'a', word: 'break-down' }));

    expect(drive.announced).toHaveLength(2);
  });

  it('is not stuck while any task moves by itself', () => {
    const drive = new Drive(
      exampleState([running(), exampleTask('b', { status: 'Blocked', status_reason: 'agent_blocked' })]),
    );

    drive.tick();

    expect(drive.state.status).toBe('active');
    expect(drive.stuck).toEqual({ b: 'agent_blocked' });
  });

  it('ignores events of other sprints, unknown tasks and ids that objects have by birth', () => {
    const drive = new Drive(exampleState([running()]));
    const before = drive.state;

    drive.log(
      report({ sprint_id: 'other', outcome: 'failed' }),
      report({ task_id: 'constructor' }),
      exited('p1', 'author', 'valueof'),
    );
    drive.forge(
      pull('pr_opened', {
        marker: { sprint_id: 'login-20260414', task_id: 'constructor' },
        linked_issue: null,
      }),
    );

    expect(drive.state).toEqual(before);
  });

  it('does nothing in a cancelled sprint', () => {
    const drive = new Drive({
      ...exampleState([exampleTask('a', { issue_number: 1 })]),
      status: 'cancelled',
    });

    expect(drive.tick()).toEqual([]);
  });
});
