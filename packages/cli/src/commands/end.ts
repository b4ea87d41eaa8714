import { systemClock } from '@caloron/capabilities/clock';
import type { DagState, Id } from '@caloron/types';
import { Command } from 'commander';

import { loadState, person, runCommand, sprintId } from '../context.ts';
import { counted, type Io } from '../output.ts';
import { say } from '../person-word.ts';
import { resumeSprint } from '../sprint-pause.ts';

/** `caloron end`: every task of a sprint that is not over is given up, so that the sprint is. */
export function endCommand(io: Io): Command {
  const command = new Command('end')
    .description('end a sprint: its open tasks are cancelled, its agents stopped, their work kept')
    .option('--sprint <id>', 'the sprint (default: the active one)')
    .action((options: { readonly sprint?: string }) =>
      runCommand(command, io, async (context) => {
        const sprint_id = await sprintId(context, options.sprint);
        const state = await loadState(context, sprint_id);
        const over = state.status === 'completed' || state.status === 'cancelled';
        const cancelled = over ? [] : openTasks(state);
        const kept = state.order.length - cancelled.length;
        if (over)
          return { data: { sprint_id, cancelled, over }, text: `sprint ${sprint_id} is over already` };
        for (const task_id of cancelled) await say(context, sprint_id, { task_id, word: 'cancel' });
        // Only then: what the pause held back is cancelled before it could start.
        const by = { by: person(context), at: systemClock.now() };
        const resumed = await resumeSprint(context.runtime().store, sprint_id, by);
        return {
          data: { sprint_id, cancelled, over, resumed },
          text: [
            `sprint ${sprint_id}: ${counted(cancelled.length, 'task')} cancelled, ${kept} left alone${resumed ? '; it is not paused any more' : ''}.`,
            'The next tick stops its agents, with their work saved, and closes it: then another one can begin. Branches, issues and pull requests stay open.',
            `  now, where no scheduler runs: ./caloron tick --sprint ${sprint_id}${context.home_flag}`,
          ].join('\n'),
        };
      }),
    );
  return command;
}

/** Tasks that are not over, each before those that it needs: none is told to wait for a person because of another that is given up. */
function openTasks({ order, tasks }: DagState): readonly Id[] {
  const left = new Set(order.filter((id) => !['Done', 'Cancelled'].includes(tasks[id]?.status ?? 'Done')));
  const sorted: Id[] = [];
  while (left.size > 0) {
    const needed = new Set([...left].flatMap((id) => tasks[id]?.depends_on ?? []));
    const free = [...left].filter((id) => !needed.has(id));
    // A cycle has none that nobody needs; a kickoff lets none in.
    for (const id of free.length > 0 ? free : [...left]) {
      sorted.push(id);
      left.delete(id);
    }
  }
  return sorted;
}
