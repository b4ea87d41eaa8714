import { createHash } from 'node:crypto';
import { performance } from 'node:perf_hooks';

import type { Receipt, Timestamp } from '@caloron/types';

import { HarnessError } from './errors.ts';
import { type ExactTree, listed } from './exact-tree.ts';

import { runGroup } from './run-group.ts';

/** Lines and bytes of a command's output that a receipt keeps. */
const TAIL_LINES = 60;
const TAIL_BYTES = 4096;

/** How commands are verified. */
export interface VerifyRun {
  readonly commands: readonly (readonly string[])[];
  readonly worktree: string;
  /** The command line that runs another one in the agent's sandbox. */
  readonly confine: (argv: readonly string[]) => readonly string[];
  readonly head_sha: string;
  /** Without tokens and keys. */
  readonly env: Readonly<Record<string, string>>;
  /** What the commands run on. */
  readonly tree: ExactTree;
  readonly now: () => Timestamp;
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

/**
 * Runs each command without a shell, one after the other, until one fails. Before the first one the worktree has to be exactly the
 * commit, else nothing is run: HARNESS_TREE_NOT_EXACT. A command that changes it has a void receipt and counts as failed.
 */
export async function verify(run: VerifyRun): Promise<Verified> {
  const started = performance.now();
  const receipts: Receipt[] = [];
  if (run.commands.length > 0) await assertExact(run);
  for (const command of run.commands) {
    const left_ms = run.timeout_ms - (performance.now() - started);
    const ran = await verifyOne(run, command, Math.max(1, left_ms));
    if (run.signal.aborted) return { receipts: [...receipts, ran], failed: null };
    const { moved, left } = await run.tree.look();
    const receipt = {
      ...ran,
      tree_sha: run.tree.tree_sha,
      at: run.now(),
      ...(moved === null ? {} : { void: moved }),
      ...(left.length === 0 ? {} : { left: [...left] }),
    };
    receipts.push(receipt);
    if (receipt.exit_code !== 0 || moved !== null) return { receipts, failed: receipt };
  }
  return { receipts, failed: null };
}

async function assertExact({ tree, head_sha, worktree }: VerifyRun): Promise<void> {
  const { moved, left } = await tree.look();
  const reason = moved ?? (left.length === 0 ? null : `not in the commit: ${listed(left)}`);
  if (reason === null) return;
  throw new HarnessError('HARNESS_TREE_NOT_EXACT', { commit: head_sha, worktree, reason });
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
    argv: run.confine(command),
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
