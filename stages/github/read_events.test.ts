import type { DagState, Event, ForgePull, Task } from '@caloron/types';
import { markerOf } from '@caloron/types';
import { describe, expect, it } from 'vitest';

import { exampleState, exampleTask } from '../sprint/example.ts';
import { commentOf, issueOf, pullOf, reviewOf, sha } from '../testing/memory_forge.ts';
import { freshEvents } from './candidate.ts';
import type { Reading } from './link.ts';
import { readEvents, type Answers } from './read_events.ts';
import { awaitsChecks, readChecks, wantsReviews } from './read_pulls.ts';

const marker = markerOf('sprint-1', 'login-form');

/** The example's sprint with its one task changed, and logins set. */
function sprintWith(task: Partial<Task> = {}, sprint: Partial<DagState['sprint']> = {}): DagState {
  return {
    ...exampleState,
    sprint: { ...exampleState.sprint, reviewer_logins: ['rita'], ...sprint },
    tasks: { 'login-form': { ...exampleTask, issue_number: 1, ...task } },
  };
}

function readingOf(state: DagState | null): Reading {
  return { state, repo: 'owner/repo', host: null };
}

function read(
  answers: Partial<Answers>,
  state: DagState | null = sprintWith(),
  seen: readonly string[] = [],
): readonly Event[] {
  const all: Answers = { issues: [], pulls: [], comments: [], reviews: new Map(), ...answers };
  return freshEvents(readEvents(all, readingOf(state)), new Set(seen));
}

function readPulls(
  change: Partial<ForgePull>,
  state = sprintWith(),
  seen: readonly string[] = [],
): readonly Event[] {
  return read({ pulls: [pullOf(4, { body: marker, ...change })] }, state, seen);
}

const tracked = sprintWith({ status: 'InReview', pr_number: 4, head_sha: sha('a') });

describe('pull requests', () => {
  it('opened by an agent on its branch carries its task and may act', () => {
    const [event] = readPulls({ body: 'Closes #1' });

    expect(event).toMatchObject({
      type: 'pr_opened',
      event_id: `pr_opened:PR_4:${sha('a')}`,
      trusted: true,
      marker: { sprint_id: 'sprint-1', task_id: 'login-form' },
      linked_issue: 1,
      head_sha: sha('a'),
    });
  });

  it.each<[string, Partial<ForgePull>]>([
    ['by a stranger', { author: 'mallory' }],
    ['by a deleted account', { author: null }],
    ['that is a draft', { draft: true }],
    ['from a fork', { fork: true }],
    ['on another base', { base_ref: 'release' }],
  ])('%s may not act, whatever it links to', (_, change) => {
    const [event] = readPulls({ body: `Closes #1 ${marker}`, ...change });

    expect(event).toMatchObject({ type: 'pr_opened', trusted: false });
  });

  it("of a stranger never carries one of our markers, neither of its body nor of its branch's name", () => {
    const [event] = readPulls({ author: 'mallory', body: `Closes #1 ${marker}` });

    expect(event).toMatchObject({ marker: null, linked_issue: 1 });
  });

  it('by a person counts for a task a person has taken, and for no other', () => {
    const theirs = { author: 'ada', head_ref: 'ada/login', body: 'Fixes #1' };

    expect(readPulls(theirs, sprintWith({ status: 'HumanAssigned' }))).toMatchObject([{ trusted: true }]);
    expect(readPulls(theirs, sprintWith({ status: 'InProgress' }))).toMatchObject([{ trusted: false }]);
  });

  it('that have nothing to do with the sprint are not told', () => {
    expect(readPulls({ body: 'See #1', head_ref: 'feature', author: 'ada' })).toEqual([]);
    expect(readPulls({ body: markerOf('sprint-2', 'login-form'), head_ref: 'feature' })).toEqual([]);
    expect(readPulls({ body: markerOf('sprint-1', 'ghost'), head_ref: 'feature' })).toEqual([]);
    expect(readPulls({ body: markerOf('sprint-1', 'constructor'), head_ref: 'feature' })).toEqual([]);
    expect(readPulls({ body: '', head_ref: 'caloron/sprint-1/__proto__' })).toEqual([]);
  });

  it('5.4.19 are told once', () => {
    expect(readPulls({}, tracked, [`pr_opened:PR_4:${sha('a')}`])).toEqual([]);
  });

  it('that are ready after they were drafts are told again at the same head', () => {
    const [draft] = readPulls({ draft: true });
    const [ready] = readPulls({}, sprintWith(), [draft?.event_id ?? '']);

    expect(ready).toMatchObject({ type: 'pr_opened', trusted: true });
  });

  it('5.4.6 whose body is edited later are linked then, by the keyword and not by a mere mention', () => {
    const theirs = { head_ref: 'elsewhere', updated_at: '2026-04-14T09:00:00.000Z' };

    expect(readPulls({ ...theirs, body: 'See #1 and #\u00b2' })).toEqual([]);
    expect(readPulls({ ...theirs, body: 'fixes owner/repo#1.' })).toMatchObject([
      { type: 'pr_opened', linked_issue: 1, trusted: true },
    ]);
  });

  it('turned to another base at the same head are told, each time they are turned', () => {
    const at = (minute: string) => `2026-04-14T09:${minute}:00.000Z`;
    const opened = `pr_opened:PR_4:${sha('a')}`;
    const release = { base_ref: 'release', updated_at: at('00') };

    const [turned, ...more] = readPulls(release, tracked, [opened]);
    expect(more).toEqual([]);
    expect(turned).toMatchObject({ type: 'pr_updated', pr_number: 4, base_ref: 'release', trusted: false });
    expect(readPulls(release, tracked, [opened, turned?.event_id ?? ''])).toEqual([]);
    expect(readPulls({ updated_at: at('01') }, tracked, [opened, turned?.event_id ?? ''])).toEqual([]);
    expect(
      readPulls({ ...release, updated_at: at('02') }, tracked, [opened, turned?.event_id ?? '']),
    ).toMatchObject([{ type: 'pr_updated', base_ref: 'release' }]);
  });

  it('with a new head are updated, and told once', () => {
    const [event, ...more] = readPulls({ head_sha: sha('d') }, tracked);

    expect(more).toEqual([]);
    expect(event).toMatchObject({
      type: 'pr_updated',
      event_id: `pr_updated:4:${sha('d')}`,
      head_sha: sha('d'),
    });
    const known = sprintWith({ status: 'InReview', pr_number: 4, head_sha: sha('d') });
    expect(readPulls({ head_sha: sha('d') }, known, [event?.event_id ?? ''])).toEqual([]);
  });

  it('pushed back to a head they had before are updated again', () => {
    const moved = sprintWith({ status: 'InReview', pr_number: 4, head_sha: sha('d') });
    const seen = [`pr_opened:PR_4:${sha('a')}`, `pr_updated:4:${sha('d')}`];

    const at = '2026-04-14T09:00:00.000Z';
    expect(readPulls({ updated_at: at }, moved, seen)).toMatchObject([
      { type: 'pr_updated', event_id: `pr_updated:4:${sha('a')}:${at}`, head_sha: sha('a') },
    ]);
  });

  it('5.4.2 closed without merge are told with the time, and reopened after that', () => {
    const at = '2026-04-14T09:00:00.000Z';
    const seen = [`pr_opened:PR_4:${sha('a')}`];
    expect(readPulls({ state: 'closed', closed_at: at }, tracked, seen)).toMatchObject([
      { type: 'pr_closed', event_id: `pr_closed:4:${at}`, trusted: true },
    ]);

    const later = '2026-04-14T10:00:00.000Z';
    const reopened = readPulls({ updated_at: later }, sprintWith({ status: 'InProgress' }), seen);
    expect(reopened).toMatchObject([{ type: 'pr_reopened', event_id: `pr_reopened:4:${later}` }]);
  });

  it('5.4.2 seen merged for the first time are told opened, then merged', () => {
    const at = '2026-04-14T09:00:00.000Z';
    const events = readPulls({ state: 'closed', closed_at: at, merged_at: at, merge_sha: sha('c') });

    expect(events).toMatchObject([
      { type: 'pr_opened' },
      { type: 'pr_merged', event_id: 'pr_merged:4', merge_sha: sha('c') },
    ]);
  });

  it('merged without a known merge commit name their head', () => {
    const at = '2026-04-14T09:00:00.000Z';

    expect(readPulls({ state: 'closed', merged_at: at, merge_sha: null }, tracked)).toMatchObject([
      { type: 'pr_merged', merge_sha: sha('a') },
    ]);
  });
});

describe('reviews', () => {
  const reviewed = (
    review: Parameters<typeof reviewOf>[1],
    pull: Partial<ForgePull> = {},
  ): Event | undefined =>
    read(
      { pulls: [pullOf(4, { body: marker, ...pull })], reviews: new Map([[4, [reviewOf('9', review)]]]) },
      tracked,
    ).find(({ type }) => type === 'pr_review_submitted');

  it('by a configured reviewer count, on the commit they name', () => {
    expect(reviewed({ commit_id: sha('e') })).toMatchObject({
      event_id: 'pr_review_submitted:9:approved',
      trusted: true,
      head_sha: sha('e'),
      review_state: 'approved',
    });
  });

  it('by a login in another case count', () => {
    expect(reviewed({ author: 'Rita' })).toMatchObject({ trusted: true });
  });

  it.each([
    ['a stranger', 'mallory'],
    ['a deleted account', null],
    ['the identity the agents share', 'caloron-bot'],
    ['a person who is no reviewer', 'ada'],
  ])('by %s do not count', (_, author) => {
    expect(reviewed({ author })).toMatchObject({ trusted: false });
  });

  it('by the author of the pull request do not count, even of a reviewer', () => {
    expect(reviewed({ author: 'rita' }, { author: 'rita' })).toMatchObject({ trusted: false });
  });

  it('that approve no commit are none', () => {
    expect(reviewed({ commit_id: null })).toBeUndefined();
    expect(reviewed({ commit_id: null, state: 'changes_requested' })).toMatchObject({ head_sha: sha('a') });
  });

  it('5.4.9 that were dismissed are told again', () => {
    expect(reviewed({ state: 'dismissed' })).toMatchObject({
      event_id: 'pr_review_submitted:9:dismissed',
      trusted: true,
    });
  });

  it('come after the head they were made on, though the pull request changed later', () => {
    const pull = pullOf(4, { body: marker, head_sha: sha('d'), updated_at: '2026-04-14T09:30:00.000Z' });
    const review = reviewOf('9', { commit_id: sha('d'), submitted_at: '2026-04-14T09:00:00.000Z' });

    const [head, verdict] = read({ pulls: [pull], reviews: new Map([[4, [review]]]) }, tracked);

    expect(head).toMatchObject({ type: 'pr_updated', created_at: '2026-04-14T09:00:00.000Z' });
    expect(verdict).toMatchObject({ type: 'pr_review_submitted', created_at: '2026-04-14T09:00:00.000Z' });
  });

  it('are asked for pull requests that may move a task only', () => {
    const reading = readingOf(sprintWith());

    expect(wantsReviews(pullOf(4, { body: marker }), reading)).toBe(true);
    expect(wantsReviews(pullOf(4, { body: 'Closes #1', author: 'mallory' }), reading)).toBe(false);
    expect(wantsReviews(pullOf(4, { body: marker, state: 'closed' }), reading)).toBe(false);
    expect(wantsReviews(pullOf(5, { head_ref: 'feature' }), reading)).toBe(false);
    expect(wantsReviews(pullOf(4, { author: 'mallory' }), readingOf(tracked))).toBe(true);
  });
});

describe('comments', () => {
  const said = (change: Parameters<typeof commentOf>[2], issue = 1, state = sprintWith()): readonly Event[] =>
    read({ comments: [commentOf(7, issue, { body: 'resolved', ...change })] }, state);

  it('of a configured person may steer', () => {
    expect(said({})).toMatchObject([
      {
        type: 'issue_comment',
        issue_number: 1,
        comment_id: 7,
        trusted: true,
        event_id: 'issue_comment:7:2026-04-14T08:00:00.000Z',
      },
    ]);
  });

  it('of others may not', () => {
    expect(said({ author: 'mallory' })).toMatchObject([{ trusted: false }]);
    expect(said({ author: null })).toMatchObject([{ trusted: false }]);
  });

  it('that carry our hidden line may not, even under the name of a person', () => {
    expect(said({ body: `resolved\n${marker}` })).toMatchObject([{ trusted: false }]);
  });

  it('that an action wrote are not told: the outbox knows them', () => {
    expect(said({ body: `Completed via PR #4\n<!-- caloron-action:${'0'.repeat(32)} -->` })).toEqual([]);
  });

  it('are told for the issue, the pull request and the escalation of a task, and for nothing else', () => {
    const state = sprintWith({ pr_number: 4, escalation_issue: 9 });

    expect(said({}, 4, state)).toHaveLength(1);
    expect(said({}, 9, state)).toHaveLength(1);
    expect(said({}, 2, state)).toEqual([]);
  });

  it('5.4.14 that were edited are told again', () => {
    const [before] = said({});
    const [after] = said({ updated_at: '2026-04-14T09:00:00.000Z' });

    expect(after?.event_id).not.toBe(before?.event_id);
  });
});

describe('issues', () => {
  const body = `Do it.\n\n${marker}`;
  const labels = ['caloron:task'];

  it('5.4.1 with our line and label are those of their task, when we opened them', () => {
    const found = { issues: [issueOf(3, { body, labels })] };
    expect(read(found)).toMatchObject([
      { type: 'issue_opened', event_id: 'issue_opened:3', trusted: true, marker: { task_id: 'login-form' } },
    ]);
    expect(read({ issues: [issueOf(3, { body, labels, author: 'mallory' })] })).toMatchObject([
      { trusted: false },
    ]);
  });

  it('without our label are nothing of ours', () => {
    expect(read({ issues: [issueOf(3, { body })] })).toEqual([]);
  });

  it('that escalate a task are not its issue', () => {
    const escalation = issueOf(3, { body: `${body}<!-- caloron-escalation:agent_stalled -->`, labels });

    expect(read({ issues: [escalation] })).toEqual([]);
  });

  it('that are pull requests are left to those', () => {
    expect(read({ issues: [issueOf(1, { is_pull: true })] })).toEqual([]);
  });

  it('closed are told with the time', () => {
    const at = '2026-04-14T09:00:00.000Z';
    const events = read({ issues: [issueOf(1, { state: 'closed', closed_at: at })] });

    expect(events.map(({ event_id }) => event_id)).toEqual(['issue_opened:1', `issue_closed:1:${at}`]);
  });

  it('open again are told while their task waits for that', () => {
    const waits = sprintWith({ status: 'Blocked', status_reason: 'issue_closed' });
    const open = { issues: [issueOf(1)] };

    expect(read(open, waits).map(({ type }) => type)).toContain('issue_reopened');
    expect(
      read(open, sprintWith({ status: 'Blocked', status_reason: 'spawn_failed' })).map(({ type }) => type),
    ).not.toContain('issue_reopened');
  });

  it('closed by a merge come after the merge', () => {
    const at = '2026-04-14T09:00:00.000Z';
    const events = read(
      {
        issues: [issueOf(1, { state: 'closed', closed_at: at })],
        pulls: [pullOf(4, { state: 'closed', merged_at: at, merge_sha: sha('c'), closed_at: at })],
      },
      tracked,
    );

    expect(events.map(({ type }) => type)).toEqual(['issue_opened', 'pr_merged', 'issue_closed']);
  });
});

describe('checks', () => {
  const review = {
    login: 'rita',
    state: 'approved',
    review_id: '9',
    head_sha: sha('a'),
    at: '2026-04-14T08:00:00.000Z',
    body: '',
  } as const;
  const task = (change: Partial<Task>): Task => ({
    ...exampleTask,
    status: 'InReview',
    pr_number: 4,
    head_sha: sha('a'),
    reviews: { rita: review },
    ...change,
  });

  it.each<[string, Partial<Task>, boolean]>([
    ['an approved head', {}, true],
    ['an approved head whose checks were green', { checks: 'green' }, true],
    ['a head nobody approved', { reviews: {} }, false],
    ['a head after the approved one', { head_sha: sha('b') }, false],
    ['a head sent back', { reviews: { rita: { ...review, state: 'changes_requested' } } }, false],
    ['a task at work', { status: 'InProgress' }, false],
    ['a task without a pull request', { pr_number: null }, false],
  ])('are asked for %s: %j %s', (_, change, expected) => {
    expect(awaitsChecks(task(change), 1)).toBe(expected);
  });

  it('are asked beside the first of two approvals while they are open', () => {
    expect(awaitsChecks(task({}), 2)).toBe(true);
    expect(awaitsChecks(task({ checks: 'green' }), 2)).toBe(false);
  });

  it('of a head that was asked before are left to the next poll', () => {
    expect(awaitsChecks(task({ checks: 'unknown' }), 1, true)).toBe(true);
    expect(awaitsChecks(task({ checks: 'pending' }), 1, true)).toBe(false);
  });

  it('are told when they are not what the task knows, also a state that was told before', () => {
    const at = '2026-04-14T08:00:00.000Z';
    expect(readChecks(task({ checks: 'green' }), 'green', at)).toBeNull();

    const again = readChecks(task({ checks: 'pending' }), 'green', at);
    expect(again?.event.event_id).toBe(`checks_changed:4:${sha('a')}:green`);
    expect(freshEvents(again === null ? [] : [again], new Set([again?.event.event_id ?? '']))).toHaveLength(
      1,
    );
  });
});

describe('without a sprint', () => {
  it('everything is told and nothing may act', () => {
    const events = read(
      {
        issues: [issueOf(1)],
        pulls: [pullOf(4)],
        comments: [commentOf(7, 1)],
        reviews: new Map([[4, [reviewOf('9')]]]),
      },
      null,
    );

    expect(events.map(({ type }) => type)).toEqual([
      'issue_opened',
      'pr_opened',
      'pr_review_submitted',
      'issue_comment',
    ]);
    expect(events.every(({ trusted }) => !trusted)).toBe(true);
  });
});
