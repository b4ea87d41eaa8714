import type { Action, ActionOf, ActionResult, Event, Task } from '@caloron/types';

import { onAsked } from './approval.ts';
import { nextReview, spend } from './causes.ts';
import { update } from './draft.ts';
import type { Draft } from './draft.ts';
import { blockAndEscalate, stopProcess } from './escalation.ts';
import { complete } from './merge.ts';
import { onMergeRefused, onMergeWaits } from './merge_refused.ts';
import { isWaiting, OVERTAKEN, waitReason } from './room.ts';

type Succeeded = Extract<Event, { type: 'action_succeeded' }>;
type Failed = Extract<Event, { type: 'action_failed' }>;
type Spawn = ActionOf<'spawn_agent'>;

function taskOf(draft: Draft, action: Action): Task | undefined {
  if (action.sprint_id !== draft.sprint.sprint_id || action.task_id === null) return undefined;
  return draft.tasks.get(action.task_id);
}

/** What came of an intended effect. Only effects that move a task are looked at. */
export function onSucceeded(draft: Draft, event: Succeeded): void {
  const { action, result } = event;
  if (action.type === 'close_sprint') return onSprintClosed(draft, action);
  const known = taskOf(draft, action);
  if (known === undefined) return;
  const over = known.put_back?.action_id === action.action_id;
  const task = spend(draft, over ? update(draft, known, { put_back: null }) : known, action);
  if (action.type === 'create_issue') return onIssueCreated(draft, task, result);
  if (action.type === 'spawn_agent') return onSpawned(draft, task, action, event);
  if (action.type === 'notify_agent' && result.comment_id !== undefined)
    return onAsked(draft, task.id, action.cause, result.comment_id);
  if (action.type === 'merge_pr') {
    if (task.pr_number !== action.pr_number) return;
    const { drift } = result;
    const at = event.created_at;
    const told = drift === undefined ? task : update(draft, task, { drift: { ...drift, at } });
    complete(draft, told, at, result.merge_sha ?? null);
    return;
  }
  if (action.type === 'escalate' && result.issue_number !== undefined) {
    update(draft, task, { escalation_issue: result.issue_number });
    return;
  }
  if (action.type === 'supervisor' && action.action !== 'probe') onRestarted(draft, task, action, event);
}

function onSprintClosed(draft: Draft, action: Action): void {
  if (action.sprint_id === draft.sprint.sprint_id) draft.status = 'completed';
}

/** An issue that exists binds to its task; a task that was blocked for want of one goes on. */
export function onIssueCreated(draft: Draft, task: Task, result: Pick<ActionResult, 'issue_number'>): void {
  if (task.issue_number !== null || result.issue_number === undefined) return;
  const waited = task.status === 'Blocked' && task.status_reason?.startsWith('issue_failed') === true;
  update(draft, task, {
    issue_number: result.issue_number,
    ...(waited ? { status: 'Pending', status_reason: null } : {}),
  });
}

function onSpawned(draft: Draft, task: Task, action: Spawn, { result, created_at }: Succeeded): void {
  const process_id = result.process_id;
  if (process_id === undefined) return;
  if (action.role === 'reviewer') return onReviewerSpawned(draft, task, action, process_id);
  if (action.attempt <= task.attempt) {
    // A start that was overtaken by its own report still tells where the work began.
    if (task.base_sha === null && result.base_sha !== undefined)
      update(draft, task, { base_sha: result.base_sha });
    return;
  }
  const base_sha = task.base_sha ?? result.base_sha ?? null;
  if (task.status !== 'Ready' && task.status !== 'InProgress') {
    stopProcess(draft, task, 'author', process_id);
    update(draft, task, { attempt: action.attempt, base_sha });
    return;
  }
  update(draft, task, {
    status: 'InProgress',
    status_reason: task.status === 'Ready' || isWaiting(task.status_reason) ? null : task.status_reason,
    attempt: action.attempt,
    process_id,
    // Whom it was given to meanwhile was not started for it: who works on it has it.
    agent_id: action.agent_id ?? task.agent_id,
    base_sha,
    started_at: task.started_at ?? created_at,
    last_progress_at: created_at,
  });
}

function onReviewerSpawned(draft: Draft, task: Task, action: Spawn, process_id: string): void {
  const run = task.reviewer_run ?? null;
  if (run?.process_id === process_id) return;
  const wanted =
    task.status === 'InReview' && task.head_sha === action.head_sha && action.attempt === nextReview(task);
  if (!wanted) return stopProcess(draft, task, 'reviewer', process_id);
  const mode = action.mode === 'verify' ? { mode: action.mode } : {};
  update(draft, task, { reviewer_run: { process_id, over: false, ...mode } });
}

/** The process was stopped, or there was none: the task is started again where it stands. */
function onRestarted(draft: Draft, task: Task, action: ActionOf<'supervisor'>, { result }: Succeeded): void {
  if (task.status !== 'InProgress' || result.taken_back !== undefined) return;
  const { process_id = action.process_id } = result;
  if (task.process_id !== null && process_id !== undefined && process_id !== task.process_id) return;
  const told =
    task.status_reason !== null && !/^(attempt_failed|stopped|restart|reassign)\b/.test(task.status_reason);
  update(draft, task, {
    process_id: null,
    ...(told ? {} : { status_reason: `${action.action}: ${action.reason}` }),
    ...(action.to === undefined ? {} : { agent_id: action.to }),
    // Its exit was told first: it ended because it was stopped, and nothing is to be waited for.
    ...(task.process_id === null && (task.provider_limit ?? null) === null ? { retry_at: null } : {}),
    last_stop: {
      attempt: task.attempt,
      agent_id: action.agent_id ?? task.agent_id,
      reason: action.reason,
      wip_ref: result.wip_ref ?? null,
      tail: result.tail ?? '',
    },
  });
}

/** What an intended effect failed of. Failures that will be tried again change nothing. */
export function onFailed(draft: Draft, event: Failed): void {
  const { action, error } = event;
  if (!event.final) return onPutBack(draft, event);
  if (action.type === 'close_sprint') {
    // Every task is done then; a sprint that cannot be tidied up is still over, and nobody else says so.
    onSprintClosed(draft, action);
    const { sprint_id, repo } = draft.sprint;
    draft.announce.push({ kind: 'sprint.completed', payload: { sprint_id, repo } });
    return;
  }
  const known = taskOf(draft, action);
  if (known === undefined || action.type === 'escalate') return;
  const task = spend(draft, known, action);
  if (action.type === 'spawn_agent') return onSpawnFailed(draft, task, action, event);
  if (action.type === 'merge_pr') return onMergeRefused(draft, task, action, error);
  if (action.type === 'create_issue') {
    if (task.issue_number !== null || task.status === 'Cancelled' || task.status === 'Done') return;
    const reason = `Its issue could not be created: ${error.message}`;
    return blockAndEscalate(draft, task, { code: 'issue_failed', detail: error.code, reason });
  }
  if (task.status_reason === null)
    update(draft, task, { status_reason: `${action.type}_failed: ${error.code}` });
}

/** A start that found no room, or was refused for now, is no failure yet: its task tells what it waits for. */
function onPutBack(draft: Draft, event: Failed): void {
  const { action, error } = event;
  const known = taskOf(draft, action);
  if (known !== undefined) onMergeWaits(draft, known, event);
  const task = action.type === 'spawn_agent' ? known : undefined;
  // That a sprint is paused is told of the sprint, and not of its tasks; what a task does not want it does not wait for.
  if (task === undefined || error.code === 'SPRINT_PAUSED' || error.code === OVERTAKEN) return;
  update(draft, task, { put_back: { action_id: action.action_id, reason: waitReason(error) } });
}

function onSpawnFailed(draft: Draft, task: Task, action: Spawn, { error }: Failed): void {
  const reason = `Its ${action.role} ${action.agent_id ?? ''} could not be started: ${error.message}`;
  const blocked = { code: 'spawn_failed', detail: error.code, reason };
  if (action.role === 'reviewer') {
    if (task.status === 'InReview' && task.head_sha === action.head_sha)
      blockAndEscalate(draft, task, blocked);
    return;
  }
  if (action.attempt <= task.attempt) return;
  // The attempt is spent: the next start is another action.
  const spent = update(draft, task, { attempt: action.attempt });
  if (spent.status === 'Ready' || spent.status === 'InProgress') blockAndEscalate(draft, spent, blocked);
}
