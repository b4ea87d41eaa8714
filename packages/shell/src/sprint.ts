import type { Store } from '@caloron/store';
import { type DagState, type Id, Report, type Sha, type Task } from '@caloron/types';
import { z } from 'zod';

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

/** A task that an agent may be started on. Throws TASK_UNKNOWN, and TASK_CANCELLED for one that a person gave up. */
export function wantedTaskOf(state: DagState, task_id: Id): Task {
  const task = taskOf(state, task_id);
  if (task.status === 'Cancelled')
    throw new ShellError('TASK_CANCELLED', { sprint_id: state.sprint_id, task_id });
  return task;
}

const Reported = z.object({ report: Report });

/** Heads that authors of a task reported as theirs. */
export function deliveredHeads(store: Store, sprint_id: Id, task_id: Id): ReadonlySet<Sha> {
  const heads = new Set<Sha>();
  for (let after = 0; ;) {
    const rows = store.events.read({ after, sprint_id, kinds: ['agent_reported'] });
    for (const { payload } of rows) {
      const { report } = Reported.parse(payload);
      if (report.task_id === task_id && report.role === 'author' && report.head_sha !== null)
        heads.add(report.head_sha);
    }
    const last = rows.at(-1);
    if (last === undefined) return heads;
    after = last.seq;
  }
}
