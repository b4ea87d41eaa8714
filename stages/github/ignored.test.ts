import { markerOf, type ForgeComment, type ForgePull, type ForgeReview } from '@caloron/types';
import { describe, expect, it } from 'vitest';

import { exampleState, exampleTask } from '../sprint/example.ts';
import { commentOf, pullOf, reviewOf } from '../testing/memory_forge.ts';
import { ignoredOf } from './ignored.ts';

const marker = markerOf('sprint-1', 'login-form');
const state = {
  ...exampleState,
  sprint: { ...exampleState.sprint, reviewer_logins: ['rita'] },
  tasks: { 'login-form': { ...exampleTask, issue_number: 1 } },
};

interface Seen {
  readonly pull?: Partial<ForgePull>;
  readonly reviews?: readonly Partial<ForgeReview>[];
  readonly comment?: Partial<ForgeComment>;
}

function reasons({ pull, reviews = [], comment }: Seen): readonly string[] {
  const answers = {
    issues: [],
    pulls: [pullOf(4, { body: marker, ...pull })],
    comments: comment === undefined ? [] : [commentOf(7, 1, comment)],
    reviews: new Map([[4, reviews.map((review, n) => reviewOf(String(n), review))]]),
  };
  return ignoredOf(answers, { state, repo: 'owner/repo', host: null }).map(({ reason }) => reason);
}

describe('what is ignored', () => {
  it.each<[string, Partial<ForgePull>]>([
    ['mallory is not one of agent_logins', { author: 'mallory', body: 'Closes #1' }],
    ['a deleted account is not one of agent_logins', { author: null, body: 'Closes #1' }],
    ['it is a draft', { draft: true }],
    ['its branch lies in another repository', { fork: true }],
    ['it is to go into release, and the sprint works on main', { base_ref: 'release' }],
  ])('is told with its reason: %s', (why, pull) => {
    expect(reasons({ pull })).toEqual([`pull request #4 for task login-form does not count: ${why}`]);
  });

  it('is nothing of a pull request that counts, is closed or is of no task', () => {
    expect(reasons({})).toEqual([]);
    expect(reasons({ pull: { draft: true, state: 'closed' } })).toEqual([]);
    expect(reasons({ pull: { author: 'mallory', body: 'about cats', head_ref: 'cats' } })).toEqual([]);
  });

  it.each<[string, Partial<ForgeReview>]>([
    ['(approved) does not count: mallory is not one of reviewer_logins', { author: 'mallory' }],
    ['(approved) does not count: caloron-bot opened the pull request', { author: 'caloron-bot' }],
    ['(approved) does not count: it names no commit', { commit_id: null }],
    [
      '(changes_requested) does not count: a deleted account is not one of reviewer_logins',
      { author: null, state: 'changes_requested' },
    ],
  ])('is a review: %s', (why, review) => {
    expect(reasons({ reviews: [review] })).toEqual([`review 0 of pull request #4 ${why}`]);
  });

  it('is no review that counts, says nothing or is ours', () => {
    const ours = `<!-- caloron-review:${'a'.repeat(8)} -->`;
    expect(
      reasons({
        reviews: [{}, { author: 'eve', state: 'commented' }, { author: 'caloron-bot', body: ours }],
      }),
    ).toEqual([]);
  });

  it('is what a stranger says with one of our hidden lines in it, as anything else they say', () => {
    const ours = `<!-- caloron-review:${'a'.repeat(8)} -->`;
    expect(reasons({ reviews: [{ author: 'eve', body: ours }] })).toEqual([
      'review 0 of pull request #4 (approved) does not count: eve is not one of reviewer_logins',
    ]);
    expect(reasons({ comment: { author: 'eve', body: `resolved\n${ours}` } })).toEqual([
      'the word “resolved” of comment 7 on #1 does not count: eve is not one of human_logins',
    ]);
    expect(reasons({ comment: { author: 'caloron-bot', body: `resolved\n${ours}` } })).toEqual([]);
  });

  it('is a word of somebody who may not speak, and no other comment', () => {
    expect(reasons({ comment: { author: 'mallory', body: 'resolved' } })).toEqual([
      'the word “resolved” of comment 7 on #1 does not count: mallory is not one of human_logins',
    ]);
    expect(reasons({ comment: { author: 'mallory', body: 'nice work' } })).toEqual([]);
    expect(reasons({ comment: { author: 'ada', body: 'resolved' } })).toEqual([]);
  });
});
