import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';

import type { CommandEnd } from '@caloron/types';

import { ProcessError } from './errors.ts';
import { codeOf } from './folders.ts';

/** What an ended program's children may still write after it, in milliseconds; they are killed then, and nobody listens any more. */
const STRAGGLER_MS = 500;

/** A program to run to its end. */
export interface Program {
  readonly cmd: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** Its whole environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: string | null;
  readonly timeout_ms: number;
  /** Kept of each stream, in bytes. */
  readonly max_bytes: number;
  readonly signal?: AbortSignal | undefined;
}

/** Keeps the first bytes of a stream and reads on, so that the program never waits for its reader. */
function keep(stream: Readable, max_bytes: number): () => { text: string; cut: boolean } {
  const chunks: Buffer[] = [];
  let size = 0;
  let cut = false;
  stream.on('data', (chunk: Buffer) => {
    const part = chunk.subarray(0, max_bytes - size);
    if (part.length < chunk.length) cut = true;
    if (part.length > 0) chunks.push(part);
    size += part.length;
  });
  return () => ({ text: Buffer.concat(chunks).toString('utf8'), cut });
}

/** SIGKILL to a group; one that is gone is no matter. */
function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Everyone has ended.
  }
}

/**
 * Runs a program in a group of its own until it has ended and its output is read. At the timeout or the signal the whole group
 * is killed. Throws PROCESS_START_FAILED, PROCESS_TIMEOUT or the signal's reason.
 */
export async function runProgram(program: Program): Promise<CommandEnd> {
  const { cmd, args, cwd, env, stdin, timeout_ms, max_bytes, signal } = program;
  signal?.throwIfAborted();
  const started = (cause: unknown): ProcessError =>
    new ProcessError('PROCESS_START_FAILED', { cmd, reason: codeOf(cause) });
  let child;
  try {
    child = spawn(cmd, args, { cwd, env: { ...env }, detached: true, stdio: 'pipe' });
  } catch (cause) {
    // A NUL in an argument, or an empty name; the message holds the arguments.
    throw started(cause);
  }
  const out = keep(child.stdout, max_bytes);
  const err = keep(child.stderr, max_bytes);
  child.stdin.on('error', () => undefined);
  child.stdin.end(stdin ?? '');

  let killed: 'late' | 'stopped' | undefined;
  const kill = (why: 'late' | 'stopped') => (): void => {
    killed ??= why;
    if (child.pid !== undefined) killGroup(child.pid);
  };
  const stop = kill('stopped');
  const timer = setTimeout(kill('late'), timeout_ms);
  signal?.addEventListener('abort', stop, { once: true });
  let straggler: NodeJS.Timeout | undefined;
  try {
    const [exit_code, ended_by] = await new Promise<readonly [number | null, string | null]>(
      (resolve, reject) => {
        child.once('error', (cause) => reject(started(cause)));
        child.once('exit', () => {
          straggler = setTimeout(() => {
            if (child.pid !== undefined) killGroup(child.pid);
            // One that left the group holds the pipes open as long as it likes.
            child.stdout.destroy();
            child.stderr.destroy();
          }, STRAGGLER_MS);
        });
        child.once('close', (code, name) => resolve([code, name]));
      },
    );
    if (killed === 'stopped') signal?.throwIfAborted();
    if (killed === 'late')
      throw new ProcessError('PROCESS_TIMEOUT', { cmd, timeout_ms }, { retryable: true });
    const [stdout, stderr] = [out(), err()];
    const truncated = stdout.cut || stderr.cut;
    return { exit_code, signal: ended_by, stdout: stdout.text, stderr: stderr.text, truncated };
  } finally {
    clearTimeout(timer);
    clearTimeout(straggler);
    signal?.removeEventListener('abort', stop);
  }
}
