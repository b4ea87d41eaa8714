import { ownOf, type Action, type ActionOf, type DagState, type OutboxRow, type Task } from '@caloron/types';

import { dueCause, mergeCause } from '../dag/causes.ts';
import { isTerminal } from '../dag/draft.ts';
import { isMerging } from '../dag/merge_refused.ts';
import { taskOf, type ActContext, type Acted } from './act_context.ts';
import { ActError } from './errors.ts';

type Spawn = ActionOf<'spawn_agent'>;
type Merge = ActionOf<'merge_pr'>;

/** What nobody wants of a task that a person gave up: its issue, a review, a question to a person, a word to its agent. */
const OF_OPEN_TASKS: readonly Action['type'][] = [
  'create_issue',
  'submit_pr_for_review',
  'escalate',
  'notify_agent',
];

/**
 * Takes back what waited, for a forge or a paused sprint, until a person gave its task up. Undefined when it is wanted, and for an issue that may
 * have been opened already: it is looked for first.
 */
export function givenUp({ action, attempts }: OutboxRow, context: ActContext): Promise<Acted | undefined> {
  if (!OF_OPEN_TASKS.includes(action.type) || (action.type === 'create_issue' && attempts > 0))
    return Promise.resolve(undefined);
  return takenBackOfCancelled(action, context);
}

/** The same for an issue that was looked for and is not there. The state is read anew: a kickoff may open issues for minutes beside the ticks. */
export async function takenBackOfCancelled(
  { type, task_id }: Action,
  { state, snapshot }: ActContext,
): Promise<Acted | undefined> {
  if (task_id === null) return undefined;
  const { tasks } = (await state.load(snapshot.state.sprint_id)).state;
  if (ownOf(tasks, task_id)?.status !== 'Cancelled') return undefined;
  const taken_back = `task ${task_id} is Cancelled`;
  return { result: { taken_back }, line: `${type}:${task_id} (taken back: ${taken_back})` };
}

/**
 * Takes back a start that waited, for room or a paused sprint, while its task moved on: it would work beside a person, or in place of the
 * start that is due. Undefined when it is wanted, or may have been made already. Throws ACTION_OVERTAKEN while it may be wanted again.
 */
export function takenBack({ action, attempts }: OutboxRow, context: ActContext): Acted | undefined {
  if (action.type !== 'spawn_agent' || attempts > 0) return undefined;
  const task = taskOf(action, context);
  const { state } = context.snapshot;
  if (task.status === 'Pending' || isDue(action, task, state.sprint)) return undefined;
  const { id, status, attempt } = task;
  const taken_back = `task ${id} is ${status}, and another start is due, or none`;
  const over = isTerminal(task) || (action.role === 'author' && action.attempt <= attempt);
  if (!over)
    throw new ActError(
      'ACTION_OVERTAKEN',
      { action: `the start of its ${action.role}`, why: taken_back },
      { retryable: true },
    );
  return { result: { taken_back }, line: `spawn:${action.agent_id ?? id} (taken back: ${taken_back})` };
}

function isDue(action: Spawn, task: Task, sprint: DagState['sprint']): boolean {
  return action.cause === dueCause(action.role, task, sprint) && isPaidFor(action, task, sprint);
}

/** What was kept for a start is given back when it is overtaken: it is not made before it is kept again. */
function isPaidFor({ action_id }: Spawn, { runs = [] }: Task, { budget }: DagState['sprint']): boolean {
  return budget === undefined || runs.some((run) => run.action_id === action_id);
}

/** Throws where a task does not want a merge that was intended of it: MERGE_NOT_WANTED for good, ACTION_OVERTAKEN while it may want it again. */
export function throwOvertaken(action: Merge, task: Task): void {
  const { pr_number } = action;
  const unwanted = unwantedFor(task, action);
  if (unwanted !== null) throw new ActError('MERGE_NOT_WANTED', { pr_number, why: unwanted });
  const why = overtakenBy(task);
  if (why === null) return;
  const facts = { action: `the merge of PR #${String(pr_number)}`, why };
  throw new ActError('ACTION_OVERTAKEN', facts, { retryable: true });
}

/** Why a merge will never be wanted again; null when it may be. */
function unwantedFor(task: Task, { pr_number, head_sha, cause }: Merge): string | null {
  if (isTerminal(task)) return `its task is ${task.status}`;
  if (task.pr_number === null) return null;
  if (task.pr_number !== pr_number) return `its task has PR #${String(task.pr_number)}`;
  const due = task.status === 'InReview' && task.head_sha === head_sha;
  return due && cause !== mergeCause(task, pr_number, head_sha) ? 'another merge of it is due' : null;
}

/**
 * What has happened to a task since its merge was intended that stands against it: a merge may have waited, for a forge or a paused
 * sprint, while its approval was taken back. Null when nothing has.
 */
function overtakenBy({ status, status_reason }: Task): string | null {
  if (status === 'InReview') return isMerging(status_reason) ? null : status_reason;
  return status === 'InProgress' || status === 'Blocked' || status === 'HumanAssigned'
    ? `its task is ${status}${status_reason === null ? '' : ` (${status_reason})`}`
    : null;
}
