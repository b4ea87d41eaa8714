import { existsSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';

import { systemClock } from '@caloron/capabilities/clock';
import { systemRandom } from '@caloron/capabilities/random';
import { type Environment, readEnvironment } from '@caloron/scheduler/environment';
import type { StagePlace } from '@caloron/scheduler/open-catalog';
import { createRuntime, type Runtime } from '@caloron/scheduler/runtime';
import { StoreError } from '@caloron/store/errors';
import { findHome, type Home } from '@caloron/store/home';
import { ActiveSprint, type DagState, Id, keys, shellWord } from '@caloron/types';
import type { Command } from 'commander';

import { CliError } from './errors.ts';
import {
  type Answer,
  exitCodeOf,
  INTERRUPTED,
  type Io,
  type OutputFormat,
  writeAnswer,
  writeFailure,
} from './output.ts';
import { fullName } from './program.ts';
import { registryStages } from './registry-stages.ts';
import { knownServices } from './services.ts';

/** What every command is given. */
export interface Context {
  readonly io: Io;
  /** Its full name, e.g. `caloron kv get`. */
  readonly command: string;
  readonly home: Home;
  /** What a command in a hint needs to find the same home: ` --home DIR`, or nothing. */
  readonly home_flag: string;
  readonly environment: Environment;
  readonly cwd: string;
  /** Where stages are looked up that are not of this program: the home's stage store, then the registry that was named. */
  readonly stages: readonly StagePlace[];
  /** How it is to answer. */
  readonly format: OutputFormat;
  /** Aborted by Ctrl-C where the command asked for it. */
  readonly signal: AbortSignal;
  /** Opens the database on first use; closed when the command ends. Throws CLI_NO_HOME for a command that only looks. */
  readonly runtime: () => Runtime;
}

/** How a command is run. */
export interface CommandRules {
  /** The command makes `.caloron/` where there is none; others say that there is nothing to look at. */
  readonly creates?: boolean;
  /** What is said on Ctrl-C while the command's own signal ends its work; without it Ctrl-C ends the process at once. */
  readonly on_interrupt?: string;
  /** How it answers where nothing was asked for and no terminal shows it; else in text, as on a terminal. */
  readonly elsewhere?: OutputFormat;
}

interface GlobalOptions {
  readonly home?: string;
  readonly output?: OutputFormat;
  readonly registry?: string;
}

/** Runs one command: opens what it needs, writes its answer or its failure, sets the exit code, closes everything. */
export async function runCommand(
  command: Command,
  io: Io,
  work: (context: Context) => Promise<Answer>,
  { creates = false, on_interrupt, elsewhere = 'text' }: CommandRules = {},
): Promise<void> {
  const options: GlobalOptions = command.optsWithGlobals();
  const format = options.output ?? (io.terminal === undefined ? elsewhere : 'text');
  const name = fullName(command);
  const cwd = process.cwd();
  const home = findHome({ flag: options.home, variables: process.env, cwd });
  const environment = readEnvironment(withShell(process.env, home.dir), home);
  const interrupt = interruption(io, on_interrupt);
  const url = options.registry ?? environment.registry_url;
  const note = (text: string): void => io.err(`${name}: ${text}\n`);
  const stages = [
    home.stage_store,
    ...(url === null ? [] : [registryStages({ url, environment, home, warn: note })]),
  ];
  let opened: Runtime | undefined;
  const runtime = (): Runtime => {
    if (!creates && opened === undefined) requireHome(home, options.home !== undefined, name);
    return (opened ??= createRuntime({
      home,
      environment,
      clock: systemClock,
      random: systemRandom,
      who: 'person',
      stage_store: stages,
      warn: (facts, message) => note(`${message}: ${String(facts['reason'])}`),
    }));
  };
  const home_flag = options.home === undefined ? '' : ` --home ${shellWord(options.home)}`;
  const { signal } = interrupt;
  const context = { io, command: name, home, home_flag, environment, stages, cwd, format, signal, runtime };
  try {
    const answer = await work(context);
    await writeAnswer(io, name, format, answer);
    process.exitCode = answer.exit_code ?? 0;
  } catch (error) {
    // A failure is a sentence unless JSON was asked for: who sends the answer to a file still reads it.
    writeFailure(io, name, options.output ?? 'text', error);
    process.exitCode = exitCodeOf(error);
  } finally {
    opened?.close();
    interrupt.end();
  }
  // A request that was given up on may still be waiting for its answer: the process does not.
  if (interrupt.signal.aborted) process.exit(INTERRUPTED);
}

function requireHome({ dir, db }: Home, named: boolean, command: string): void {
  if (existsSync(join(dir, '.caloron')) || existsSync(db)) return;
  const makes = command.startsWith('noether ')
    ? './noether run GRAPH --input JSON'
    : './caloron init --repo owner/name';
  throw new CliError(
    'CLI_NO_HOME',
    { dir, named },
    { hint: `${makes} makes one; --home DIR names another directory` },
  );
}

/** Ctrl-C, the system's wish, and a terminal that is closed: none leaves behind what a run has started. */
const STOPPING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** A signal that Ctrl-C aborts, where something is said then. */
function interruption(
  io: Io,
  said: string | undefined,
): { readonly signal: AbortSignal; readonly end: () => void } {
  const control = new AbortController();
  if (said === undefined) return { signal: control.signal, end: () => undefined };
  const stop = (): void => {
    if (control.signal.aborted) return;
    io.err(`\ninterrupted: ${said}\n`);
    control.abort(new Error('interrupted'));
  };
  for (const name of STOPPING) process.on(name, stop);
  return {
    signal: control.signal,
    end: () => {
      for (const name of STOPPING) process.removeListener(name, stop);
    },
  };
}

/** Who a command is run by, as logs and events name them. */
export function person({ environment }: Context): string {
  const name = environment.variables['USER'] ?? '';
  return name === '' ? 'cli' : name.slice(0, 200);
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

/** The sprint a command speaks of: the named one, else the active one. Throws CLI_USAGE, CLI_NO_SPRINT, STORE_VALUE_INVALID. */
export async function sprintId(context: Context, named: string | undefined): Promise<string> {
  if (named !== undefined) return idOf('--sprint', named);
  const key = keys.activeSprint;
  const found = await context.runtime().store.kv.get(key);
  if (found === undefined) {
    const { dir } = context.home;
    throw new CliError('CLI_NO_SPRINT', { home: dir }, { hint: demoHint(context) ?? START_ONE });
  }
  const parsed = ActiveSprint.safeParse(found.value);
  if (parsed.success) return parsed.data.sprint_id;
  const issues = parsed.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`.trim());
  throw new StoreError('STORE_VALUE_INVALID', { key, issues });
}

const START_ONE = './caloron kickoff "…" --repo owner/name, or ./caloron demo';

/** Where the newest demo below a directory that has no sprint of its own can be looked at. */
function demoHint({ home, cwd, command }: Context): string | undefined {
  const dir = join(home.dir, '.caloron', 'demo');
  const newest = existsSync(dir) ? readdirSync(dir).toSorted().at(-1) : undefined;
  if (newest === undefined) return undefined;
  return `${START_ONE}; the last demo: ./${command} --home ${shellWord(relative(cwd, join(dir, newest)))}`;
}

/** An id as a person typed it; throws CLI_USAGE for what can be none, as `../x`. */
export function idOf(option: string, text: string): string {
  const parsed = Id.safeParse(text);
  if (parsed.success) return parsed.data;
  throw new CliError(
    'CLI_USAGE',
    { problem: `${option} ${JSON.stringify(text)}: ${parsed.error.issues[0]?.message ?? 'not an id'}` },
    { hint: './caloron history lists the sprints, ./caloron status the tasks' },
  );
}

/** A sprint's state; throws SPRINT_UNKNOWN. */
export async function loadState(context: Context, sprint_id: string): Promise<DagState> {
  const { state } = context.runtime().store.forRun({ run_id: 'cli', lease: null });
  return (await state.load(sprint_id)).state;
}

/** CLI_TASK_UNKNOWN with the tasks there are. */
export function unknownTask(task: string, { sprint_id: sprint, order }: DagState): CliError {
  const hint = './caloron status shows the tasks; --sprint ID names another sprint';
  return new CliError('CLI_TASK_UNKNOWN', { task, sprint, known: order }, { hint });
}
