import {
  branchOf,
  markerOf,
  type ForgeComment,
  type ForgeIssue,
  type ForgePull,
  type ForgeReview,
  type Task,
} from '@caloron/types';
import { describe, expect, it } from 'vitest';

import { exampleSprint, exampleState, exampleTask } from '../dag/example.ts';
import { Drive, report, sha } from '../testing/drive.ts';
import { commentOf, issueOf, pullOf, reviewOf } from '../testing/memory_forge.ts';
import { freshEvents } from './candidate.ts';
import { readEvents, type Answers } from './read_events.ts';

const { sprint_id, repo } = exampleSprint;
const line = markerOf(sprint_id, 'a');
const head_ref = branchOf(sprint_id, 'a');

/** A sprint whose people are maria and rita; rita reviews. */
class Sprint {
  readonly drive: Drive;

  constructor(task: Partial<Task> = {}) {
    this.drive = new Drive(
      exampleState([exampleTask('a', { issue_number: 1, reviewer_id: null, ...task })], {
        reviewer_logins: ['rita'],
        human_logins: ['maria'],
      }),
    );
    this.drive.tick();
  }

  /** One poll that is answered this, and what the evaluation makes of it. */
  poll(answers: Partial<Answers>): this {
    const all: Answers = { issues: [], pulls: [], comments: [], reviews: new Map(), ...answers };
    const reading = { state: this.drive.state, repo, host: null };
    this.drive.forge(...freshEvents(readEvents(all, reading), new Set()));
    return this;
  }

  pull(change: Partial<ForgePull>, ...reviews: readonly ForgeReview[]): this {
    const pull = pullOf(7, { head_ref, body: `Closes #1\n${line}`, ...change });
    return this.poll({ pulls: [pull], reviews: new Map([[7, reviews]]) });
  }

  comment(change: Partial<ForgeComment>): this {
    return this.poll({ comments: [commentOf(1, 1, { body: 'resolved', ...change })] });
  }

  issue(change: Partial<ForgeIssue>): this {
    return this.poll({ issues: [issueOf(9, { body: line, labels: ['caloron:task'], ...change })] });
  }
}

const working = { status: 'InProgress', attempt: 1, process_id: 'p1', base_sha: sha('0') } as const;
const inReview: Partial<Task> = {
  status: 'InReview',
  attempt: 1,
  base_sha: sha('0'),
  pr_number: 7,
  head_sha: sha('a'),
  checks: 'none',
};
const approval = (change: Partial<ForgeReview> = {}) => reviewOf('r1', { author: 'rita', ...change });

describe('the holes a stranger could come in by', () => {
  it.each<[string, Partial<ForgePull>]>([
    [
      "a stranger's pull request that closes our issue",
      { author: 'mallory', head_ref: 'fix', body: 'Closes #1' },
    ],
    ["a stranger's pull request that carries our line", { author: 'mallory' }],
    ['a pull request of a deleted account', { author: null }],
    ["a fork's branch with our name", { author: 'caloron-bot', fork: true }],
    ["a stranger's fork", { author: 'mallory', fork: true, head_ref: 'main' }],
    ['a draft', { draft: true }],
    ['another base', { base_ref: 'release' }],
    ['a collaborator who is not configured', { author: 'carol' }],
    ['a person of ours who took nothing over', { author: 'maria' }],
    ['the line of another sprint', { body: markerOf('another', 'a'), head_ref: 'x' }],
  ])('5.4.8 %s takes no task, though a reviewer approves it', (_, change) => {
    const { drive } = new Sprint(working).pull(change, approval());

    expect(drive.task()).toMatchObject({ status: 'InProgress', pr_number: null, reviews: {} });
    expect(drive.causes('merge_pr')).toEqual([]);
  });

  it.each<[string, Partial<ForgePull>, string | null]>([
    ["a stranger's pull request", { author: 'mallory', head_ref: 'fix', body: 'Closes #1' }, null],
    ['a draft of theirs', { author: 'maria', head_ref: 'fix', body: 'Closes #1', draft: true }, null],
    ['their pull request', { author: 'maria', head_ref: 'fix', body: 'Closes #1' }, sha('a')],
    ['the pull request of its agent', {}, sha('a')],
  ])('5.4.8 a task that a person took over is bound by %s, or not', (_, change, head_sha) => {
    const taken: Partial<Task> = { status: 'HumanAssigned', status_reason: 'assign-human' };
    const { drive } = new Sprint(taken).pull(change);

    expect(drive.task()).toMatchObject({ status: 'HumanAssigned', head_sha });
    const merged = { state: 'closed', merged_at: '2026-04-14T09:00:00.000Z', merge_sha: sha('e') } as const;
    const after = new Sprint(taken).pull({ ...change, ...merged }).drive.task();
    expect(after.status).toBe(head_sha === null ? 'HumanAssigned' : 'Done');
  });

  it.each<[string, Partial<ForgeReview>]>([
    ["a stranger's approval", { author: 'mallory' }],
    ['an approval of a collaborator who is not configured', { author: 'carol' }],
    ['an approval of a deleted account', { author: null }],
    ['an approval of the author', { author: 'caloron-bot' }],
    ['an approval of an older head', { commit_id: sha('0') }],
    ['an approval of no head', { commit_id: null }],
    ["a stranger's approval with our line", { author: 'mallory', body: line }],
    ['a comment that says it approves', { state: 'commented', body: 'APPROVED' }],
  ])('5.4.8 %s merges nothing', (_, change) => {
    const { drive } = new Sprint(inReview).pull({}, approval(change));

    expect(drive.causes('merge_pr')).toEqual([]);
    expect(drive.task().status).toBe('InReview');
  });

  it('merges what a configured reviewer approves, in any case of the login', () => {
    const { drive } = new Sprint(inReview).pull({}, approval({ author: 'Rita' }));

    expect(drive.causes('merge_pr')).toEqual([`7:${sha('a')}`]);
  });

  it('5.4.8 a head that is pushed after the approval is merged by nobody', () => {
    const sprint = new Sprint(inReview).pull({}, approval());

    sprint.pull({ head_sha: sha('b'), updated_at: '2026-04-14T09:00:00.000Z' }, approval());

    expect(sprint.drive.task()).toMatchObject({ head_sha: sha('b'), status_reason: 'waits_approval' });
  });

  it("5.4.8 a stranger's change request sends nobody back", () => {
    const { drive } = new Sprint(inReview).pull(
      {},
      approval({ author: 'mallory', state: 'changes_requested' }),
    );

    expect(drive.task().status).toBe('InReview');
  });

  it("5.4.9 a reviewer's approval that is dismissed counts no more; a stranger's takes no verdict back", () => {
    const two = { ...inReview, reviewer_id: 'reviewer-1' };
    const agent = new Sprint(two);
    agent.drive.log(
      report({
        role: 'reviewer',
        agent_id: 'reviewer-1',
        process_id: 'r1',
        outcome: 'approved',
        head_sha: sha('a'),
      }),
    );
    expect(agent.drive.task().status_reason).toBe('merging');
    agent.pull({}, approval({ author: 'mallory', state: 'dismissed', body: line }));
    expect(agent.drive.task().status_reason).toBe('merging');
    agent.pull({}, approval({ author: 'caloron-bot', state: 'dismissed', body: line }));
    expect(agent.drive.task().status_reason).toBe('waits_approval');

    const person = new Sprint(inReview).pull({}, approval());
    person.pull({}, approval({ state: 'dismissed' }));
    expect(person.drive.task().status_reason).toBe('waits_approval');
  });

  it.each<[string, Partial<ForgeComment>]>([
    ["a stranger's word", { author: 'mallory' }],
    ['the word of a reviewer who is no person of the sprint', { author: 'rita' }],
    ['the word of a deleted account', { author: null }],
    ['a word in our own comment', { author: 'maria', body: `resolved\n${line}` }],
    ['a word in a comment of an action', { author: 'maria', body: 'resolved\n<!-- caloron-action:0 -->' }],
    ['a word that is quoted', { author: 'maria', body: '> resolved' }],
    ['a word on an issue of others', { author: 'maria', issue_number: 99 }],
  ])('5.4.8 %s moves nothing', (_, change) => {
    const { drive } = new Sprint({ status: 'Blocked', status_reason: 'agent_blocked' }).comment(change);

    expect(drive.task().status).toBe('Blocked');
  });

  it('hears a person, and a comment of theirs that is edited into a word', () => {
    const sprint = new Sprint({ status: 'Blocked', status_reason: 'agent_blocked' });
    sprint.comment({ author: 'maria', body: 'let me see' });
    expect(sprint.drive.task().status).toBe('Blocked');

    sprint.comment({ author: 'maria', updated_at: '2026-04-14T09:00:00.000Z' });

    expect(sprint.drive.task().status).toBe('Ready');
  });

  it("5.4.8 a stranger's issue with our line is nobody's task; only what we opened is", () => {
    const [stranger, ours] = ['mallory', 'caloron-bot'].map((author) =>
      new Sprint({ issue_number: null }).issue({ author }),
    );

    expect(stranger?.drive.task().issue_number).toBeNull();
    expect(ours?.drive.task().issue_number).toBe(9);
  });
});
