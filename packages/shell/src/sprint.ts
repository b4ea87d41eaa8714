import type { Store } from '@caloron/store';
import type { DagState, Id, Task } from '@caloron/types';

import { ShellError } from './errors.ts';

/** The sprint's state as it is now. Throws SPRINT_UNKNOWN. */
export async function loadState(store: Store, sprint_id: Id): Promise<DagState> {
  // A run that only reads needs no row of its own.
  const { state } = store.forRun({ run_id: 'shell', lease: null });
  return (await state.load(sprint_id)).state;
}

/** One task of a sprint. Throws TASK_UNKNOWN. */
export function taskOf(state: DagState, task_id: Id): Task {
  const task = Object.hasOwn(state.tasks, task_id) ? state.tasks[task_id] : undefined;
  if (task === undefined) throw new ShellError('TASK_UNKNOWN', { sprint_id: state.sprint_id, task_id });
  return task;
}
