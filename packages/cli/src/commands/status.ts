import type { DagState, Task } from '@caloron/types';
import { Command } from 'commander';

import { loadState, runCommand, sprintId } from '../context.ts';
import type { Io } from '../output.ts';
import { renderTable } from '../table.ts';

const HEAD = ['task', 'status', 'agent', 'issue', 'PR', 'attempts', 'reviews', 'why'] as const;

function row(task: Task): readonly string[] {
  const number = (value: number | null): string => (value === null ? '-' : `#${value}`);
  const { id, status, agent_id, issue_number, pr_number, attempt, review_cycles, status_reason } = task;
  return [
    id,
    status,
    agent_id,
    number(issue_number),
    number(pr_number),
    String(attempt),
    String(review_cycles),
    status_reason ?? '',
  ];
}

function count(state: DagState): string {
  const counts = new Map<string, number>();
  for (const { status } of Object.values(state.tasks)) counts.set(status, (counts.get(status) ?? 0) + 1);
  return [...counts].map(([status, tasks]) => `${tasks} ${status}`).join(', ');
}

/** `caloron status`: where every task of a sprint stands. */
export function statusCommand(io: Io): Command {
  const command = new Command('status')
    .description('where every task of a sprint stands')
    .option('--sprint <id>', 'the sprint (default: the active one)')
    .action((options: { readonly sprint?: string }) =>
      runCommand(command, io, async (context) => {
        const state = await loadState(context, await sprintId(context, options.sprint));
        const tasks = state.order.map((id) => state.tasks[id]).filter((task) => task !== undefined);
        const rows = tasks.map(row);
        const head = `sprint ${state.sprint_id} on ${state.sprint.repo}: ${state.status} (${count(state)})`;
        return { data: state, text: `${head}\n\n${renderTable(HEAD, rows)}`, table: { head: HEAD, rows } };
      }),
    );
  return command;
}
