import { resolve } from 'node:path';

import type { CheckProblem, Json, RunResult } from '@caloron/noether';
import { loadGraph, type RunRules } from '@caloron/scheduler/runtime';
import { shellWord } from '@caloron/types';

import type { Context } from './context.ts';
import { CliError } from './errors.ts';
import { PRODUCT_ROOT } from './product.ts';

type RunFailure = Extract<RunResult, { ok: false }>['error'];

/** A run that has an output. */
export type RunOutput = Extract<RunResult, { ok: true }>;

/** The path of one of the product's compositions. */
export function compositionPath(name: string): string {
  return resolve(PRODUCT_ROOT, 'compositions', `${name}.json`);
}

/** Runs a composition of the product; a refusal or failure is thrown as CLI_RUN_REFUSED or CLI_RUN_FAILED. */
export async function runComposition(context: Context, name: string, input: Json): Promise<RunOutput> {
  return runFile(context, compositionPath(name), input, {}, false);
}

/** Gives a run that was made; throws CLI_BUSY for one that found the lease of its graph taken, and has no output of its graph. */
export function mustBeMade(run: RunOutput, what: string): RunOutput {
  if (run.status !== 'skipped') return run;
  throw new CliError('CLI_BUSY', { what }, { hint: 'give this command again then', retryable: true });
}

/** Runs a graph file; throws as {@link runComposition} does, and with the node it happened at where `places` is not false. */
export async function runFile(
  context: Context,
  path: string,
  input: Json,
  rules: RunRules = {},
  places = true,
): Promise<RunOutput> {
  const { runtime, signal, command, home_flag } = context;
  const graph = loadGraph(path);
  const labels = { command };
  const result = await runtime().run({ graph, graph_name: path, input, rules, labels, signal });
  return mustRun(result, { graph: path, home_flag, places });
}

/** What to do about a failure that brings no advice of its own. */
const ADVICE: Readonly<Record<string, string>> = {
  FORGE_UNAVAILABLE:
    'see that the forge is up and its address right, then repeat the command: nothing is lost',
  STAGE_CREDENTIAL_MISSING:
    'export the variable of that name, and name it in CALORON_TOKEN_ENVS, the comma list of those that may be sent',
};

/**
 * Gives a run that went well; throws one that did not, with every problem, its place and the next command. What a stage said itself comes
 * before its place, and without it where `places` is false: who uses the product's own graphs need not know them.
 */
export function mustRun(
  result: RunResult,
  at: { readonly graph: string; readonly home_flag: string; readonly places?: boolean },
): RunOutput {
  if (result.ok) return result;
  const { graph, home_flag, places = true } = at;
  const { run_id, error, status } = result;
  const { code, path, hint, problems = [] } = error;
  const given = status === 'refused' || code === 'STAGE_INPUT_INVALID';
  const next = given
    ? (refusalHint(problems, graph) ?? `./noether check ${shellWord(graph)}`)
    : `./noether trace ${run_id.slice(0, 8)}${home_flag}`;
  const said = problems.length > 0 ? listed(problems) : sentence(error, places);
  throw new CliError(
    status === 'refused' ? 'CLI_RUN_REFUSED' : 'CLI_RUN_FAILED',
    { code, run_id, path, message: said, ...(problems.length > 0 && { problems }) },
    { hint: hint ?? ADVICE[code] ?? next },
  );
}

/** What grants what a policy refuses; undefined where more than a policy is in the way. */
export function grantHint(problems: readonly CheckProblem[]): string | undefined {
  const refused = problems.length > 0 && problems.every(({ code }) => code === 'GRAPH_POLICY_REFUSED');
  return refused
    ? 'grant it with --allow-effects, --allow-capabilities or --allow-hosts, or in the policy of the graph'
    : undefined;
}

/** What helps against the problems of a graph where that is known; undefined where they are of several kinds, or lie in its nodes. */
export function refusalHint(problems: readonly CheckProblem[], graph: string): string | undefined {
  if (problems.some(({ code }) => code === 'GRAPH_POLICY_INVALID'))
    return 'correct the word in --allow-effects or --allow-hosts, or in the policy of the graph';
  if (problems.length > 0 && problems.every(({ code }) => code === 'GRAPH_INPUT_INVALID'))
    return `./noether check ${shellWord(graph)} shows the input it takes`;
  return grantHint(problems);
}

function sentence({ path, message, said }: RunFailure, places: boolean): string {
  if (said === undefined) return placed(path, message);
  return path === null || !places ? said : `${said} (at ${path})`;
}

/** A message with its place in front, once. */
export function placed(path: string | null, message: string): string {
  if (path === null) return message;
  let said = message;
  while (said.startsWith(`${path}: `)) said = said.slice(path.length + 2);
  return `${path}: ${said}`;
}

/** One problem of a graph as a sentence; several one a line, each with its code. */
export function listed(problems: readonly CheckProblem[]): string {
  const [only] = problems;
  if (only !== undefined && problems.length === 1) return placed(only.path, only.message);
  const lines = problems.map(({ path, code, message }) => `\n  ${placed(path, message)} [${code}]`);
  return `the graph has ${problems.length} problems:${lines.join('')}`;
}
