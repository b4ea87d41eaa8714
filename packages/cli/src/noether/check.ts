import { resolve } from 'node:path';

import type { CheckProblem, CheckReport, Json } from '@caloron/noether';
import { CodedError, codeOf, messageOf } from '@caloron/noether/errors';
import { openCatalog } from '@caloron/scheduler/open-catalog';
import { check, loadGraph } from '@caloron/scheduler/runtime';
import { shellWord } from '@caloron/types';
import { Command } from 'commander';

import { grantHint, listed, refusalHint } from '../composition.ts';
import { type Context, runCommand } from '../context.ts';
import { CliError, type RunProblem } from '../errors.ts';
import type { Answer, Io } from '../output.ts';
import { readInput } from '../read-input.ts';
import { showReport } from './report.ts';
import { type RuleOptions, rulesOf, withPolicyOptions } from './rules.ts';

/** What a graph is checked against. */
export interface CheckRequest {
  readonly input: Json | undefined;
  readonly rules: RuleOptions;
}

interface Options extends RuleOptions {
  readonly input?: string;
  readonly verbose?: boolean;
}

/** `noether check GRAPH…`: types, effects, plan and cost; runs nothing and opens nothing. */
export function checkCommand(io: Io): Command {
  const command = withPolicyOptions(
    new Command('check')
      .description('check graphs: types, effects, plan and cost; nothing is run')
      .argument('<graphs...>', 'paths of graphs')
      .option('--input <json>', 'check this input too: JSON, @FILE or - for standard input')
      .option('--verbose', 'every warning with its place, and types in full'),
  ).action((paths: readonly string[], options: Options) =>
    runCommand(command, io, async (context) => {
      const input = options.input === undefined ? undefined : readInput(options.input);
      const view = { verbose: options.verbose === true, columns: context.io.terminal?.columns };
      const request = { input, rules: options };
      const [only] = paths;
      if (only !== undefined && paths.length === 1) {
        const report = await checkFile(context, only, request);
        return { data: report, text: showReport(`${only} type-checks`, report, view) };
      }
      return checkAll(context, paths, request, (path, report) =>
        showReport(`${path} type-checks`, report, view),
      );
    }),
  );
  return command;
}

/** The report of a graph that type-checks. Throws CLI_RUN_REFUSED with every problem, GRAPH_INVALID, SCHEDULER_GRAPH_MISSING or CLI_USAGE. */
export async function checkFile(
  { cwd, stages }: Context,
  path: string,
  { input, rules }: CheckRequest,
): Promise<CheckReport> {
  const { policy, budget_cents } = rulesOf(rules);
  const graph = loadGraph(resolve(cwd, path));
  const report = check(graph, await openCatalog(graph, stages), {
    ...(input !== undefined && { input }),
    ...(policy && { policy }),
    ...(budget_cents !== undefined && { budget_cents }),
  });
  if (!report.ok) throw refusal(path, report.problems);
  return report;
}

function refusal(path: string, problems: readonly CheckProblem[]): CliError {
  const code = problems.length === 1 ? problems[0]?.code : undefined;
  const grant = grantHint(problems);
  return new CliError(
    'CLI_RUN_REFUSED',
    {
      code: code ?? 'GRAPH_REFUSED',
      message: `${path} ${grant === undefined ? 'does not type-check' : 'may not run'}: ${listed(problems)}`,
      run_id: null,
      path: problems[0]?.path ?? null,
      problems,
    },
    {
      hint:
        refusalHint(problems, path) ??
        './noether stage list, ./noether stage get STAGE show what stages take and give',
    },
  );
}

/** All graphs, also when some are wrong. Throws CLI_RUN_REFUSED with the problems of each that is. */
async function checkAll(
  context: Context,
  paths: readonly string[],
  request: CheckRequest,
  show: (path: string, report: CheckReport) => string,
): Promise<Answer> {
  const right: { readonly graph: string; readonly report: CheckReport }[] = [];
  const wrong: { readonly graph: string; readonly error: unknown }[] = [];
  for (const graph of paths) {
    try {
      right.push({ graph, report: await checkFile(context, graph, request) });
    } catch (error) {
      if (!(error instanceof CodedError) || codeOf(error) === 'CLI_USAGE') throw error;
      wrong.push({ graph, error });
    }
  }
  if (wrong.length > 0) throw refusalOfSome(wrong, paths.length);
  const texts = right.map(({ graph, report }) => show(graph, report));
  return {
    data: right.map(({ graph, report }) => ({ graph, ...report })),
    text: [...texts, `${paths.length} graphs type-check`].join('\n\n'),
  };
}

function refusalOfSome(
  wrong: readonly { readonly graph: string; readonly error: unknown }[],
  all: number,
): CliError {
  const said = wrong.map(({ error }) => `\n${messageOf(error)} [${problemOf(error)?.code ?? codeOf(error)}]`);
  const problems = wrong.flatMap(({ graph, error }) =>
    (problemOf(error)?.problems ?? []).map((problem) => ({ ...problem, graph })),
  );
  const message = `${wrong.length} of ${all} graphs ${wrong.length === 1 ? 'is' : 'are'} refused:${said.join('')}`;
  return new CliError(
    'CLI_RUN_REFUSED',
    { code: 'GRAPH_REFUSED', message, run_id: null, path: null, problems },
    { hint: `./noether check ${shellWord(wrong[0]?.graph ?? '')} checks one alone` },
  );
}

function problemOf(error: unknown): RunProblem | undefined {
  return error instanceof CliError && error.code === 'CLI_RUN_REFUSED'
    ? (error as CliError<'CLI_RUN_REFUSED'>).details
    : undefined;
}
