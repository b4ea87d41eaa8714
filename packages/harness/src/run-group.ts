import { statSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';

import { groupMembers } from '@caloron/capabilities/process-identity';
import { confinedProgram, findProgram } from '@caloron/capabilities/sandbox';
import { execa } from 'execa';

import { HarnessError } from './errors.ts';

/** Milliseconds between SIGTERM and SIGKILL. */
export const KILL_GRACE_MS = 5000;

/** Milliseconds a dead command's pipes may stay open, held by children that left its group. */
const PIPE_GRACE_MS = 2000;

/** One command in a process group of its own. */
export interface GroupRun {
  readonly argv: readonly string[];
  readonly cwd: string;
  /** The whole environment: nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  /** What it reads on stdin; null closes it, a function gets it to write to for as long as the command runs. */
  readonly stdin: string | null | ((stdin: Writable) => void);
  readonly timeout_ms: number;
  /** Ends the command before its time. */
  readonly signal: AbortSignal;
  readonly onOutput: (text: string, stream: 'stdout' | 'stderr') => void;
}

/** How a command ended. */
export interface GroupExit {
  readonly code: number | null;
  readonly signal: string | null;
  readonly timed_out: boolean;
  readonly stopped: boolean;
}

/**
 * Runs a command to its end, its time limit or the signal; then SIGTERM goes to its whole group, after 5 s SIGKILL. What a
 * command leaves running in its group is ended with it. Throws HARNESS_COMMAND_MISSING.
 */
export async function runGroup(run: GroupRun): Promise<GroupExit> {
  const [command = '', ...args] = run.argv;
  if (!isDirectory(run.cwd)) throw new HarnessError('HARNESS_COMMAND_MISSING', { command, cwd: run.cwd });
  const inside = confinedProgram(run.argv);
  if (inside !== undefined && findProgram(inside, run.env['PATH'], run.cwd) === undefined)
    throw new HarnessError('HARNESS_COMMAND_MISSING', { command: inside, cwd: run.cwd });
  if (run.signal.aborted) return { code: null, signal: null, timed_out: false, stopped: true };

  const child = execa(command, args, {
    cwd: run.cwd,
    env: { ...run.env },
    extendEnv: false,
    detached: true,
    reject: false,
    buffer: false,
    stdout: 'pipe',
    stderr: 'pipe',
    ...stdinOf(run),
  });
  const { pid } = child;
  const settled = child.then((result) => result);
  if (pid === undefined) {
    const { cause } = await settled;
    throw new HarnessError('HARNESS_COMMAND_MISSING', { command, cwd: run.cwd }, { cause });
  }
  if (typeof run.stdin === 'function' && child.stdin !== null) talk(child.stdin, run.stdin);
  listen(child.stdout, (text) => run.onOutput(text, 'stdout'));
  listen(child.stderr, (text) => run.onOutput(text, 'stderr'));

  const ended = new Promise<void>((resolve) => child.nodeChildProcess.once('exit', () => resolve()));
  const cut = await waitFor(ended, run);
  if (cut !== 'ended') await endGroup(pid, ended, inside !== undefined);
  await endGroup(pid, Promise.resolve(), inside !== undefined);

  const result = await Promise.race([settled, delay(PIPE_GRACE_MS, undefined, { ref: false })]);
  if (result === undefined) {
    child.stdout.destroy();
    child.stderr.destroy();
  }
  const { exitCode, signalCode } = child.nodeChildProcess;
  return { code: exitCode, signal: signalCode, timed_out: cut === 'timeout', stopped: cut === 'stopped' };
}

function stdinOf({ stdin }: GroupRun): { stdin: 'ignore' | 'pipe' } | { input: string } {
  if (typeof stdin === 'string') return { input: stdin };
  return { stdin: stdin === null ? 'ignore' : 'pipe' };
}

function talk(stdin: Writable, onStdin: (stdin: Writable) => void): void {
  // A command that ends while it is written to says so by its end.
  stdin.on('error', () => undefined);
  onStdin(stdin);
}

async function waitFor(ended: Promise<void>, run: GroupRun): Promise<'ended' | 'timeout' | 'stopped'> {
  const over = new AbortController();
  const stopped = new Promise<'stopped'>((resolve) => {
    run.signal.addEventListener('abort', () => resolve('stopped'), { once: true, signal: over.signal });
  });
  const timeout = delay(run.timeout_ms, 'timeout' as const, { signal: over.signal }).catch(
    () => 'ended' as const,
  );
  try {
    return await Promise.race([ended.then(() => 'ended' as const), stopped, timeout]);
  } finally {
    over.abort();
  }
}

/**
 * SIGTERM to the group, SIGKILL when the leader or a member is still there after the grace. A sandbox's leader has no grace to
 * give: with it all in the sandbox ends at once. So those inside are asked, and it ends after them.
 */
async function endGroup(pid: number, leader: Promise<void>, confined = false): Promise<void> {
  if (confined) {
    for (const member of groupMembers(pid)) if (member.pid !== pid) signalOne(member.pid);
  } else if (!signalGroup(pid, 'SIGTERM')) return;
  const poll_ms = confined ? 20 : 50;
  for (let waited = 0; waited < KILL_GRACE_MS; waited += poll_ms) {
    // What a sandbox leaves is dead when nobody in it runs: until its new parent has asked for it, it still takes signals.
    if (confined && groupMembers(pid).length === 0) return;
    await delay(poll_ms);
    if (!confined && !signalGroup(pid, 0)) return;
  }
  signalGroup(pid, 'SIGKILL');
  await leader;
}

function signalOne(pid: number): void {
  try {
    process.kill(pid, 'SIGTERM');
  } catch {
    // It has ended meanwhile.
  }
}

/** False when the group has no member left. */
function signalGroup(pid: number, signal: 'SIGTERM' | 'SIGKILL' | 0): boolean {
  try {
    process.kill(-pid, signal);
    return true;
  } catch {
    return false;
  }
}

function listen(stream: NodeJS.ReadableStream, onText: (text: string) => void): void {
  stream.setEncoding('utf8');
  stream.on('data', (chunk: unknown) => onText(String(chunk)));
  // A pipe destroyed after its grace may still report an error; the command's end is known by then.
  stream.on('error', () => undefined);
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
