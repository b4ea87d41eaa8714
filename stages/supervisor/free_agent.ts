import type { Id, Task } from '@caloron/types';

/** Whether a task keeps its author busy, or could at any moment. */
function isAtWork({ status }: Pick<Task, 'status'>): boolean {
  return status === 'InProgress';
}

/**
 * Another author of the sprint that has nothing in progress and reviews nothing now: the one with the fewest open tasks; null
 * when there is none. The task's own reviewer is not asked to write what it reviews.
 */
export function freeAgent(tasks: readonly Task[], task: Task): Id | null {
  const load = new Map<Id, number>();
  const busy = new Set<Id>();
  for (const one of tasks) {
    const open = one.status !== 'Done' && one.status !== 'Cancelled';
    load.set(one.agent_id, (load.get(one.agent_id) ?? 0) + (open ? 1 : 0));
    if (isAtWork(one)) busy.add(one.agent_id);
    if (one.status === 'InReview' && one.reviewer_id !== null && one.reviewer_run?.over === false)
      busy.add(one.reviewer_id);
  }
  const free = [...load].filter(([id]) => id !== task.agent_id && id !== task.reviewer_id && !busy.has(id));
  const [first] = free.toSorted(([, a], [, b]) => a - b);
  return first?.[0] ?? null;
}
