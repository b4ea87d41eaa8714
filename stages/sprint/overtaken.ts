import type { ActionOf, DagState, OutboxRow, Task } from '@caloron/types';

import { dueCause } from '../dag/causes.ts';
import { isTerminal } from '../dag/draft.ts';
import { taskOf, type ActContext, type Acted } from './act_context.ts';
import { ActError } from './errors.ts';

type Spawn = ActionOf<'spawn_agent'>;

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
