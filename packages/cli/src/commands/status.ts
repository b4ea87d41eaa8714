import { systemClock } from '@caloron/capabilities/clock';
import type { Store } from '@caloron/store';
import { type DagState, overWords } from '@caloron/types';
import { Command } from 'commander';
import { createColors } from 'picocolors';

import type { AgentAccount } from '../agent-account.ts';
import { type Context, loadState, runCommand, sprintId } from '../context.ts';
import { awayLines, awayOf } from '../forge-away.ts';
import { limitsOf, limitWords } from '../forge-limits.ts';
import { type Answer, counted, type Io } from '../output.ts';
import { sandboxWords } from '../sandbox-words.ts';
import { spendingWords } from '../spending-account.ts';
import {
  type FittingTable,
  fittingTable,
  orderedTasks,
  sprintLine,
  STATUS_HEAD,
  statusRow,
} from '../status-table.ts';
import { driveLines, driveOf, dueAfter } from '../sprint-drive.ts';
import { pausedOf } from '../sprint-pause.ts';
import { watchStatus } from '../status-watch.ts';
import { renderTable } from '../table.ts';
import { accountOfSprint } from '../task-facts.ts';
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
  const { store } = context.runtime();
  const paused = await pausedOf(store, state.sprint_id);
  const forge_away = await awayOf(store, state);
  const now = systemClock.now();
  const drive = await driveOf(store, state, now, (after) => dueAfter(context.home.dir, after));
  const { agents, spending, facts } = await accountOfSprint(context, state, systemClock.now());
  const { host, repo } = state.sprint;
  const forge_limits = limitsOf(
    store.forgeBudgets.list(),
    context.environment,
    systemClock.now(),
    host,
    repo,
  );
  const rows = orderedTasks(state).map((task) => statusRow(task, facts.get(task.id)));
  const { terminal } = context.io;
  const table =
    terminal === undefined
      ? renderTable(STATUS_HEAD, rows)
      : linesOf(fittingTable(state, terminal.columns, facts)).join('\n');
  const used = spendingWords(spending.sprint);
  const confined = sandboxWords(agents);
  const lines = [
    oneLine(sprintLine(state, paused)),
    ...(paused === null ? [] : [pausedLine(context, state.sprint_id, agents)]),
    ...driveLines(context.io, drive, now, { home: context.home.dir, home_flag: context.home_flag }),
    ...awayLines(context.io, forge_away, now),
    ...forge_limits.map((one) => `forge: ${limitWords(one)}`),
    ...(used === '' ? [] : [used]),
    ...(confined === '' ? [] : [confined]),
    ...approvalLines(context, state),
  ];
  const text = `${lines.join('\n')}\n\n${table}`;
  return {
    data: { ...state, paused, drive, forge_away, forge_limits, spending, agents },
    text,
    table: { head: STATUS_HEAD, rows },
  };
}

function linesOf({ head, tasks }: FittingTable): readonly string[] {
  return [head, ...tasks.flatMap(({ lines }) => lines)];
}

/** That nothing goes on, as loud as the terminal allows, and how it does. */
function pausedLine({ io, home_flag }: Context, sprint_id: string, agents: readonly AgentAccount[]): string {
  const paint = createColors(io.terminal?.colours === true);
  const live = agents.filter(({ alive }) => alive).length;
  const rest = live === 0 ? 'no agent is at work' : `${counted(live, 'agent')} still at work`;
  const loud = paint.bold(paint.yellow('PAUSED'));
  return `${loud}: nothing is started or done, ${rest}; go on: ./caloron resume ${sprint_id}${home_flag}`;
}

/** That nothing starts before somebody approves more for the sprint, and how. */
function approvalLines({ home_flag }: Context, { budget, sprint_id }: DagState): readonly string[] {
  const breach = budget?.breach ?? null;
  if (breach === null) return [];
  const why = breach.over.map(overWords).join(', ');
  return [oneLine(`${why}: nothing starts before ./caloron approve --sprint ${sprint_id}${home_flag}`)];
}

/** Why and until when the sprint's forge is asked nothing, a line each; none while it is asked. */
function heldLines(
  { forgeBudgets }: Store,
  environment: Context['environment'],
  { sprint }: DagState,
): readonly string[] {
  const told = limitsOf(forgeBudgets.list(), environment, systemClock.now(), sprint.host, sprint.repo);
  const held = told.filter((one) => one.held !== null);
  return held.map((one) => `forge: ${limitWords(one)}`);
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
    load: async () => {
      const now = await loadState(context, sprint_id);
      const { facts, spending } = await accountOfSprint(context, now, systemClock.now());
      const used = spendingWords(spending.sprint);
      const { store } = runtime();
      const away = await awayOf(store, now);
      const forge = [...awayLines({}, away, systemClock.now()), ...heldLines(store, environment, now)];
      return { state: now, paused: await pausedOf(store, sprint_id), facts, used, forge, away };
    },
  });
  return { data: { sprint_id, status: state.status, paused }, text: '', streamed: true };
}
