import type { EndCause, Event, Task, Timestamp } from '@caloron/types';

import { exitText, failAttempt, failReview, isAskedHead, oneLine, withHead } from './attempts.ts';
import { isPausing } from './pausing.ts';
import { isTerminal, update } from './draft.ts';
import type { Draft } from './draft.ts';
import { blockAndEscalate } from './escalation.ts';
import { onLateReport } from './late.ts';
import { notPaused } from './limits.ts';
import { sendToRebase } from './merge.ts';
import { enterReview } from './on_pull.ts';
import { lacksReceipt, receiptOf, verifierOf } from './receipt.ts';
import { recordVerdict } from './review.ts';
import { agentKey, verdictOn } from './verdicts.ts';

type Reported = Extract<Event, { type: 'agent_reported' }>;
type Exited = Extract<Event, { type: 'agent_exited' }>;

/** A report is of the task's process, or one attempt ahead of it: the agent was faster than the record of its start. */
function isOfCurrentAttempt(task: Task, report: Reported['report']): boolean {
  if (task.process_id !== null) return report.process_id === task.process_id;
  return report.attempt === task.attempt + 1 && (task.status === 'Ready' || task.status === 'InProgress');
}

/** Why a run ended; one that was told to pause and had to be stopped ended for its budget. */
function causeOf(
  draft: Draft,
  task: Task,
  { process_id, exit }: Pick<Exited, 'process_id' | 'exit'>,
): EndCause | undefined {
  const stopped = exit.cause === undefined || exit.cause.class === 'stopped';
  if (!stopped || !isPausing(draft, task.id, process_id)) return exit.cause;
  return { class: 'budget', until: null, provider: null, sentence: 'it was told to pause' };
}

/** What an author's or reviewer's harness says when it is through. */
export function onReported(draft: Draft, event: Reported): void {
  const { report } = event;
  const task = draft.tasks.get(report.task_id);
  if (task === undefined || report.sprint_id !== draft.sprint.sprint_id) return;
  if (report.role === 'reviewer') return onReviewerReported(draft, task, event);
  if (report.agent_id !== task.agent_id || !isOfCurrentAttempt(task, report))
    return onLateReport(draft, task, event);
  const through = update(draft, task, {
    process_id: null,
    attempt: Math.max(task.attempt, report.attempt),
    started_at: task.started_at ?? event.created_at,
    last_progress_at: event.created_at,
  });
  if (through.status === 'InProgress' || through.status === 'Ready') onOutcome(draft, through, event);
}

function onOutcome(draft: Draft, task: Task, { report, created_at }: Reported): void {
  const { outcome, head_sha, pr_number } = report;
  if (outcome === 'blocked') {
    const reason = `The agent says it is blocked: ${oneLine(report.body)}`;
    return blockAndEscalate(draft, task, { code: 'agent_blocked', reason });
  }
  if (report.base_lost !== undefined) {
    const problem = `Its branch does not contain its base ${report.base_lost}: ${oneLine(report.body)}`;
    return sendToRebase(draft, task, { why: 'base_lost', code: 'base_lost', problem });
  }
  if (outcome !== 'completed') {
    return failAttempt(draft, task, {
      why: failedHow(report),
      at: created_at,
      cause: causeOf(draft, task, report),
    });
  }
  if (pr_number === null || head_sha === null)
    return failAttempt(draft, task, { why: 'completed, but without a pull request', at: created_at });
  if (isAskedHead(task, head_sha))
    return failAttempt(draft, task, {
      why: 'no_changes: the head is still the one to change',
      at: created_at,
    });
  const bound = update(draft, withHead(draft, task, head_sha, created_at), {
    pr_number,
    checks: 'unknown',
    review_attempts: 0,
    failed_attempts: 0,
    ...notPaused,
    ...baseFacts(task, report, created_at),
  });
  enterReview(draft, bound);
}

/** How a run ended without work, with what it says of it. */
function failedHow({ outcome, exit, body }: Reported['report']): string {
  const said = oneLine(body);
  return `${outcome}, ${exitText(exit)}${said === '' ? '' : `: ${said}`}`;
}

/** What a harness saw of the base of a head; a rebase has another than the start. */
function baseFacts(task: Task, report: Reported['report'], at: Timestamp): Partial<Task> {
  const { base_sha = task.base_sha, drift } = report;
  return { base_sha, ...(drift === undefined ? {} : { drift: { ...drift, at } }) };
}

function onReviewerReported(draft: Draft, task: Task, { report, created_at }: Reported): void {
  const { process_id, head_sha, mode } = report;
  const run = task.reviewer_run ?? null;
  const verifies = mode === 'verify';
  const expected = verifies ? verifierOf(task) : task.reviewer_id;
  if (report.agent_id !== expected || (run?.process_id === process_id && run.over)) return;
  const heard = update(draft, task, {
    reviewer_run: { process_id, over: true, ...(verifies ? { mode } : {}) },
    ...(verifies ? { verifications: (task.verifications ?? 0) + 1 } : {}),
  });
  if (isTerminal(task) || (head_sha !== null && head_sha !== task.head_sha)) return;
  if (report.base_lost !== undefined && task.status === 'InReview') {
    const problem = `Pull request #${task.pr_number ?? '?'} does not contain its base ${report.base_lost}`;
    return sendToRebase(draft, heard, { why: 'base_lost', code: 'base_lost', problem });
  }
  const receipt = receiptOf(draft.sprint, report, created_at);
  const known = update(draft, heard, {
    ...(head_sha === null ? {} : baseFacts(heard, report, created_at)),
    ...(receipt === undefined ? {} : { receipt }),
  });
  if (report.outcome === 'approved' || report.outcome === 'changes_requested') {
    if (head_sha === null) return;
    // What a command refused nobody has approved.
    const state = receipt?.ok === false ? 'changes_requested' : report.outcome;
    const verdict = { login: report.agent_id, state, review_id: process_id, head_sha, at: created_at };
    return recordVerdict(draft, known, agentKey(report.agent_id), { ...verdict, body: report.body });
  }
  if (task.status !== 'InReview' || (verifies && report.outcome === 'completed' && receipt?.ok === true))
    return;
  failReview(draft, known, { why: failedHow(report), at: created_at, cause: causeOf(draft, task, report) });
}

/** A process is gone. Its report came before, or the attempt counts as failed. */
export function onExited(draft: Draft, event: Exited): void {
  const task = draft.tasks.get(event.task_id);
  if (task === undefined) return;
  if (event.role === 'reviewer') return onReviewerExited(draft, task, event);
  if (task.process_id !== event.process_id) return;
  const gone = update(draft, task, { process_id: null });
  if (gone.status !== 'InProgress') return;
  const why = `ended without a report, ${exitText(event.exit)}`;
  failAttempt(draft, gone, { why, at: event.created_at, cause: causeOf(draft, gone, event) });
}

function onReviewerExited(draft: Draft, task: Task, event: Exited): void {
  const run = task.reviewer_run ?? null;
  const ours = run !== null && run.process_id === event.process_id;
  // A live run of another process means that this exit is an older one's.
  if (run !== null && (ours ? run.over : !run.over)) return;
  // Nobody waits for it now; a task that comes back into review is to know that it is gone.
  if (task.status !== 'InReview') {
    if (ours) update(draft, task, { reviewer_run: { ...run, over: true } });
    return;
  }
  const gone = update(draft, task, { reviewer_run: { process_id: event.process_id, over: true } });
  // One that had only to verify gives no verdict: its end is missed where the proof is.
  if (verdictOn(gone, agentKey(verifierOf(task))) !== undefined && !lacksReceipt(draft, gone)) return;
  const why = `ended without a verdict, ${exitText(event.exit)}`;
  failReview(draft, gone, { why, at: event.created_at, cause: causeOf(draft, gone, event) });
}
