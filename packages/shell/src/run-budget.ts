import { type DagState, limitsOf, type RunBudget, spentOf, sumSpent, type Task } from '@caloron/types';

/** What a run of the task that starts now may use; undefined where neither a run nor the task has a limit. */
export function runBudgetOf({ sprint }: DagState, task: Task): RunBudget | undefined {
  const { budget, prices = {} } = sprint;
  const agent = limitsOf(budget, 'agent', task.budget?.agent);
  const of_task = limitsOf(budget, 'task', task.budget?.task);
  if (Object.keys({ ...agent, ...of_task }).length === 0) return undefined;
  const used = sumSpent((task.runs ?? []).map(({ usage, ms }) => spentOf(usage, ms, prices)));
  return { agent, task: of_task, used, prices };
}
