import type { DagState, Event, Receipt, Task } from '@caloron/types';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { Drive, event, exited, pull, report, sha } from '../testing/drive.ts';
import { exampleState, exampleTask } from './example.ts';

const VERIFY = [
  ['npm', 'test'],
  ['npm', 'run', 'lint'],
];
const HEADS = [sha('a'), sha('b')];

function receipt(change: Partial<Receipt> = {}): Receipt {
  const proof = { commit: sha('a'), command: VERIFY[0] ?? [], exit_code: 0, duration_ms: 5 };
  return { ...proof, log_sha256: 'f'.repeat(64), tail: '', ...change };
}

/** A receipt of each verify command. */
function proven(commit = sha('a'), change: Partial<Receipt> = {}): Receipt[] {
  return VERIFY.map((command) => receipt({ commit, command, ...change }));
}

function inReview(change: Partial<Task> = {}, sprint: Partial<DagState['sprint']> = {}): Drive {
  const at = { status: 'InReview', issue_number: 1, pr_number: 7, head_sha: sha('a') } as const;
  const task = exampleTask('a', { ...at, checks: 'none', base_sha: sha('0'), ...change });
  return new Drive(exampleState([task], { verify: VERIFY, ...sprint }));
}

const reviewer = { role: 'reviewer', agent_id: 'reviewer-1', process_id: 'r1', head_sha: sha('a') } as const;
const approval = (login = 'maria', head_sha = sha('a')): Event =>
  event({
    type: 'pr_review_submitted',
    pr_number: 7,
    review_id: '1',
    head_sha,
    body: '',
    review_state: 'approved',
    actor: login,
  });

describe('a merge that needs a receipt', () => {
  it('follows a review whose commands all passed on that head', () => {
    const drive = inReview();
    drive.log(report({ ...reviewer, outcome: 'approved', receipts: proven() }));

    expect(drive.latest('merge_pr')).toMatchObject({ head_sha: sha('a') });
    expect(drive.task().receipt).toMatchObject({ commit: sha('a'), ok: true, process_id: 'r1' });
  });

  it('waits after an approval without one, has the commands run, and goes on with their proof', () => {
    const drive = inReview({ reviewer_id: null });
    drive.forge(approval());

    expect(drive.task().status_reason).toBe('waits_receipt');
    expect(drive.stuck).toEqual({});
    expect(drive.latest('spawn_agent')).toMatchObject({
      role: 'reviewer',
      mode: 'verify',
      agent_id: 'verifier',
    });
    drive.succeed('spawn_agent', { process_id: 'v1' });
    expect(drive.later()).toEqual([]);
    const verifier = { ...reviewer, agent_id: 'verifier', process_id: 'v1', mode: 'verify' } as const;
    drive.log(report({ ...verifier, outcome: 'completed', receipts: proven() }));

    expect(drive.causes('merge_pr')).toEqual([`7:${sha('a')}`]);
  });

  it.each<[string, Receipt[]]>([
    ['none', []],
    ['one of another head', proven(sha('b'))],
    ['one that lacks a command', proven().slice(1)],
  ])('is not made with %s', (_what, receipts) => {
    const drive = inReview();
    drive.log(report({ ...reviewer, outcome: 'approved', receipts }));

    expect(drive.causes('merge_pr')).toEqual([]);
    expect(drive.latest('spawn_agent')).toMatchObject({ mode: 'verify', agent_id: 'reviewer-1' });
  });

  it.each<[string, Partial<Receipt>]>([
    ['failed', { exit_code: 1 }],
    ['changed what was checked out', { void: 'changed: src/a.ts' }],
  ])('is not made when a command %s: the task goes back to its author with the output', (_what, change) => {
    const drive = inReview();
    drive.log(
      report({
        ...reviewer,
        outcome: 'approved',
        body: 'npm test says no',
        receipts: proven(sha('a'), change),
      }),
    );

    expect(drive.causes('merge_pr')).toEqual([]);
    expect(drive.task()).toMatchObject({ status: 'InProgress', status_reason: 'changes_requested' });
    expect(drive.latest('spawn_agent')).toMatchObject({ role: 'author', mode: 'resume' });
    expect(drive.latest('spawn_agent').instruction).toContain('npm test says no');
  });

  it('needs a new one when a head is pushed after the approval', () => {
    const drive = inReview({ checks: 'pending' });
    drive.log(report({ ...reviewer, outcome: 'approved', receipts: proven() }));
    drive.forge(pull('pr_updated', { head_sha: sha('b') }), approval('maria', sha('b')));
    drive.forge(event({ type: 'checks_changed', pr_number: 7, head_sha: sha('b'), checks: 'green' }));

    expect(drive.causes('merge_pr')).toEqual([]);
    expect(drive.latest('spawn_agent')).toMatchObject({ mode: 'verify', head_sha: sha('b') });
  });

  it('tries a verify run again that ended without a result, and asks a person after the last', () => {
    const drive = inReview({ reviewer_id: null });
    drive.forge(approval());
    for (const process of ['v1', 'v2', 'v3']) {
      expect(drive.latest('spawn_agent').mode).toBe('verify');
      drive.succeed('spawn_agent', { process_id: process });
      drive.log(exited(process, 'reviewer'));
      drive.later();
    }

    expect(new Set(drive.causes('spawn_agent')).size).toBe(3);
    expect(drive.task()).toMatchObject({ status: 'Blocked', status_reason: 'review_failed' });
  });

  it('tries again what a person dismisses', () => {
    const drive = inReview();
    drive.log(
      report({ ...reviewer, outcome: 'changes_requested', receipts: proven(sha('a'), { exit_code: 1 }) }),
    );
    const body = '<!-- caloron:login-20260414:a -->';
    const dismissed = {
      type: 'pr_review_submitted',
      pr_number: 7,
      review_id: '9',
      head_sha: sha('a'),
      body,
    } as const;
    drive.forge(event({ ...dismissed, review_state: 'dismissed', created_at: '2026-04-14T08:31:00.000Z' }));
    drive.forge(approval());

    expect(drive.latest('spawn_agent')).toMatchObject({ mode: 'verify' });
  });

  it.each<[string, Partial<DagState['sprint']>]>([
    ['the sprint asks for none', { require_receipt: false }],
    ['there is nothing to verify', { verify: [] }],
  ])('needs none where %s', (_what, sprint) => {
    const drive = inReview({ reviewer_id: null }, sprint);
    drive.forge(approval());

    expect(drive.causes('merge_pr')).toEqual([`7:${sha('a')}`]);
  });
});

describe('a base', () => {
  it('G3 that the head lost sends the task to a rebase, and to a person when that does not help', () => {
    const drive = inReview();
    drive.log(report({ ...reviewer, outcome: 'failed', base_lost: sha('0') }));

    expect(drive.task()).toMatchObject({
      status: 'InProgress',
      status_reason: 'rebase: base_lost',
      rebases: 1,
    });
    expect(drive.latest('spawn_agent')).toMatchObject({ role: 'author', mode: 'rebase' });
    expect(drive.latest('spawn_agent').instruction).toContain('does not contain the commit of main');
    for (const attempt of [1, 2])
      drive.log(report({ attempt, process_id: `p${attempt}`, outcome: 'failed', base_lost: sha('0') }));

    expect(drive.task()).toMatchObject({ status: 'Blocked', status_reason: 'base_lost' });
    expect(drive.latest('escalate').reason).toContain(sha('0'));
  });

  it.each(['MERGE_BASE_LOST', 'MERGE_BASE_REWRITTEN', 'MERGE_BASE_BEHIND'])(
    'is put right by a rebase when the merge was refused with %s',
    (code) => {
      const drive = inReview({}, { verify: [] });
      drive.forge(approval());
      drive.fail('merge_pr', code);

      expect(drive.latest('spawn_agent')).toMatchObject({ mode: 'rebase' });
    },
  );

  it('is recorded anew by a rebase, with how far the branch is behind', () => {
    const drive = inReview({ status: 'InProgress', status_reason: 'rebase', process_id: 'p1', attempt: 1 });
    const drift = { head_sha: sha('b'), behind: 2, base_head: sha('d') };
    drive.log(report({ outcome: 'completed', head_sha: sha('b'), pr_number: 7, base_sha: sha('c'), drift }));

    expect(drive.task()).toMatchObject({ status: 'InReview', base_sha: sha('c'), drift: { behind: 2 } });
  });
});

describe('dag_evaluate: laws of receipts', () => {
  const commit = fc.constantFrom(...HEADS);
  const one = fc.record({
    commit,
    command: fc.constantFrom(...VERIFY),
    exit_code: fc.constantFrom(0, 0, 0, 1),
    voided: fc.constantFrom(undefined, undefined, 'changed: a'),
  });
  const said = fc.oneof(
    fc
      .record({
        head_sha: commit,
        outcome: fc.constantFrom('approved' as const, 'completed' as const, 'changes_requested' as const),
        mode: fc.constantFrom('review' as const, 'verify' as const),
        process_id: fc.constantFrom('r1', 'r2', 'r3'),
        receipts: fc.oneof(
          fc.constant(proven(sha('a'))),
          fc.constant(proven(sha('b'))),
          fc.array(
            one.map(({ voided, ...rest }) =>
              receipt(voided === undefined ? rest : { ...rest, void: voided }),
            ),
          ),
        ),
      })
      .map((facts) => report({ ...reviewer, ...facts })),
    commit.map((head_sha) => approval('maria', head_sha)),
    commit.map((head_sha) => pull('pr_updated', { head_sha })),
    fc.constantFrom('r1', 'r2', 'r3').map((process) => exited(process, 'reviewer')),
  );

  it('G8 merges no head that has not a passing receipt of every verify command', () => {
    const law = fc.property(fc.array(said, { maxLength: 10 }), (events) => {
      const drive = inReview();
      const passed = new Set<string>();
      for (const happened of events) {
        const list = happened.type === 'agent_reported' ? (happened.report.receipts ?? []) : [];
        for (const { commit: of, command, exit_code, void: voided } of list)
          if (exit_code === 0 && voided === undefined) passed.add(`${of} ${command.join(' ')}`);
        const actions = happened.type === 'agent_reported' ? drive.log(happened) : drive.forge(happened);
        for (const action of actions) {
          if (action.type !== 'merge_pr') continue;
          expect(drive.task().receipt).toMatchObject({ commit: action.head_sha, ok: true });
          for (const command of VERIFY) expect(passed).toContain(`${action.head_sha} ${command.join(' ')}`);
        }
      }
    });
    fc.assert(law, { numRuns: 300 });
  });
});
