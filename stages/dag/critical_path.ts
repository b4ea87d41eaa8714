import type { Id, Task } from '@caloron/types';

import { isTerminal, tasksInOrder } from './draft.ts';
import type { Draft } from './draft.ts';

/** What the length of a path is reckoned from. */
type Node = Pick<Task, 'id' | 'depends_on' | 'status'>;

/**
 * Tasks on the longest chain that starts with each task and goes on over those that wait for it, itself included; what is over counts
 * nothing. Every task has the same weight: nobody knows how long an agent will take. Source: Kelley and Walker's critical path, 1959.
 */
export function remainingPaths(tasks: readonly Node[]): ReadonlyMap<Id, number> {
  const open = tasks.filter((task) => !isTerminal(task));
  const waiting = new Map<Id, Id[]>(open.map(({ id }) => [id, []]));
  for (const { id, depends_on } of open)
    for (const on of new Set(depends_on)) if (on !== id) waiting.get(on)?.push(id);
  const lengths = new Map<Id, number>();
  const below = new Set<Id>();
  for (const { id } of open) {
    const stack = [id];
    for (let at = stack.at(-1); at !== undefined; at = stack.at(-1)) {
      const next = (waiting.get(at) ?? []).filter((each) => !lengths.has(each));
      // A cycle, which validation keeps out, ends where it closes.
      const fresh = next.find((each) => !below.has(each));
      if (!lengths.has(at) && fresh !== undefined) {
        below.add(at);
        stack.push(fresh);
        continue;
      }
      stack.pop();
      below.delete(at);
      const longest = Math.max(0, ...(waiting.get(at) ?? []).map((each) => lengths.get(each) ?? 0));
      lengths.set(at, longest + 1);
    }
  }
  return lengths;
}

/** The tasks with the longest remaining path first; those of one length as they were authored. */
export function criticalFirst(draft: Draft): readonly Task[] {
  const tasks = tasksInOrder(draft);
  const lengths = remainingPaths(tasks);
  return tasks.toSorted((a, b) => (lengths.get(b.id) ?? 0) - (lengths.get(a.id) ?? 0));
}
