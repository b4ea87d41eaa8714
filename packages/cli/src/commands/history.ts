import { keys, Timestamp } from '@caloron/types';
import { Command } from 'commander';

import { loadState, runCommand, sprintId } from '../context.ts';
import type { Io } from '../output.ts';
import { renderTable } from '../table.ts';

/** `caloron history`: all sprints of this home. */
export function historyCommand(io: Io): Command {
  const head = ['sprint', 'status', 'done', 'started', 'ended', 'repo'] as const;
  const command = new Command('history').description('all sprints of this home').action(() =>
    runCommand(command, io, async (context) => {
      const { store } = context.runtime();
      const sprints = await Promise.all(
        store.sprints().map(async (sprint_id) => {
          const state = await loadState(context, sprint_id);
          const time = async (key: string): Promise<string> =>
            Timestamp.safeParse((await store.kv.get(key))?.value).data ?? '-';
          const tasks = Object.values(state.tasks);
          const done = tasks.filter(({ status }) => status === 'Done').length;
          return {
            sprint_id,
            status: state.status,
            done,
            tasks: tasks.length,
            started_at: await time(keys.startedAt(sprint_id)),
            ended_at: await time(keys.endedAt(sprint_id)),
            repo: state.sprint.repo,
          };
        }),
      );
      const rows = sprints.map((sprint) => [
        sprint.sprint_id,
        sprint.status,
        `${sprint.done}/${sprint.tasks}`,
        sprint.started_at,
        sprint.ended_at,
        sprint.repo,
      ]);
      return {
        data: sprints,
        text: rows.length === 0 ? 'no sprint yet' : renderTable(head, rows),
        table: { head, rows },
      };
    }),
  );
  return command;
}

/** `caloron state`: a sprint's whole state as JSON. */
export function stateCommand(io: Io): Command {
  const command = new Command('state')
    .description('the whole state of a sprint, as JSON')
    .option('--sprint <id>', 'the sprint (default: the active one)')
    .action((options: { readonly sprint?: string }) =>
      runCommand(command, io, async (context) => {
        const state = await loadState(context, await sprintId(context, options.sprint));
        return { data: state, text: JSON.stringify(state, null, 2) };
      }),
    );
  return command;
}
