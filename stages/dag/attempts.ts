import type { Exit, Sha, Task, Timestamp } from '@caloron/types';

import { update } from './draft.ts';
import type { Draft } from './draft.ts';
import { blockAndEscalate, releaseReviewer } from './escalation.ts';

/** Characters of an agent's own words kept in a status_reason. */
const REASON_CHARS = 300;

/** One line of free text, cut to what a status_reason holds. */
export function oneLine(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return Array.from(line).slice(0, REASON_CHARS).join('');
}

/** How a process ended, in words. */
export function exitText(exit: Exit): string {
  if (!exit.known) return 'its process is gone and left no exit code';
  return exit.signal === null ? `exit code ${exit.code ?? 'unknown'}` : `signal ${exit.signal}`;
}

/** Whether the task waits for the conflict of its branch to be solved. */
export function isRebase(task: Task): boolean {
  return task.status_reason?.startsWith('rebase') === true;
}

/** Whether `head_sha` is the very commit the author was asked to change, so that nothing new is there to review. */
export function isAskedHead(task: Task, head_sha: Sha): boolean {
  if (isRebase(task) && task.head_sha === head_sha) return true;
  return Object.values(task.reviews).some(
    (review) => review.state === 'changes_requested' && review.head_sha === head_sha,
  );
}

/** Counts an author attempt that ended without work to review: tried again, or blocked at the sprint's max_attempts. */
export function failAttempt(draft: Draft, task: Task, why: string): void {
  const failed_attempts = task.failed_attempts + 1;
  const prefix = isRebase(task) ? 'rebase: ' : '';
  const next = update(draft, task, {
    status: 'InProgress',
    status_reason: `${prefix}attempt_failed: ${why}`,
    failed_attempts,
    process_id: null,
  });
  if (failed_attempts < draft.sprint.max_attempts) return;
  const reason = `${failed_attempts} attempts ended without work to review. The last one: ${why}`;
  blockAndEscalate(draft, next, { code: 'attempts_exhausted', reason });
}

/** Counts a reviewer run that ended without a verdict: tried again, or blocked at the sprint's max_attempts. */
export function failReview(draft: Draft, task: Task, why: string): void {
  const review_attempts = task.review_attempts + 1;
  const next = update(draft, task, { review_attempts });
  if (review_attempts < draft.sprint.max_attempts) return;
  const reason = `${review_attempts} reviewer runs ended without a verdict. The last one: ${why}`;
  blockAndEscalate(draft, next, { code: 'review_failed', reason });
}

/** What a new head changes: checks and verdicts of the old one no longer count, and its reviewer stops. */
export function withHead(draft: Draft, task: Task, head_sha: Sha, at: Timestamp): Task {
  if (task.head_sha === head_sha) return task;
  return update(draft, task, {
    ...releaseReviewer(draft, task),
    head_sha,
    checks: 'unknown',
    review_attempts: 0,
    last_progress_at: at,
  });
}
