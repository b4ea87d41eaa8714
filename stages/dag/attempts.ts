import type { EndCause, Exit, Id, Sha, Task, Timestamp } from '@caloron/types';

import { limitEnd, nextRun } from '../sprint/retry_policy.ts';
import { isRebase } from './causes.ts';
import { onPaused } from './pausing.ts';
import { update } from './draft.ts';
import type { Draft } from './draft.ts';
import { blockAndEscalate, releaseReviewer } from './escalation.ts';
import { limitOf } from './limits.ts';
import { REFUSED } from './provider_hold.ts';

/** Characters of an agent's own words kept in a status_reason. */
const REASON_CHARS = 300;

/** Runs in a row that may end at a provider's limit before a person is asked: with untold ends that is five hours, as long as a usage window. */
const MAX_PARKED = 20;

/** Runs in a row that may be stopped from outside before a person is asked: whatever stops them does not let the task come to an end. */
const MAX_STOPS = 10;

/** How an agent's run ended without what it was started for. */
export interface Ended {
  /** In words, for people and the next prompt. */
  readonly why: string;
  readonly at: Timestamp;
  /** As its harness understood it; absent counts as a crash. */
  readonly cause?: EndCause | undefined;
}

/** One line of free text, cut to what a status_reason holds. */
export function oneLine(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return Array.from(line).slice(0, REASON_CHARS).join('');
}

/** A run that was stopped is no failure of its agent: it goes on after a pause, and a person is asked when that happens again and again. */
function onStopped(draft: Draft, task: Task, { why, cause, at }: Ended): void {
  const stops = (task.stops ?? 0) + 1;
  const told = task.status_reason !== null && !/^(attempt_failed|stopped)\b/.test(task.status_reason);
  const next = update(draft, task, {
    stops,
    retry_at: nextRun(
      1,
      at > draft.now ? draft.now : at,
      null,
      `${task.id}:stopped:${task.attempt}:${stops}`,
    ),
    ...(told || task.status !== 'InProgress' ? {} : { status_reason: `stopped: ${cause?.sentence ?? why}` }),
  });
  if (stops < MAX_STOPS) return;
  const reason = `${stops} runs were stopped before work came of one. The last one: ${cause?.sentence ?? why}`;
  blockAndEscalate(draft, next, { code: 'stopped_often', reason });
}

/** How a process ended, in words. */
export function exitText(exit: Exit): string {
  if (!exit.known) return 'its process is gone and left no exit code';
  return exit.signal === null ? `exit code ${exit.code ?? 'unknown'}` : `signal ${exit.signal}`;
}

/** Whether `head_sha` is the very commit the author was asked to change, so that nothing new is there to review. */
export function isAskedHead(task: Task, head_sha: Sha): boolean {
  if (isRebase(task) && task.head_sha === head_sha) return true;
  return Object.values(task.reviews).some(
    (review) => review.state === 'changes_requested' && review.head_sha === head_sha,
  );
}

/** Counts an author attempt that ended without work to review; what follows is up to why it ended. */
export function failAttempt(draft: Draft, task: Task, ended: Ended): void {
  const { why } = ended;
  const prefix = isRebase(task) ? 'rebase: ' : '';
  const open = update(draft, task, { status: 'InProgress', process_id: null });
  if (ended.cause?.class === 'budget' && onPaused(draft, open, 'InProgress')) return;
  if (ended.cause?.class === 'stopped') return onStopped(draft, open, ended);
  if (asksPerson(draft, open, ended)) return;
  if (isLimit(ended.cause)) {
    // What the author is to do next stays what it was.
    const told =
      task.status_reason !== null && !/^(attempt_failed|provider_limited)\b/.test(task.status_reason);
    if (!told) update(draft, open, { status_reason: `provider_limited: ${ended.cause.sentence}` });
    return park(draft, task.id, { ...ended, cause: ended.cause });
  }
  const failed_attempts = task.failed_attempts + 1;
  const next = update(draft, open, {
    status_reason: `${prefix}attempt_failed: ${why}`,
    failed_attempts,
    retry_at: nextRun(failed_attempts, endedAt(draft, ended), null, `${task.id}:${task.attempt}`),
  });
  if (failed_attempts < draft.sprint.max_attempts) return;
  const reason = `${failed_attempts} attempts ended without work to review. The last one: ${why}`;
  blockAndEscalate(draft, next, { code: 'attempts_exhausted', reason });
}

/** Counts a reviewer run that ended without a verdict; what follows is up to why it ended. */
export function failReview(draft: Draft, task: Task, ended: Ended): void {
  // It was no try of the reviewer's: the next run has a number of its own all the same.
  const parked = { ...task, parked: (task.parked ?? 0) + 1 };
  if (ended.cause?.class === 'budget' && onPaused(draft, parked, 'InReview')) return;
  if (ended.cause?.class === 'stopped') return onStopped(draft, task, ended);
  if (asksPerson(draft, task, ended)) return;
  if (isLimit(ended.cause)) return park(draft, task.id, { ...ended, cause: ended.cause });
  const review_attempts = task.review_attempts + 1;
  const seed = `${task.id}:review:${review_attempts}`;
  const next = update(draft, task, {
    review_attempts,
    retry_at: nextRun(review_attempts, endedAt(draft, ended), null, seed),
  });
  if (review_attempts < draft.sprint.max_attempts) return;
  const reason = `${review_attempts} reviewer runs ended without a verdict. The last one: ${ended.why}`;
  blockAndEscalate(draft, next, { code: 'review_failed', reason });
}

/** When a run ended; a clock ahead of ours moves nothing into the future. */
function endedAt({ now }: Draft, { at }: Ended): Timestamp {
  return at > now ? now : at;
}

function isLimit(cause: EndCause | undefined): cause is EndCause {
  return cause?.class === 'quota' || cause?.class === 'rate_limit';
}

/** Puts a task aside until its provider serves again. It is not the agent's failure: bounded, but not by max_attempts. */
function park(draft: Draft, id: Id, ended: Ended & { readonly cause: EndCause }): void {
  const task = draft.tasks.get(id);
  if (task === undefined) return;
  const { cause } = ended;
  const at = endedAt(draft, ended);
  const parked = (task.parked ?? 0) + 1;
  const next = update(draft, task, {
    parked,
    provider_limit: limitOf(draft, cause, at),
    retry_at: nextRun(parked, at, limitEnd(cause, at), `${id}:parked:${task.attempt}:${parked}`),
  });
  if (parked < MAX_PARKED) return;
  const reason = `${parked} runs ended at a limit of ${cause.provider ?? 'its provider'}. The last one: ${cause.sentence}`;
  blockAndEscalate(draft, next, { code: 'provider_limited', reason });
}

/** Asks a person where no attempt helps; whether it did. */
function asksPerson(draft: Draft, task: Task, { cause, at }: Ended): boolean {
  if (cause === undefined) return false;
  if (cause.class === 'gave_up') {
    const reason = `Its agent gave up: ${cause.sentence}`;
    blockAndEscalate(draft, task, { code: 'agent_gave_up', reason });
    return true;
  }
  if (cause.class !== 'auth' && cause.class !== 'billing') return false;
  const provider = cause.provider ?? 'its provider';
  const todo =
    cause.class === 'auth'
      ? `${provider} refuses the agent's credential: ${cause.sentence}\n\nSet a valid key or log the agent's program in on the machine of the shell, then answer \`resolved\`.`
      : `${provider} does not serve the account: ${cause.sentence}\n\nSettle the account or set the key of another one, then answer \`resolved\`.`;
  const limited = update(draft, task, { provider_limit: limitOf(draft, cause, at) });
  blockAndEscalate(draft, limited, {
    code: REFUSED[cause.class],
    reason: `${todo} No agent that needs ${provider} is started before.`,
  });
  return true;
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
