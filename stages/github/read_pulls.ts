import type { Checks, Event, ForgePull, ForgeReview, Task } from '@caloron/types';

import type { Candidate } from './candidate.ts';
import { linkOf, type Link, type Reading } from './link.ts';
import { pullIsTrusted, reviewIsTrusted } from './trust.ts';

/** The pull requests a sprint cares for; without a sprint, all. */
export function relevantPulls(pulls: readonly ForgePull[], reading: Reading): readonly ForgePull[] {
  return pulls.filter((pull) => reading.state === null || linkOf(pull, reading).task !== null);
}

/** Whose reviews are worth a request: open ones of the sprint that may move a task. */
export function wantsReviews(pull: ForgePull, reading: Reading): boolean {
  if (pull.state !== 'open') return false;
  if (reading.state === null) return true;
  const { task, tracked } = linkOf(pull, reading);
  return tracked || (task !== null && pullIsTrusted(pull, reading.state, task));
}

/** What the state of one pull request says has happened to it. */
export function readPull(pull: ForgePull, reading: Reading): readonly Candidate[] {
  const link = linkOf(pull, reading);
  const trusted = pullIsTrusted(pull, reading.state, link.task);
  const base = { actor: pull.author, trusted };
  const open = pull.merged_at === null && pull.state === 'open';
  // A pull request that is a draft today may be none tomorrow with the same head: that is another event.
  const openedId = `pr_opened:${pull.node_id}:${pull.head_sha}${trusted ? '' : ':untrusted'}`;
  const facts = refOf(pull, link);
  const opened: Event = {
    ...base,
    ...facts,
    type: 'pr_opened',
    event_id: openedId,
    created_at: pull.created_at,
  };
  const first: readonly Candidate[] = link.tracked ? [] : [{ event: opened }];

  if (pull.merged_at !== null) {
    const merged: Event = {
      ...base,
      trusted: trusted || link.tracked,
      type: 'pr_merged',
      event_id: `pr_merged:${String(pull.number)}`,
      created_at: pull.merged_at,
      pr_number: pull.number,
      merge_sha: pull.merge_sha ?? pull.head_sha,
    };
    return [...first, { event: merged }];
  }
  if (!open) {
    const at = pull.closed_at ?? pull.updated_at;
    const closed: Event = {
      ...base,
      ...facts,
      type: 'pr_closed',
      event_id: `pr_closed:${String(pull.number)}:${at}`,
      created_at: at,
    };
    return [...first, { event: { ...closed, trusted: trusted || link.tracked } }];
  }
  const again = { ...base, ...facts, created_at: pull.updated_at };
  const reopened: Event = {
    ...again,
    type: 'pr_reopened',
    event_id: `pr_reopened:${String(pull.number)}:${pull.updated_at}`,
  };
  if (!link.tracked) return [{ event: opened, otherwise: reading.state === null ? null : reopened }];
  const strays = reading.state !== null && pull.base_ref !== reading.state.sprint.base_branch;
  if (strays) return [turned(pull, again)];
  return [{ ...updated(pull, again, link.task), same_as: [openedId] }];
}

function updated(
  pull: ForgePull,
  again: Pick<Event, 'actor' | 'trusted' | 'created_at'> & PrFacts,
  task: Task | null,
): Candidate {
  const event_id = `pr_updated:${String(pull.number)}:${pull.head_sha}`;
  const event: Event = { ...again, type: 'pr_updated', event_id };
  // Pushed back to a head it had before: the same id would say nothing.
  const moved = task !== null && task.head_sha !== pull.head_sha;
  return { event, otherwise: moved ? { ...event, event_id: `${event_id}:${pull.updated_at}` } : null };
}

/** Turned to a base that is not the sprint's, at whatever head: it may be turned back and there again, so its id has the time. */
function turned(
  pull: ForgePull,
  again: Pick<Event, 'actor' | 'trusted' | 'created_at'> & PrFacts,
): Candidate {
  const { number, head_sha, updated_at } = pull;
  const event_id = `pr_updated:${String(number)}:${head_sha}:turned:${updated_at}`;
  return { event: { ...again, type: 'pr_updated', event_id } };
}

type PrFacts = Omit<
  Extract<Event, { type: 'pr_updated' }>,
  'event_id' | 'created_at' | 'actor' | 'trusted' | 'type'
>;

function refOf(pull: ForgePull, { marker, linked_issue }: Link): PrFacts {
  const { number: pr_number, head_sha, head_ref, base_ref, draft, fork } = pull;
  return { pr_number, head_sha, head_ref, base_ref, draft, fork, linked_issue, marker };
}

/** The reviews of one pull request; an approval that names no commit is none. */
export function readReviews(
  pull: ForgePull,
  reviews: readonly ForgeReview[],
  reading: Reading,
): readonly Candidate[] {
  return reviews.flatMap((review) => {
    if (review.commit_id === null && review.state === 'approved') return [];
    const event: Event = {
      type: 'pr_review_submitted',
      event_id: `pr_review_submitted:${review.id}:${review.state}`,
      created_at: review.submitted_at,
      actor: review.author,
      trusted: reviewIsTrusted(review, pull, reading.state),
      pr_number: pull.number,
      review_id: review.id,
      head_sha: review.commit_id ?? pull.head_sha,
      body: review.body,
      review_state: review.state,
    };
    return [{ event }];
  });
}

/** The pull requests whose checks are waited for: approved by someone, and not known to be through. `only_unknown` leaves out those asked before. */
export function awaitsChecks(task: Task, required_approvals: number, only_unknown = false): boolean {
  if (task.status !== 'InReview' || task.pr_number === null || task.head_sha === null) return false;
  if (only_unknown && task.checks !== 'unknown') return false;
  const approvals = Object.values(task.reviews).filter(
    ({ state, head_sha }) => state === 'approved' && head_sha === task.head_sha,
  ).length;
  const open = task.checks === 'unknown' || task.checks === 'pending';
  return approvals >= required_approvals || (open && approvals > 0);
}

/** What the checks of a task's head say now; null when the task knows it already. `at` is the newest time the poll has heard from the forge. */
export function readChecks(task: Task, checks: Checks, at: string): Candidate | null {
  if (task.pr_number === null || task.head_sha === null || checks === task.checks) return null;
  return {
    always: true,
    event: {
      type: 'checks_changed',
      event_id: `checks_changed:${String(task.pr_number)}:${task.head_sha}:${checks}`,
      created_at: at,
      actor: null,
      trusted: true,
      pr_number: task.pr_number,
      head_sha: task.head_sha,
      checks,
    },
  };
}
