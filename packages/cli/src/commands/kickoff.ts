import { readFileSync } from 'node:fs';

import { messageOf } from '@caloron/noether/errors';
import { KickoffOutput } from '@caloron/types';
import { Command } from 'commander';

import { mustBeMade, runComposition } from '../composition.ts';
import { idOf, runCommand } from '../context.ts';
import { CliError } from '../errors.ts';
import { checkForgeWords } from '../forge-words.ts';
import { counted, type Io } from '../output.ts';
import { sandboxWarning } from '../sandbox-warning.ts';

interface Options {
  readonly repo: string;
  readonly sprintId?: string;
  readonly numAgents?: string;
  readonly host?: string;
  readonly tokenEnv?: string;
}

function readBrief(brief: string): string {
  if (!brief.startsWith('@')) return brief;
  try {
    return readFileSync(brief.slice(1), 'utf8');
  } catch (error) {
    throw new CliError(
      'CLI_USAGE',
      { problem: `the brief ${brief.slice(1)} cannot be read: ${messageOf(error)}` },
      { cause: error },
    );
  }
}

/** `caloron kickoff BRIEF --repo owner/name`: brief → DAG → issues. */
export function kickoffCommand(io: Io): Command {
  const command = new Command('kickoff')
    .description('turn a brief into a sprint: tasks, their order, an issue each')
    .argument('<brief>', 'what is wanted; @FILE reads it from a file')
    .requiredOption('--repo <owner/name>', 'the repository to work on')
    .option('--sprint-id <id>', 'name of the sprint')
    .option('--num-agents <n>', 'how many authors work at once')
    .option('--host <url>', 'API address of the forge')
    .option('--token-env <name>', 'variable that holds the token')
    .action((brief: string, options: Options) =>
      runCommand(
        command,
        io,
        async (context) => {
          checkForgeWords(options);
          const num_agents = options.numAgents === undefined ? undefined : Number(options.numAgents);
          if (num_agents !== undefined && (!Number.isInteger(num_agents) || num_agents < 1)) {
            throw new CliError('CLI_USAGE', {
              problem: `--num-agents: expected a whole number from 1, got ${options.numAgents ?? ''}`,
            });
          }
          const result = await runComposition(context, 'kickoff', {
            brief: readBrief(brief),
            repo: options.repo,
            ...(options.sprintId === undefined ? {} : { sprint_id: idOf('--sprint-id', options.sprintId) }),
            ...(num_agents === undefined ? {} : { num_agents }),
            ...(options.host === undefined ? {} : { host: options.host }),
            ...(options.tokenEnv === undefined ? {} : { token_env: options.tokenEnv }),
          });
          const output = KickoffOutput.parse(mustBeMade(result, 'kickoff of this home').output);
          const tasks = output.dag.order
            .map((id) => output.dag.tasks[id])
            .filter((task) => task !== undefined);
          const lines = tasks.map(
            ({ id, agent_id, depends_on, title }) =>
              `  ${id.padEnd(20)} ${agent_id.padEnd(9)} ${title}${depends_on.length === 0 ? '' : ` (after ${depends_on.join(', ')})`}`,
          );
          const over = output.already_exists && output.dag.status === 'completed';
          const head = output.already_exists
            ? `sprint ${output.sprint_id} ${over ? 'is over' : 'exists'} already: nothing was changed`
            : `sprint ${output.sprint_id}: ${counted(tasks.length, 'task')} (${output.generator}), ${counted(output.issues_created.length, 'issue')} so far`;
          const lacks = await sandboxWarning(output.dag.sprint, context.environment.variables['PATH']);
          return {
            data: output,
            text: [
              head,
              ...lines,
              ...(lacks === null ? [] : ['', lacks]),
              '',
              over
                ? 'Begin another one: the same command with --sprint-id and a name of its own'
                : `Watch it: ./caloron status${context.home_flag}`,
            ].join('\n'),
          };
        },
        { creates: true, on_interrupt: 'stopping the kickoff; the same command goes on' },
      ),
    );
  return command;
}
