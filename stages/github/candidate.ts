import type { Event } from '@caloron/types';

/** An event that may be new: what has been consumed before decides. */
export interface Candidate {
  readonly event: Event;
  /** Event ids that say the same: when one was consumed, this event says nothing new. */
  readonly same_as?: readonly string[];
  /** What happened instead when the event itself was consumed before. */
  readonly otherwise?: Event | null;
  /** Given even when consumed before, as its state can come back. */
  readonly always?: boolean;
}

/** Every id the log has to be asked for. */
export function idsOf(candidates: readonly Candidate[]): readonly string[] {
  const ids = candidates.flatMap(({ event, same_as = [], otherwise }) => [
    event.event_id,
    ...same_as,
    ...(otherwise ? [otherwise.event_id] : []),
  ]);
  return [...new Set(ids)];
}

/** The events that are new, in the order an evaluation has to see them. */
export function freshEvents(candidates: readonly Candidate[], seen: ReadonlySet<string>): readonly Event[] {
  const fresh = candidates.flatMap(({ event, same_as = [], otherwise, always = false }) => {
    if (always || ![event.event_id, ...same_as].some((id) => seen.has(id))) return [event];
    return otherwise && !seen.has(otherwise.event_id) ? [otherwise] : [];
  });
  return fresh
    .sort((a, b) => rank(a) - rank(b) || compare(a, b))
    .map((event) => beforeItsReviews(event, fresh));
}

function compare(a: Event, b: Event): number {
  return a.created_at < b.created_at ? -1 : a.created_at > b.created_at ? 1 : 0;
}

/**
 * A head came before the reviews of it, but all the forge tells is when the pull request changed last, and a review changes it: such an
 * event takes the time of its pull request's first review.
 */
function beforeItsReviews(event: Event, all: readonly Event[]): Event {
  if (event.type !== 'pr_opened' && event.type !== 'pr_updated' && event.type !== 'pr_reopened') return event;
  const { pr_number } = event;
  const first = all
    .filter((e) => e.type === 'pr_review_submitted' && e.pr_number === pr_number)
    .sort(compare)[0];
  return first !== undefined && compare(first, event) < 0
    ? { ...event, created_at: first.created_at }
    : event;
}

/**
 * Heads before the reviews of those heads, and a merge before the closing of the issue it closes: a forge's own times do not order these
 * (a pull request's updated_at is later than the review on its newest head).
 */
const RANK: Partial<Record<Event['type'], number>> = {
  issue_opened: 0,
  issue_reopened: 0,
  pr_opened: 1,
  pr_reopened: 1,
  pr_updated: 1,
  pr_review_submitted: 2,
  checks_changed: 3,
  issue_comment: 4,
  pr_merged: 5,
  pr_closed: 5,
  issue_closed: 6,
};

function rank(event: Event): number {
  return RANK[event.type] ?? 4;
}
