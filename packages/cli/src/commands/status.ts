import { systemClock } from '@caloron/capabilities/clock';
import { Command } from 'commander';

import { type Context, loadState, runCommand, sprintId } from '../context.ts';
import type { Answer, Io } from '../output.ts';
import { spendingOfSprint, spendingWords } from '../spending-account.ts';
import { orderedTasks, sprintLine, STATUS_HEAD, statusRow } from '../status-table.ts';
import { pausedOf } from '../sprint-pause.ts';
import { watchStatus } from '../status-watch.ts';
import { renderTable } from '../table.ts';
import { oneLine } from '../width.ts';

interface StatusOptions {
  readonly sprint?: string;
  readonly watch?: boolean;
}

/** `caloron status`: where every task of a sprint stands, and with `--watch` every change until it is over. */
export function statusCommand(io: Io): Command {
  const command = new Command('status')
    .description('where every task of a sprint stands')
    .option('--sprint <id>', 'the sprint (default: the active one)')
    .option('-w, --watch', 'go on until the sprint is over, and tell every change')
    .action((options: StatusOptions) =>
      options.watch === true
        ? runCommand(command, io, (context) => watch(context, options), {
            on_interrupt: 'the sprint goes on',
          })
        : runCommand(command, io, (context) => look(context, options)),
    );
  return command;
}

async function look(context: Context, options: StatusOptions): Promise<Answer> {
  const state = await loadState(context, await sprintId(context, options.sprint));
  const paused = await pausedOf(context.runtime().store, state.sprint_id);
  const rows = orderedTasks(state).map(statusRow);
  const agents = context.runtime().store.processes.agents(state.sprint_id);
  const spending = spendingOfSprint(state, agents, systemClock.now());
  const used = spendingWords(spending.sprint);
  const text = `${oneLine(sprintLine(state, paused))}\n${used === '' ? '' : `${used}\n`}\n${renderTable(STATUS_HEAD, rows)}`;
  return { data: { ...state, paused, spending }, text, table: { head: STATUS_HEAD, rows } };
}

async function watch(context: Context, options: StatusOptions): Promise<Answer> {
  const { io, format, signal, environment, runtime } = context;
  const sprint_id = await sprintId(context, options.sprint);
  const { state, paused } = await watchStatus({
    io,
    json: format === 'json',
    redraws: io.terminal !== undefined && environment.variables['TERM'] !== 'dumb',
    signal,
    lastSeq: () => runtime().store.events.lastSeq(),
    load: async () => ({
      state: await loadState(context, sprint_id),
      paused: await pausedOf(runtime().store, sprint_id),
    }),
  });
  return { data: { sprint_id, status: state.status, paused }, text: '', streamed: true };
}
