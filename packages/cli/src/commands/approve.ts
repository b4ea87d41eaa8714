import {
  AmountKind,
  type Amounts,
  amountsOf,
  BudgetLimit,
  type DagState,
  overWords,
  ownOf,
} from '@caloron/types';
import { Command } from 'commander';

import { type Context, loadState, runCommand, sprintId, unknownTask } from '../context.ts';
import { CliError } from '../errors.ts';
import type { Answer, Io } from '../output.ts';
import { say } from '../person-word.ts';

interface ApproveOptions {
  readonly sprint?: string | boolean;
  readonly tokens?: string;
  readonly usd?: string;
  readonly minutes?: string;
}

/** What is asked and what it is asked about. */
interface Asked {
  readonly scope: 'task' | 'sprint';
  readonly breach: NonNullable<NonNullable<DagState['budget']>['breach']>;
}

/** `caloron approve TASK | --sprint`: lets a task, or the sprint, use more than the limit it has used up. */
export function approveCommand(io: Io): Command {
  const command = new Command('approve')
    .description('let a task or the sprint go on that has used up its budget')
    .argument('[task]', 'id of the task; none with --sprint')
    .option(
      '--sprint [id]',
      'with a task: its sprint (default: the active one); without: raise the limit of the sprint itself',
    )
    .option('--tokens <n>', 'so many tokens more (default: as many as the limit was)')
    .option('--usd <x>', 'so many US dollars more')
    .option('--minutes <m>', 'so many minutes of running agents more')
    .action((task_id: string | undefined, options: ApproveOptions) =>
      runCommand(command, io, (context) => approve(context, task_id, options)),
    );
  return command;
}

async function approve(
  context: Context,
  task_id: string | undefined,
  options: ApproveOptions,
): Promise<Answer> {
  if (task_id === undefined && options.sprint === undefined)
    throw new CliError(
      'CLI_USAGE',
      { problem: 'name the task that may go on, or say --sprint for the sprint' },
      { hint: `./caloron status${context.home_flag} lists the tasks` },
    );
  const more = moreOf(options);
  const named = typeof options.sprint === 'string' ? options.sprint : undefined;
  const sprint_id = await sprintId(context, named);
  const state = await loadState(context, sprint_id);
  const { scope, breach } = askedOf(context, state, task_id);
  const { seq } = await say(context, sprint_id, {
    task_id: breach.task_id,
    word: 'approve',
    approval: { scope, n: breach.n, more },
  });
  const whose = scope === 'sprint' ? `sprint ${sprint_id}` : breach.task_id;
  const over = breach.over.map(overWords).join(', ');
  return {
    data: { sprint_id, task_id: scope === 'task' ? breach.task_id : null, scope, breach, more, seq },
    text: `${whose}: approved (${over}). The next tick lets it go on.`,
  };
}

function askedOf(context: Context, state: DagState, task_id: string | undefined): Asked {
  const task = task_id === undefined ? undefined : ownOf(state.tasks, task_id);
  if (task_id !== undefined && task === undefined) throw unknownTask(task_id, state);
  const of_sprint = state.budget?.breach ?? null;
  const breach = task === undefined ? of_sprint : (task.budget?.breach ?? null);
  if (breach !== null) return { scope: task === undefined ? 'sprint' : 'task', breach };
  const whose = task === undefined ? `sprint ${state.sprint_id}` : `task ${task.id}`;
  const hint =
    task !== undefined && of_sprint !== null
      ? `the sprint is: ./caloron approve --sprint${context.home_flag}`
      : `./caloron status${context.home_flag} tells what is waited for`;
  throw new CliError('CLI_USAGE', { problem: `no approval is asked for ${whose}` }, { hint });
}

/** The amounts of the options. Throws CLI_USAGE. */
function moreOf({ tokens, usd, minutes }: ApproveOptions): Amounts {
  const given = { tokens, cost_usd: usd, minutes };
  const numbers = Object.entries(given).flatMap(([name, text]) =>
    text === undefined
      ? []
      : [[name, /^\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : Number.NaN] as const],
  );
  const parsed = BudgetLimit.safeParse(Object.fromEntries(numbers));
  if (parsed.success) return amountsOf(parsed.data);
  const at = String(parsed.error.issues[0]?.path[0] ?? '');
  const option = at === 'cost_usd' ? '--usd' : `--${at}`;
  const text = at === 'cost_usd' ? usd : at === 'tokens' ? tokens : minutes;
  const kinds = {
    tokens: 'a whole number from 1 to 10^12',
    cost_usd: 'US dollars from 0.000001 to 1000000',
    minutes: 'minutes from 0.001 to 5256000',
  };
  const expected = ownOf(kinds, at) ?? `one of ${AmountKind.options.join(', ')}`;
  throw new CliError('CLI_USAGE', { problem: `${option} ${text ?? ''}: expected ${expected}` });
}
