import { createHash } from 'node:crypto';
import { performance } from 'node:perf_hooks';

import type { Receipt } from '@caloron/types';

import { runGroup } from './run-group.ts';

/** Lines and bytes of a command's output that a receipt keeps. */
const TAIL_LINES = 60;
const TAIL_BYTES = 4096;

/** How commands are verified. */
export interface VerifyRun {
  readonly commands: readonly (readonly string[])[];
  readonly worktree: string;
  readonly head_sha: string;
  /** Without tokens and keys. */
  readonly env: Readonly<Record<string, string>>;
  /** For all commands together. */
  readonly timeout_ms: number;
  readonly signal: AbortSignal;
  readonly onOutput: (text: string) => void;
}

/** What the commands proved: a receipt each, up to the first that failed. */
export interface Verified {
  readonly receipts: readonly Receipt[];
  readonly failed: Receipt | null;
}

/** Exit codes for what has none, as a shell and `timeout` give them. */
const NOT_FOUND = 127;
const TIMED_OUT = 124;
const KILLED = 137;

/** Runs each command without a shell, one after the other, until one fails. */
export async function verify(run: VerifyRun): Promise<Verified> {
  const started = performance.now();
  const receipts: Receipt[] = [];
  for (const command of run.commands) {
    const left_ms = run.timeout_ms - (performance.now() - started);
    const receipt = await verifyOne(run, command, Math.max(1, left_ms));
    receipts.push(receipt);
    if (receipt.exit_code !== 0) return { receipts, failed: receipt };
    if (run.signal.aborted) break;
  }
  return { receipts, failed: null };
}

async function verifyOne(run: VerifyRun, command: readonly string[], timeout_ms: number): Promise<Receipt> {
  const started = performance.now();
  const hash = createHash('sha256');
  let tail = '';
  const take = (text: string): void => {
    hash.update(text);
    tail = tailOf(tail + text);
    run.onOutput(text);
  };
  take(`$ ${command.join(' ')}\n`);
  const exit_code = await runGroup({
    argv: command,
    cwd: run.worktree,
    env: run.env,
    stdin: null,
    timeout_ms,
    signal: run.signal,
    onOutput: take,
  }).then(
    (exit) => {
      if (exit.timed_out) take(`\nended after ${Math.round(timeout_ms)} ms without a result\n`);
      return exit.timed_out ? TIMED_OUT : (exit.code ?? KILLED);
    },
    (error: unknown) => {
      take(`${error instanceof Error ? error.message : String(error)}\n`);
      return NOT_FOUND;
    },
  );
  return {
    commit: run.head_sha,
    command: [...command],
    exit_code,
    duration_ms: Math.round(performance.now() - started),
    log_sha256: hash.digest('hex'),
    tail,
  };
}

/** The end of a text: at most 60 lines and 4 kB, cut at a line where there is one. */
export function tailOf(text: string): string {
  const lines = text.split('\n');
  const last = lines.slice(-TAIL_LINES - (lines.at(-1) === '' ? 1 : 0)).join('\n');
  const bytes = Buffer.from(last, 'utf8');
  if (bytes.length <= TAIL_BYTES) return last;
  const cut = bytes.subarray(-TAIL_BYTES).toString('utf8');
  const line = cut.indexOf('\n');
  return line < 0 ? cut.replace(/^\uFFFD+/, '') : cut.slice(line + 1);
}
