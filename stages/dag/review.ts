import { parseMarker } from '@caloron/types';
import type { Event, Id, Review, Task } from '@caloron/types';

import { isOneOf } from '../github/trust.ts';
import { isTerminal, update } from './draft.ts';
import type { Draft } from './draft.ts';
import { blockAndEscalate, releaseReviewer } from './escalation.ts';
import { intendMerge } from './merge.ts';
import { mergeReason } from './merge_refused.ts';
import { reviewCause } from './causes.ts';
import { pauseReason } from './limits.ts';
import type { Hold } from './provider_hold.ts';
import { taskOfPull } from './on_pull.ts';
import { awaitReceipt, countingReceipt, verifierOf } from './receipt.ts';
import { intendReviewer } from './reviewer.ts';
import { roomReason } from './room.ts';
import { agentKey, approvalsOf, countingReviews, verdictOn } from './verdicts.ts';

/** Keeps a reviewer's latest verdict on the current head; one on another head, or an older one, changes nothing. */
export function recordVerdict(draft: Draft, task: Task, key: string, review: Review): void {
  if (isTerminal(task) || review.head_sha !== task.head_sha) return;
  const known = verdictOn(task, key);
  if (known !== undefined && known.at > review.at) return;
  update(draft, task, { reviews: { ...task.reviews, [key]: review }, last_progress_at: review.at });
}

/**
 * A review on the forge. One that carries our marker is the public form of an agent's verdict, which counts from its report;
 * only its dismissal says something new.
 */
export function onReview(draft: Draft, event: Extract<Event, { type: 'pr_review_submitted' }>): void {
  const task = taskOfPull(draft, event.pr_number);
  const { review_state: state } = event;
  if (task === undefined || event.actor === null || state === 'commented') return;
  const of_agent = parseMarker(event.body) !== undefined;
  const { agent_logins, reviewer_logins } = draft.sprint;
  // Anybody can write our line into a review, and have it dismissed.
  const ours = isOneOf(event.actor, [...agent_logins, ...reviewer_logins]);
  if (of_agent ? state !== 'dismissed' || !ours : !event.trusted) return;
  const key = of_agent ? agentKey(verifierOf(task)) : event.actor;
  const known = verdictOn(task, key);
  if (state === 'dismissed' && (known === undefined || (!of_agent && known.review_id !== event.review_id)))
    return;
  const at =
    state === 'dismissed' && known !== undefined && known.at > event.created_at ? known.at : event.created_at;
  // Who dismisses what a failed command asked for wants it tried again.
  const again = of_agent && countingReceipt(task)?.ok === false && event.head_sha === task.head_sha;
  recordVerdict(draft, again ? update(draft, task, { receipt: null }) : task, key, {
    login: event.actor,
    state,
    review_id: event.review_id,
    head_sha: event.head_sha,
    at,
    body: event.body,
  });
}

/** Sends the task back to its author, or to a person when the sprint's max_review_cycles are used up; it is never merged by force. */
function requestChanges(draft: Draft, task: Task): void {
  const review_cycles = task.review_cycles + 1;
  const next = update(draft, task, { ...releaseReviewer(draft, task), review_cycles });
  // Each answer of a person gives the author as many cycles again.
  if (review_cycles >= draft.sprint.max_review_cycles * ((task.episode ?? 0) + 1)) {
    const reason = `Pull request #${next.pr_number ?? '?'} was sent back ${review_cycles} times and is still not approved.`;
    return blockAndEscalate(draft, next, { code: 'review_cycles_exhausted', reason });
  }
  // The process that delivered this head is through; what it still says is not about the changes asked for.
  update(draft, next, { status: 'InProgress', status_reason: 'changes_requested', process_id: null });
}

/** The reason a reviewed task is not merged yet, as its checks give it; null when nothing stands against it. */
function checksReason(task: Task): string | null {
  return task.checks === 'green' || task.checks === 'none' ? null : `checks_${task.checks}`;
}

/** Sends a task in review back to its author when a counting review asks for changes. */
export function judge(draft: Draft, task: Task): void {
  if (task.status !== 'InReview') return;
  if (countingReviews(task).some((review) => review.state === 'changes_requested'))
    requestChanges(draft, task);
}

/** Moves a task in review on: to the merge when it is approved, else to its reviewer. `taken` are agents spoken for in this evaluation. */
export function proceed(draft: Draft, task: Task, taken: Set<Id>, hold: Hold | undefined): void {
  const { pr_number, head_sha } = task;
  if (task.status !== 'InReview' || pr_number === null || head_sha === null) return;
  if (approvalsOf(task) < draft.sprint.required_approvals) {
    update(draft, task, { status_reason: awaitReview(draft, task, taken, hold) });
    return;
  }
  const against = checksReason(task) ?? awaitReceipt(draft, task, taken);
  if (against !== null) {
    update(draft, task, { status_reason: against });
    return;
  }
  const status_reason = mergeReason(draft, task, intendMerge(draft, task, pr_number, head_sha));
  update(draft, draft.tasks.get(task.id) ?? task, { status_reason });
}

/** Asks for the reviewer that has not spoken yet; gives what the task waits for. */
function awaitReview(draft: Draft, task: Task, taken: Set<Id>, hold: Hold | undefined): string {
  const { reviewer_id } = task;
  if (reviewer_id === null || verdictOn(task, agentKey(reviewer_id)) !== undefined) return 'waits_approval';
  if (task.reviewer_run?.over === false) return 'waits_review';
  const pause = pauseReason(draft, task, hold);
  if (pause !== null) return pause;
  if (taken.has(reviewer_id)) return 'reviewer_busy';
  const full = roomReason(draft, task);
  if (full !== null) return full;
  taken.add(reviewer_id);
  const start = { agent_id: reviewer_id, mode: 'review', cause: reviewCause(task) } as const;
  return intendReviewer(draft, task, start) ?? 'waits_review';
}
