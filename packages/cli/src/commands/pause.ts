import { systemClock } from '@caloron/capabilities/clock';
import { createShells } from '@caloron/capabilities/shell';
import { Command } from 'commander';

import { type Context, idOf, loadState, person, runCommand, sprintId } from '../context.ts';
import { CliError } from '../errors.ts';
import { type Answer, counted, type Io } from '../output.ts';
import { keptLines, pausedOf, pauseSprint, resumeSprint, stopAgents, type Stopped } from '../sprint-pause.ts';
import { pauseWords } from '../status-table.ts';

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

/** Sprints that are not over, newest first. */
async function openSprints(context: Context): Promise<readonly string[]> {
  const found: string[] = [];
  for (const sprint_id of context.runtime().store.sprints()) {
    const { status } = await loadState(context, sprint_id);
    if (status !== 'completed' && status !== 'cancelled') found.push(sprint_id);
  }
  return found;
}

/** The sprints a command is about: with `--all` every open one. */
async function chosen(context: Context, named: string | undefined, all: boolean): Promise<readonly string[]> {
  if (!all) return [await openSprint(context, named)];
  if (named === undefined) return openSprints(context);
  throw new CliError('CLI_USAGE', { problem: `${JSON.stringify(named)} and --all exclude each other` });
}

interface Options {
  readonly all?: boolean;
}

/** `caloron pause [SPRINT]`: nothing more of a sprint is started or done; agents that work go on. */
export function pauseCommand(io: Io): Command {
  const command = new Command('pause')
    .description('start and do nothing more of a sprint; its agents go on')
    .argument('[sprint]', 'the sprint (default: the active one)')
    .option('--all', 'every sprint that is not over')
    .action((named: string | undefined, { all = false }: Options) =>
      runCommand(command, io, async (context) => {
        const answers = [];
        for (const sprint_id of await chosen(context, named, all))
          answers.push(await pauseOne(context, sprint_id));
        const [first] = answers;
        if (!all && first !== undefined) return first;
        const text = answers.map((answer) => answer.text).join('\n');
        return { data: { sprints: answers.map(({ data }) => data) }, text: text === '' ? NONE : text };
      }),
    );
  return command;
}

const NONE = 'no sprint is open';

async function pauseOne(context: Context, sprint_id: string): Promise<Answer> {
  const { store } = context.runtime();
  const wanted = { by: person(context), at: systemClock.now(), stopped: false };
  const changed = await pauseSprint(store, sprint_id, wanted);
  const paused = changed ?? (await pausedOf(store, sprint_id)) ?? wanted;
  const agents = store.processes.open().filter((row) => row.sprint_id === sprint_id).length;
  const text = [
    `sprint ${sprint_id}: ${changed === null ? 'already ' : ''}${pauseWords(paused)}; ${counted(agents, 'agent')} at work`,
    `Go on: ./caloron resume ${sprint_id}${context.home_flag}`,
  ].join('\n');
  return { data: { sprint_id, paused, already: changed === null, agents }, text };
}

/** `caloron resume [SPRINT]`: a paused sprint goes on. */
export function resumeCommand(io: Io): Command {
  const command = new Command('resume')
    .description('let a paused sprint go on')
    .argument('[sprint]', 'the sprint (default: the active one)')
    .option('--all', 'every sprint that is not over')
    .action((named: string | undefined, { all = false }: Options) =>
      runCommand(command, io, async (context) => {
        const answers = [];
        for (const sprint_id of await chosen(context, named, all)) {
          const by = { by: person(context), at: systemClock.now() };
          const resumed = await resumeSprint(context.runtime().store, sprint_id, by);
          answers.push({ sprint_id, resumed });
        }
        const lines = answers.map(({ sprint_id, resumed }) =>
          resumed ? `sprint ${sprint_id} goes on with the next tick` : `sprint ${sprint_id} was not paused`,
        );
        const [first] = answers;
        const data = !all && first !== undefined ? first : { sprints: answers };
        return { data, text: lines.length === 0 ? NONE : lines.join('\n') };
      }),
    );
  return command;
}

/** A shell that does not say within this time what runs is not asked to stop it, in milliseconds. */
const ANSWERS_MS = 5000;

/** `caloron estop`: pauses every sprint and stops every agent and every hook, whether or not a shell answers; what agents had not committed is kept. */
export function estopCommand(io: Io): Command {
  const command = new Command('estop')
    .description(
      'pause every sprint and stop every agent, also where no shell runs; uncommitted work is kept',
    )
    .action(() =>
      runCommand(command, io, async (context) => {
        const { store } = context.runtime();
        const wanted = { by: person(context), at: systemClock.now(), stopped: true };
        // First the pause: nothing may be started behind the back of the stop.
        const sprints = await openSprints(context);
        for (const sprint_id of sprints) await pauseSprint(store, sprint_id, wanted);
        const { stopped, without_shell } = await stopEverywhere(context);
        // After the agents: what is tagged now is a hook's, of a start or a removal that was under way.
        const { endHooks } = await import('@caloron/shell/stop-without-shell');
        const hooks_ended = await endHooks(context.home.dir, store);
        const hooks = hooks_ended === 0 ? '' : `, ${counted(hooks_ended, 'hook')} ended`;
        const lines = [
          `${counted(sprints.length, 'sprint')} paused, ${counted(stopped.length, 'agent')} stopped${hooks}${without_shell ? ' (no shell answered)' : ''}`,
          ...stopped.flatMap((each) => {
            const [first = '', ...more] = keptLines(each, each.worktree, context.home_flag);
            return [`  ${each.agent_id}: ${first}`, ...more.map((line) => `  ${line}`)];
          }),
          ...sprints.map((id) => `Go on: ./caloron resume ${id}${context.home_flag}`),
        ];
        return { data: { sprints, stopped, hooks_ended, without_shell }, text: lines.join('\n') };
      }),
    );
  return command;
}

/** Stops all agents through the shell, or from here where none answers for this database. */
async function stopEverywhere(
  context: Context,
): Promise<{ readonly stopped: readonly Stopped[]; readonly without_shell: boolean }> {
  const { store } = context.runtime();
  const { environment, home } = context;
  const stopped: Stopped[] = [];
  const reason = `emergency stop by ${person(context)}`;
  const given = { url: environment.shell_url, token: environment.shell_token, db_id: store.db_id };
  try {
    await createShells({ ...given, timeout_ms: ANSWERS_MS })
      .open(null)
      .status();
    const shell = createShells(given).open(null);
    const stopper = {
      lone: false,
      stop: (process_id: string, grace_ms: number) => shell.stop({ process_id, grace_ms, reason }),
    };
    await stopAgents(store, stopper, stopped);
    return { stopped, without_shell: false };
  } catch {
    // Whatever is the matter with the shell: an emergency does not wait for it.
    const { openLoneStops } = await import('@caloron/shell/stop-without-shell');
    const alone = await openLoneStops(home.dir, store);
    try {
      const stopper = {
        lone: true,
        stop: (process_id: string, grace_ms: number) => alone.stop(process_id, grace_ms, reason),
      };
      await stopAgents(store, stopper, stopped);
      return { stopped, without_shell: true };
    } finally {
      await alone.close();
    }
  }
}
