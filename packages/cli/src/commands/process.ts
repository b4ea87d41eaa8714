import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { createShells } from '@caloron/capabilities/shell';
import type { ProcessRow } from '@caloron/types';
import { Command, InvalidArgumentError } from 'commander';

import { type Context, person, runCommand } from '../context.ts';
import { CliError } from '../errors.ts';
import { openLogChain } from '../log-chain.ts';
import { followLog } from '../log-follow.ts';
import { harmless, readLines } from '../log-text.ts';
import type { Answer, Io } from '../output.ts';
import { keptLines } from '../sprint-pause.ts';

/** A stopped agent has this long to end by itself. */
const GRACE_MS = 10_000;

/** The latest process of an agent, or the one whose id begins so; an agent's name goes before. */
function find({ runtime, home_flag }: Context, id: string): ProcessRow {
  const rows = runtime().store.processes.list();
  const found =
    rows.findLast(({ agent_id }) => agent_id === id) ??
    (id === '' ? undefined : rows.findLast(({ process_id }) => process_id.startsWith(id)));
  if (found !== undefined) return found;
  throw new CliError(
    'CLI_NOT_FOUND',
    { what: 'agent or process', id: JSON.stringify(id) },
    { hint: `./caloron agents${home_flag} lists them` },
  );
}

interface LogOptions {
  readonly follow?: boolean;
  readonly tail?: number;
}

function lineCount(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('expected a number of lines');
}

/** `caloron logs AGENT`: what an agent's latest process printed, and with `--follow` what it prints until it ends. */
export function logsCommand(io: Io): Command {
  const command = new Command('logs')
    .description('what an agent printed')
    .argument('<agent>', 'agent id or process id')
    .option('-f, --follow', 'go on until the agent ends; Ctrl-C leaves it at work')
    .option('-n, --tail <lines>', 'only the last lines of what is there', lineCount)
    .action((id: string, options: LogOptions) =>
      options.follow === true
        ? runCommand(command, io, (context) => follow(context, find(context, id), options), {
            on_interrupt: 'the agent goes on',
          })
        : runCommand(command, io, (context) => Promise.resolve(printed(context, find(context, id), options))),
    );
  return command;
}

function shown(io: Io, line: string): string {
  return io.terminal === undefined ? line : harmless(line, io.terminal.colours);
}

function lastOf(lines: readonly string[], count: number): readonly string[] {
  return count === 0 ? [] : lines.slice(-count);
}

function printed({ io, home_flag }: Context, row: ProcessRow, options: LogOptions): Answer {
  const { process_id, log_file } = row;
  if (!existsSync(log_file)) throw noLog(row, home_flag);
  const parts: Buffer[] = [];
  const chain = openLogChain(log_file);
  chain.read((bytes) => parts.push(bytes));
  chain.close();
  const all = Buffer.concat(parts).toString('utf8');
  const text = options.tail === undefined ? all : lastOf(all.trimEnd().split('\n'), options.tail).join('\n');
  return { data: { process_id, log_file, text }, text: shown(io, text).trimEnd() };
}

function noLog({ log_file, process_id, state, agent_id }: ProcessRow, home_flag: string): CliError {
  const harness = join(dirname(log_file), '..', 'agents', process_id, 'harness.log');
  const hint =
    state === 'running' || state === 'spawning'
      ? `it has said nothing yet; ./caloron logs -f ${agent_id}${home_flag} waits for it`
      : `it ended before it said anything; its harness's own log: ${harness}`;
  return new CliError('CLI_NOT_FOUND', { what: 'log', id: log_file }, { hint });
}

async function follow(
  { io, runtime, signal, format, command, home_flag }: Context,
  first: ProcessRow,
  { tail }: LogOptions,
): Promise<Answer> {
  const { process_id, log_file, agent_id } = first;
  const json = format === 'json';
  const print = (line: string): void =>
    io.out(json ? `${JSON.stringify({ process_id, line })}\n` : `${shown(io, line)}\n`);
  /** What was there before, of which only the end is shown. */
  let early: string[] | undefined = tail === undefined ? undefined : [];
  const reader = readLines((line) => (early === undefined ? print(line) : void early.push(line)));
  const { row, ended } = await followLog(first, {
    processes: runtime().store.processes,
    signal,
    take: (bytes) => reader.push(bytes),
    onCaughtUp: () => {
      for (const line of lastOf(early ?? [], tail ?? 0)) print(line);
      early = undefined;
    },
    onLost: () => io.err(`${command}: some of it was rotated away before it could be read\n`),
  });
  reader.end();
  if (ended && !json) {
    io.err(`${agent_id} (process ${process_id.slice(0, 8)}) ${howItEnded(row)}\n`);
    // It may be started anew, as another process with a log of its own.
    const { task_id, sprint_id } = row;
    io.err(`  next: ./caloron show ${task_id} --sprint ${sprint_id}${home_flag}\n`);
  }
  const data = { process_id, log_file, ended, state: row.state, exit: row.exit };
  return { data, text: '', streamed: true };
}

function howItEnded({ exit, state }: ProcessRow): string {
  if (exit === null)
    return state === 'spawning' ? 'was never started' : 'ended; no shell was there to see how';
  if (!exit.known) return 'ended; nobody saw how';
  return exit.signal === null ? `ended with exit code ${exit.code ?? '?'}` : `was ended by ${exit.signal}`;
}

/** `caloron stop AGENT`: ends an agent; what it had not committed is kept. */
export function stopCommand(io: Io): Command {
  const command = new Command('stop')
    .description('end an agent; its uncommitted work is kept')
    .argument('<agent>', 'agent id or process id')
    .action((id: string) =>
      runCommand(command, io, async (context) => {
        const { environment } = context;
        const { process_id, agent_id, worktree, state } = find(context, id);
        const ended = state === 'exited' || state === 'lost';
        const shell = createShells({
          url: environment.shell_url,
          token: environment.shell_token,
          db_id: context.runtime().store.db_id,
        }).open(null);
        const answer = await shell.stop({
          process_id,
          grace_ms: GRACE_MS,
          reason: `stopped by ${person(context)}`,
        });
        const { exit, wip_ref, wip_before_ref = null, wip_error = null } = answer;
        const kept = { wip_ref, wip_before_ref, wip_error };
        const said = ended
          ? `had ended already; what it left: ./caloron wip list${context.home_flag}`
          : `ended; ${keptLines(kept, worktree, context.home_flag).join('\n')}`;
        return { data: { process_id, exit, ...kept }, text: `${agent_id} ${said}` };
      }),
    );
  return command;
}
