import { ownOf, type DagState, type OutboxRow } from '@caloron/types';

import { remainingPaths } from '../dag/critical_path.ts';

/**
 * The rows as given, but for the places of starts: there reviewers come first, then authors that go on, then new ones, each with the longest
 * remaining path first. Starts that found no room wait beside newer ones that matter more.
 */
export function startsInOrder<R extends Pick<OutboxRow, 'action'>>(
  rows: readonly R[],
  { tasks }: Pick<DagState, 'tasks'>,
): readonly R[] {
  const paths = remainingPaths(Object.values(tasks));
  const rank = ({ action }: R): number => {
    if (action.type !== 'spawn_agent' || action.role === 'reviewer') return 0;
    const task = action.task_id === null ? undefined : ownOf(tasks, action.task_id);
    return task?.status === 'InProgress' ? 1 : 2;
  };
  const length = ({ action }: R): number => paths.get(action.task_id ?? '') ?? 0;
  const starts = rows
    .filter(({ action }) => action.type === 'spawn_agent')
    .toSorted((a, b) => rank(a) - rank(b) || length(b) - length(a));
  return rows.map((row) => (row.action.type === 'spawn_agent' ? (starts.shift() ?? row) : row));
}
