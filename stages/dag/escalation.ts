import type { Task } from '@caloron/types';

import { inline } from '../markdown.ts';
import { action } from '../sprint/action-id.ts';
import { intend, update } from './draft.ts';
import type { Draft } from './draft.ts';

/** Milliseconds an agent is given between SIGTERM and SIGKILL. */
const STOP_GRACE_MS = 10_000;

function stop(draft: Draft, task: Task, agent_id: string | null, process_id: string): void {
  const { sprint_id } = draft.sprint;
  intend(
    draft,
    action('stop_agent', {
      cause: process_id,
      sprint_id,
      task_id: task.id,
      agent_id,
      process_id,
      grace_ms: STOP_GRACE_MS,
    }),
  );
}

/** Stops a process that was started for a task and is not wanted any more. */
export function stopProcess(draft: Draft, task: Task, role: 'author' | 'reviewer', process_id: string): void {
  stop(draft, task, role === 'author' ? task.agent_id : task.reviewer_id, process_id);
}

/** Stops the live reviewer of a task; what its process says afterwards no longer counts. */
export function releaseReviewer(draft: Draft, task: Task): Pick<Task, 'reviewer_run'> {
  const run = task.reviewer_run ?? null;
  if (run === null || run.over) return {};
  stop(draft, task, task.reviewer_id, run.process_id);
  return { reviewer_run: { ...run, over: true } };
}

/** Stops whatever works on a task. */
export function release(draft: Draft, task: Task): Partial<Task> {
  if (task.process_id !== null) stop(draft, task, task.agent_id, task.process_id);
  return { process_id: null, ...releaseReviewer(draft, task) };
}

function escalationMessage(task: Task, reason: string): string {
  return [
    reason,
    '',
    `Task \`${task.id}\` (${inline(task.title)}), agent \`${task.agent_id}\`: attempts ${task.attempt}, review cycles ${task.review_cycles}.`,
    '',
    'Answer with one word on the first line of a comment: `resolved` when it can go on, `assign-human` or `caloron:take-over` when a person does it, `break-down` when it has to be split, `cancel` when nobody wants it any more.',
  ].join('\n');
}

/** Asks a person; one escalation per cause until somebody has answered. */
export function escalate(draft: Draft, task: Task, reason_code: string, reason: string): void {
  const { sprint_id } = draft.sprint;
  intend(
    draft,
    action('escalate', {
      cause: `${reason_code}:${task.episode ?? 0}`,
      sprint_id,
      task_id: task.id,
      agent_id: task.agent_id,
      reason_code,
      reason,
      message: escalationMessage(task, reason),
      pr_number: task.pr_number,
    }),
  );
}

/** Blocks a task: whatever works on it stops. */
export function block(draft: Draft, task: Task, status_reason: string): Task {
  return update(draft, task, { ...release(draft, task), status: 'Blocked', status_reason });
}

/** Blocks a task and asks a person. `status_reason` is the code, with `detail` behind it when there is one. */
export function blockAndEscalate(
  draft: Draft,
  task: Task,
  blocked: { readonly code: string; readonly detail?: string; readonly reason: string },
): void {
  const next = block(
    draft,
    task,
    blocked.detail === undefined ? blocked.code : `${blocked.code}: ${blocked.detail}`,
  );
  escalate(draft, next, blocked.code, blocked.reason);
}
