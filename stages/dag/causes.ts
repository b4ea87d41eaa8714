import type { Action, ActionType, Mode, Role, Sprint, Task } from '@caloron/types';

import { actionId } from '../sprint/action-id.ts';
import { causeOf, isTerminal, update } from './draft.ts';
import type { Draft } from './draft.ts';
import { approvalsOf } from './verdicts.ts';

/** Whether the task waits for the conflict of its branch to be solved. */
export function isRebase(task: Task): boolean {
  return task.status_reason?.startsWith('rebase') === true;
}

/** The number of a task's next reviewer run on its head: runs that met a limit count for it, though not for max_attempts. */
export function nextReview({ review_attempts, parked, stops }: Task): number {
  return review_attempts + (parked ?? 0) + (stops ?? 0) + 1;
}

/** What a task's author is started for next. */
export function modeOf(task: Task): Mode {
  if (task.status === 'InProgress' && isRebase(task)) return 'rebase';
  return task.base_sha === null ? 'start' : 'resume';
}

/** The cause of the start a task's author is due next. */
export function authorCause(task: Task): string {
  const mode = modeOf(task);
  const head_sha = mode === 'start' ? null : task.head_sha;
  return `author:${mode}:${task.attempt + 1}:${head_sha ?? '-'}`;
}

/** The cause of a task's next review of its head. */
export function reviewCause(task: Task): string {
  return unspent(
    task,
    'spawn_agent',
    causeOf(task, `reviewer:review:${nextReview(task)}:${task.head_sha ?? '-'}`),
  );
}

/** The cause of the next run of the verify commands alone on a task's head. */
export function verifyCause(task: Task): string {
  const { verifications = 0, head_sha } = task;
  return unspent(
    task,
    'spawn_agent',
    causeOf(task, `reviewer:verify:${nextReview(task)}:${verifications}:${head_sha ?? '-'}`),
  );
}

/** The cause of the merge of a task's head. */
export function mergeCause(task: Task, pr_number: number, head_sha: string): string {
  return unspent(task, 'merge_pr', causeOf(task, `${pr_number}:${head_sha}`));
}

/** The cause of asking for reviews of a head: asked again where it comes back and nobody's approval stands, and else once. */
export function submitCause(task: Task, pr_number: number, head_sha: string, required: number): string {
  const cause = `${pr_number}:${head_sha}`;
  return approvalsOf(task) < required ? unspent(task, 'submit_pr_for_review', cause) : cause;
}

/** The cause of the start in a role that a task is due; null when it is due none. */
export function dueCause(
  role: Role,
  task: Task,
  { required_approvals }: Pick<Sprint, 'required_approvals'>,
): string | null {
  const { status, process_id, reviewer_run } = task;
  if (role === 'author')
    return (status === 'Ready' || status === 'InProgress') && process_id === null ? authorCause(task) : null;
  if (status !== 'InReview' || reviewer_run?.over === false) return null;
  return approvalsOf(task) < required_approvals ? reviewCause(task) : verifyCause(task);
}

/** The id of the start that a task is due; null when it is due none. */
export function dueStart({ sprint }: Draft, task: Task): string | null {
  const cause = dueCause(task.status === 'InReview' ? 'reviewer' : 'author', task, sprint);
  return cause === null ? null : actionId(sprint.sprint_id, 'spawn_agent', task.id, cause);
}

/** A cause whose action has not ended yet: a head can come back, and an issue be opened again, and what was done for them then does not do now. */
function unspent({ spent = [] }: Task, type: ActionType, cause: string): string {
  const again = (n: number): string => (n === 0 ? cause : `${cause}:again${n}`);
  let n = 0;
  while (spent.includes(entryOf({ type, cause: again(n) }))) n += 1;
  return again(n);
}

function entryOf({ type, cause }: Pick<Action, 'type' | 'cause'>): string {
  return `${type} ${cause}`;
}

/** Whether an action's cause is made of where its task stands, and not of what only grows. */
function canComeBack(action: Action): boolean {
  if (action.type === 'spawn_agent') return action.role === 'reviewer';
  return action.type === 'merge_pr' || action.type === 'submit_pr_for_review';
}

/** Notes that an action has ended, well or for good: whatever is due of the same cause from now on is another one. */
export function spend(draft: Draft, task: Task, action: Action): Task {
  const { spent = [] } = task;
  const entry = entryOf(action);
  if (isTerminal(task) || !canComeBack(action) || spent.includes(entry)) return task;
  return update(draft, task, { spent: [...spent, entry] });
}
