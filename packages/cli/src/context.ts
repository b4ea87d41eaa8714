import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

import { systemClock } from '@caloron/capabilities/clock';
import { systemRandom } from '@caloron/capabilities/random';
import type { Json, RunResult } from '@caloron/noether';
import { messageOf } from '@caloron/noether/errors';
import {
  createRuntime,
  type Environment,
  findHome,
  type Home,
  loadGraph,
  readEnvironment,
  type Runtime,
} from '@caloron/scheduler';
import { ActiveSprint, type DagState, keys } from '@caloron/types';
import type { Command } from 'commander';

import { CliError } from './errors.ts';
import { PRODUCT_ROOT } from './product.ts';
import { knownServices } from './services.ts';
import { type Answer, exitCodeOf, type Io, type OutputFormat, writeAnswer, writeFailure } from './output.ts';

/** What every command is given. */
export interface Context {
  readonly io: Io;
  readonly home: Home;
  readonly environment: Environment;
  readonly format: OutputFormat;
  readonly cwd: string;
  /** Opens the database on first use; closed when the command ends. */
  readonly runtime: () => Runtime;
}

interface GlobalOptions {
  readonly home?: string;
  readonly output?: OutputFormat;
}

/** Runs one command: opens what it needs, writes its answer or its failure, sets the exit code, closes everything. */
export async function runCommand(
  command: Command,
  io: Io,
  work: (context: Context) => Promise<Answer>,
): Promise<void> {
  const options: GlobalOptions = command.optsWithGlobals();
  const format = options.output ?? 'text';
  const name = fullName(command);
  const cwd = process.cwd();
  const home = findHome({ flag: options.home, variables: process.env, cwd });
  const environment = readEnvironment(withShell(process.env, home.dir), home);
  let opened: Runtime | undefined;
  const runtime = (): Runtime =>
    (opened ??= createRuntime({ home, environment, clock: systemClock, random: systemRandom }));
  try {
    const answer = await work({ io, home, environment, format, cwd, runtime });
    writeAnswer(io, name, format, answer);
    process.exitCode = answer.exit_code ?? 0;
  } catch (error) {
    writeFailure(io, name, format, error);
    process.exitCode = exitCodeOf(error);
  } finally {
    opened?.close();
  }
}

/** The variables with the address of the shell that `up` started for this home, unless one is named. */
function withShell(
  variables: Readonly<Record<string, string | undefined>>,
  home: string,
): Readonly<Record<string, string | undefined>> {
  if (variables['CALORON_SHELL_URL'] !== undefined || variables['CALORON_SHELL_PORT'] !== undefined)
    return variables;
  const shell = knownServices(home).find(({ name }) => name === 'caloron-shell');
  return shell === undefined ? variables : { ...variables, CALORON_SHELL_URL: shell.url };
}

function fullName(command: Command): string {
  const names: string[] = [];
  for (let at: Command | null = command; at !== null; at = at.parent) names.unshift(at.name());
  return names.join(' ');
}

/** The path of one of the product's compositions. */
export function compositionPath(name: string): string {
  return resolve(PRODUCT_ROOT, 'compositions', `${name}.json`);
}

/** Runs a composition of the product; a refusal or failure is thrown as CLI_RUN_REFUSED or CLI_RUN_FAILED. */
export async function runComposition(
  context: Context,
  name: string,
  input: Json,
): Promise<Extract<RunResult, { ok: true }>> {
  const path = compositionPath(name);
  return mustRun(
    await context
      .runtime()
      .run({ graph: loadGraph(path), graph_name: path, input, labels: { command: name } }),
  );
}

/** Gives a run that went well; throws one that did not, with every problem and its place. */
export function mustRun(result: RunResult): Extract<RunResult, { ok: true }> {
  if (result.ok) return result;
  const { code, message, path, hint, problems } = result.error;
  const place = path === null ? '' : `${path}: `;
  const details =
    problems === undefined || problems.length === 0
      ? `${place}${message}`
      : problems.map((p) => `${p.path}: ${p.message}`).join('\n  ');
  const next =
    hint ?? (result.status === 'failed' ? `./noether trace ${result.run_id.slice(0, 8)}` : undefined);
  throw new CliError(
    result.status === 'refused' ? 'CLI_RUN_REFUSED' : 'CLI_RUN_FAILED',
    { code, message: `${details} [${code}]` },
    next === undefined ? {} : { hint: next },
  );
}

/** The sprint a command speaks of: the named one, else the active one. Throws CLI_NO_SPRINT. */
export async function sprintId(context: Context, named: string | undefined): Promise<string> {
  if (named !== undefined) return named;
  const found = await context.runtime().store.kv.get(keys.activeSprint);
  if (found !== undefined) return ActiveSprint.parse(found.value).sprint_id;
  throw new CliError(
    'CLI_NO_SPRINT',
    { home: context.home.dir },
    { hint: 'start one: ./caloron kickoff "…" --repo owner/name, or see ./caloron demo' },
  );
}

/** A sprint's state; throws SPRINT_UNKNOWN. */
export async function loadState(context: Context, sprint_id: string): Promise<DagState> {
  const { state } = context.runtime().store.forRun({ run_id: 'cli', lease: null });
  return (await state.load(sprint_id)).state;
}

/** Reads `--input`: JSON text, or `@FILE`, or `-` for standard input. */
export function readInput(text: string | undefined): Json {
  if (text === undefined) return {};
  const source =
    text === '-'
      ? readFileSync(0, 'utf8')
      : text.startsWith('@')
        ? readFileSync(text.slice(1), 'utf8')
        : text;
  try {
    return JSON.parse(source) as Json;
  } catch (error) {
    throw new CliError(
      'CLI_INPUT_INVALID',
      { reason: messageOf(error) },
      { hint: `quote it for the shell: --input '{"sprint_id":"my-sprint","repo":"owner/name"}'` },
    );
  }
}
