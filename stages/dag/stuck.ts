import type { Id, Task } from '@caloron/types';

import { action } from '../sprint/action-id.ts';
import { intend, isTerminal, tasksInOrder } from './draft.ts';
import type { Draft } from './draft.ts';
import { waitsForSprint } from './pausing.ts';
import { holdOf, pauseReason } from './limits.ts';
import { waitsForMerge } from './merge_refused.ts';
import type { Hold } from './provider_hold.ts';
import { isWaiting } from './room.ts';

/** Reasons of a task in review that no agent and no clock resolves. */
const REVIEW_WAITS_FOR_PERSON: readonly string[] = ['waits_approval', 'checks_red', 'receipt_failed'];

function waitsForPerson(reason: string): boolean {
  return REVIEW_WAITS_FOR_PERSON.includes(reason) || waitsForMerge(reason);
}

function stuckReason(draft: Draft, task: Task, hold: Hold | undefined): string | null {
  if (isHeldForPerson(draft, task, hold)) return pauseReason(draft, task, hold);
  switch (task.status) {
    case 'Blocked':
      return task.status_reason ?? 'blocked';
    case 'HumanAssigned':
      return 'human_assigned';
    case 'Pending': {
      const open = task.depends_on.filter((id) => draft.tasks.get(id)?.status !== 'Done');
      return `waits_for: ${open.join(', ')}`;
    }
    case 'InReview':
      return task.status_reason !== null && waitsForPerson(task.status_reason) ? task.status_reason : null;
    case 'Ready':
    case 'InProgress':
    case 'Done':
    case 'Cancelled':
      return null;
  }
}

/** Reason per task that cannot move without a person or another task. */
export function stuckTasks(draft: Draft): Record<Id, string> {
  const hold = holdOf(draft);
  const stuck = tasksInOrder(draft).flatMap((task) => {
    const reason = stuckReason(draft, task, hold);
    return reason === null ? [] : [[task.id, reason] as const];
  });
  return Object.fromEntries(stuck);
}

/** Reason per task that is started by itself when its time has come: after a backoff, or when its provider's limit ends. */
export function pausedTasks(draft: Draft): Record<Id, string> {
  const hold = holdOf(draft);
  const paused = tasksInOrder(draft).flatMap((task) => {
    const waits = isStartable(task) && !isHeldForPerson(draft, task, hold);
    const reason = waits ? (pauseReason(draft, task, hold) ?? draft.waits.get(task.id) ?? null) : null;
    return reason === null ? [] : [[task.id, reason] as const];
  });
  return Object.fromEntries(paused);
}

/** Whether all that a task lacks is an agent that works on it. */
function isStartable(task: Task): boolean {
  const { status, process_id, reviewer_run, status_reason } = task;
  if (status === 'Ready') return true;
  if (status === 'InProgress') return process_id === null;
  return status === 'InReview' && reviewer_run?.over !== false && isWaiting(status_reason);
}

function isHeldForPerson(draft: Draft, task: Task, hold: Hold | undefined): boolean {
  return (hold?.until === null || waitsForSprint(draft)) && isStartable(task);
}

/** Whether every task is Done or Cancelled; an empty DAG never is. */
export function isComplete(tasks: readonly Pick<Task, 'status'>[]): boolean {
  return tasks.length > 0 && tasks.every(isTerminal);
}

/** Moves the sprint itself: closing when all is done, waiting_for_human when no task moves by itself. */
export function moveSprint(draft: Draft, stuck: Readonly<Record<Id, string>>): void {
  const { sprint_id, repo } = draft.sprint;
  const tasks = tasksInOrder(draft);
  if (draft.status === 'completed') return;
  if (isComplete(tasks)) {
    draft.status = 'active';
    intend(draft, action('close_sprint', { cause: 'close', sprint_id, task_id: null, agent_id: null }));
    return;
  }
  const open = tasks.filter((task) => !isTerminal(task));
  const waits = open.length > 0 && open.every((task) => Object.hasOwn(stuck, task.id));
  if (waits && draft.status === 'active')
    draft.announce.push({ kind: 'sprint.stuck', payload: { sprint_id, repo, stuck } });
  draft.status = waits ? 'waiting_for_human' : 'active';
}
