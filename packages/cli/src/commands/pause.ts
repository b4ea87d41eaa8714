import { systemClock } from '@caloron/capabilities/clock';
import { createShells } from '@caloron/capabilities/shell';
import type { Paused } from '@caloron/types';
import { Command } from 'commander';

import { type Context, idOf, loadState, runCommand, sprintId } from '../context.ts';
import { CliError } from '../errors.ts';
import { counted, type Io } from '../output.ts';
import { pausedOf, pauseSprint, resumeSprint, stopAgents } from '../sprint-pause.ts';
import { pauseWords } from '../status-table.ts';

function person({ environment }: Context): string {
  const name = environment.variables['USER'] ?? '';
  return name === '' ? 'cli' : name.slice(0, 200);
}

/** The sprint that is named, or the active one; throws SPRINT_UNKNOWN, and CLI_USAGE for one that is over. */
async function openSprint(context: Context, named: string | undefined): Promise<string> {
  const sprint_id = named === undefined ? await sprintId(context, undefined) : idOf('sprint', named);
  const { status } = await loadState(context, sprint_id);
  if (status !== 'completed' && status !== 'cancelled') return sprint_id;
  throw new CliError(
    'CLI_USAGE',
    { problem: `sprint ${sprint_id} is ${status}: there is nothing to pause or resume` },
    { hint: `./caloron history${context.home_flag} lists the sprints` },
  );
}

/** `caloron pause [SPRINT]`: nothing more of a sprint is started or done; agents that work go on. */
export function pauseCommand(io: Io): Command {
  const command = new Command('pause')
    .description('start and do nothing more of a sprint; its agents go on')
    .argument('[sprint]', 'the sprint (default: the active one)')
    .action((named: string | undefined) =>
      runCommand(command, io, async (context) => {
        const { store } = context.runtime();
        const sprint_id = await openSprint(context, named);
        const wanted = { by: person(context), at: systemClock.now(), stopped: false };
        const changed = await pauseSprint(store, sprint_id, wanted);
        const paused = changed ?? (await pausedOf(store, sprint_id)) ?? wanted;
        const agents = store.processes.open().filter((row) => row.sprint_id === sprint_id).length;
        const text = [
          `sprint ${sprint_id}: ${changed === null ? 'already ' : ''}${pauseWords(paused)}; ${counted(agents, 'agent')} at work`,
          `Go on: ./caloron resume ${sprint_id}${context.home_flag}`,
        ].join('\n');
        return { data: { sprint_id, paused, already: changed === null, agents }, text };
      }),
    );
  return command;
}

/** `caloron resume [SPRINT]`: a paused sprint goes on. */
export function resumeCommand(io: Io): Command {
  const command = new Command('resume')
    .description('let a paused sprint go on')
    .argument('[sprint]', 'the sprint (default: the active one)')
    .action((named: string | undefined) =>
      runCommand(command, io, async (context) => {
        const sprint_id = await openSprint(context, named);
        const by = { by: person(context), at: systemClock.now() };
        const resumed = await resumeSprint(context.runtime().store, sprint_id, by);
        const text = resumed
          ? `sprint ${sprint_id} goes on with the next tick`
          : `sprint ${sprint_id} was not paused`;
        return { data: { sprint_id, resumed }, text };
      }),
    );
  return command;
}

/** `caloron estop`: pauses every sprint and stops every agent; what they had not committed is kept. */
export function estopCommand(io: Io): Command {
  const command = new Command('estop')
    .description('pause every sprint and stop every agent; uncommitted work is kept')
    .action(() =>
      runCommand(command, io, async (context) => {
        const { store } = context.runtime();
        const wanted = { by: person(context), at: systemClock.now(), stopped: true };
        const sprints = await pauseAll(context, wanted);
        // First the pause: nothing may be started behind the back of the stop.
        const shell = createShells({
          url: context.environment.shell_url,
          token: context.environment.shell_token,
          db_id: store.db_id,
        }).open(null);
        const stopped = await stopAgents(store, shell);
        const lines = [
          `${counted(sprints.length, 'sprint')} paused, ${counted(stopped.length, 'agent')} stopped`,
          ...stopped.map(
            ({ agent_id, wip_ref }) =>
              `  ${agent_id}: ${wip_ref === null ? 'nothing was uncommitted' : `its uncommitted work is in ${wip_ref}`}`,
          ),
          ...sprints.map((id) => `Go on: ./caloron resume ${id}${context.home_flag}`),
        ];
        return { data: { sprints, stopped }, text: lines.join('\n') };
      }),
    );
  return command;
}

async function pauseAll(context: Context, wanted: Paused): Promise<readonly string[]> {
  const { store } = context.runtime();
  const paused: string[] = [];
  for (const sprint_id of store.sprints()) {
    const { status } = await loadState(context, sprint_id);
    if (status === 'completed' || status === 'cancelled') continue;
    await pauseSprint(store, sprint_id, wanted);
    paused.push(sprint_id);
  }
  return paused;
}
