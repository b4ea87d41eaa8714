import { VERSION } from '@caloron/types/version';
import { type Command, CommanderError, Option } from 'commander';

import { CliError } from './errors.ts';
import { exitCodeOf, type Io, type OutputFormat, type Terminal, writeFailure } from './output.ts';

/** A command's name with those above it: `noether stage list`. */
export function fullName(command: Command): string {
  const names: string[] = [];
  for (let at: Command | null = command; at !== null; at = at.parent) names.unshift(at.name());
  return names.join(' ');
}

/** A command whose code is read when it is asked for. */
export interface ListedCommand {
  readonly name: string;
  /** Other words for it. A command with such a list, be it empty, is a word of people: it is known in any case. */
  readonly also?: readonly string[];
  readonly load: () => Promise<(io: Io) => Command>;
}

/** Options of every command that take the next word. */
const WITH_VALUE: readonly string[] = ['--home', '--output'];

/** Where a command line names its command; -1 when it names none. */
function commandAt(argv: readonly string[]): number {
  return argv.findIndex((word, i) => !word.startsWith('-') && !WITH_VALUE.includes(argv[i - 1] ?? ''));
}

/** The command that a command line names first; undefined when it names none, or none of these. */
function namedCommand(argv: readonly string[], listed: readonly ListedCommand[]): ListedCommand | undefined {
  const word = argv[commandAt(argv)];
  return listed.find(({ name }) => name === word);
}

/** A command line with its command's own name, where a person said another word for it. */
export function withOwnName(argv: readonly string[], listed: readonly ListedCommand[]): readonly string[] {
  const at = commandAt(argv);
  const said = argv[at]?.toLowerCase();
  const named = listed.find(
    ({ name, also }) => also !== undefined && said !== undefined && [name, ...also].includes(said),
  );
  return named === undefined ? argv : argv.with(at, named.name);
}

/** The commands a command line may need: the one it names, else all of them, for help, for what is no command, and for the one that tells of all. */
export async function commandsFor(
  argv: readonly string[],
  io: Io,
  listed: readonly ListedCommand[],
): Promise<readonly Command[]> {
  const named = namedCommand(argv, listed);
  const needed = named === undefined || named.name === 'introspect' ? listed : [named];
  return Promise.all(needed.map(async ({ load }) => (await load())(io)));
}

/** Gives a program its commands; every one of them takes `--home` and `--output` and tells its own mistakes. */
export function assemble(program: Command, io: Io, commands: readonly Command[]): Command {
  prepare(program.version(VERSION), io);
  for (const command of commands) {
    program.addCommand(command);
    prepare(command, io);
  }
  return program;
}

function prepare(command: Command, io: Io): void {
  command
    .option('--home <dir>', 'directory that holds .caloron/ (default: the nearest one above)')
    .addOption(
      new Option('--output <format>', 'how to answer (default: text)').choices(['text', 'json', 'table']),
    )
    .configureOutput({ writeOut: io.out, writeErr: io.err, outputError: () => undefined })
    .exitOverride((error) => {
      throw usageError(command, error);
    });
  for (const child of command.commands) prepare(child, io);
}

function usageError(command: Command, error: CommanderError): Error {
  if (error.exitCode === 0) return error;
  const name = fullName(command);
  const asked = error.code === 'commander.help';
  const problem = asked ? 'expected a command' : error.message.replace(/^error: /, '').replaceAll('\n', ' ');
  return new CliError(
    'CLI_USAGE',
    { problem: `${problem} (usage: ${name} ${command.usage()})`, command: name },
    { cause: error, hint: `./${name} --help` },
  );
}

/** A list item as `- [task] …` is text, though commander takes what begins with a dash for an option; a line break in front means the same. */
function asText(word: string): string {
  return /^-\s/.test(word) ? `\n${word}` : word;
}

const isHelp = (error: unknown): boolean =>
  error instanceof CliError && error.cause instanceof CommanderError && error.cause.code === 'commander.help';

/** The format asked for on a command line that could not be parsed. */
function formatOf(argv: readonly string[]): OutputFormat {
  const json = argv.some(
    (word, at) => word === '--output=json' || (word === '--output' && argv[at + 1] === 'json'),
  );
  return json ? 'json' : 'text';
}

/** Runs a command line. What commander refuses is answered like every other failure: exit code 1, and the envelope for `--output json`. */
export async function runProgram(program: Command, argv: readonly string[], io: Io): Promise<void> {
  try {
    await program.parseAsync(argv.map(asText), { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return;
    const named = error instanceof CliError && error.code === 'CLI_USAGE' ? usageCommand(error) : undefined;
    const format = formatOf(argv);
    // The help that commander printed says more than a sentence could.
    if (format === 'json' || !isHelp(error)) writeFailure(io, named ?? program.name(), format, error);
    process.exitCode = exitCodeOf(error);
  }
}

function usageCommand(error: CliError): string | undefined {
  return (error as CliError<'CLI_USAGE'>).details.command;
}

/** A terminal whose size is asked for anew each time: a window is made larger and smaller. */
function terminalOf(stdout: NodeJS.WriteStream): Terminal {
  // It minds NO_COLOR, FORCE_COLOR and TERM=dumb.
  const colours = stdout.hasColors();
  return {
    get columns() {
      return stdout.columns;
    },
    get rows() {
      return stdout.rows;
    },
    colours,
  };
}

/** The streams of this process. A reader that went away, as `| head` does, ends it quietly; an answer that cannot be written is a failure. */
export function processIo(program: string): Io {
  const { stdout } = process;
  const io: Io = {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    ...(stdout.isTTY && { terminal: terminalOf(stdout) }),
  };
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit();
    const hint = 'let it go to another place; what a run did is kept: ./noether runs';
    const failure = new CliError('CLI_OUTPUT_FAILED', { reason: error.message }, { hint });
    writeFailure(io, program, 'text', failure);
    process.exit(exitCodeOf(failure));
  });
  // Nobody is left who could be told.
  process.stderr.on('error', () => undefined);
  return io;
}
