import { statSync } from 'node:fs';

import { execa, type ResultPromise } from 'execa';

import { GitError } from './errors.ts';
import { watchDeadline } from './git-deadline.ts';
import { gitEnvironment, withoutDrivers } from './git-environment.ts';
import type { GitCredential, GitEnvironmentOptions } from './git-environment.ts';

export type { GitCredential } from './git-environment.ts';

/** Where and how one git command runs. */
export interface GitOptions extends GitEnvironmentOptions {
  readonly cwd?: string | undefined;
  /** What git reads on stdin; nothing when absent. */
  readonly stdin?: string | Uint8Array | undefined;
  readonly credential?: GitCredential | undefined;
  /** git is stopped after it; 120 000 ms when absent. */
  readonly timeout_ms?: number | undefined;
  /** Exit codes that are no error; `[0]` when absent. */
  readonly ok_codes?: readonly number[] | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Keeps the newline at the end of stdout, which is cut off else. */
  readonly keep_newline?: boolean | undefined;
}

/** What git said; `stdout` ends without its last newline. */
export interface GitResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exit_code: number;
}

interface StreamOptions {
  readonly env: Record<string, string>;
  readonly extendEnv: false;
  readonly reject: false;
  readonly buffer: false;
  readonly stdin: 'pipe';
  readonly stdout: 'pipe';
  readonly stderr: 'pipe';
  readonly cwd?: string;
}

/** A running git with open stdin and stdout. It never rejects: its result says `failed` and `exitCode`. */
export type GitStream = ResultPromise<StreamOptions>;

/** Long enough for a fetch of a large repository over a slow line, short enough for a tick not to hang for ever. */
const DEFAULT_TIMEOUT_MS = 120_000;

/** How much of stderr an error carries. */
const STDERR_KEPT = 2000;

/**
 * What git and curl say in LC_ALL=C when the network, the host or another git is at fault and the same command may
 * succeed later. git has one exit code (128) for every fault, so its words are the only source there is.
 */
const TRANSIENT =
  /Could not resolve host|Failed to connect|Connection (?:refused|reset|timed out)|Operation timed out|Empty reply|early EOF|unexpected disconnect|hung up unexpectedly|returned error: (?:429|5\d\d)|RPC failed|\.lock': File exists|cannot lock ref/;

function redactor(credential: GitCredential | undefined): (text: string) => string {
  return (text) => {
    const shown = text.replaceAll(/\/\/[^/\s@]*@/g, '//***@');
    return credential === undefined || credential.token === ''
      ? shown
      : shown.replaceAll(credential.token, '***');
  };
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/**
 * Runs one git command through the hardened door and gives what it said.
 *
 * The environment is constant, hooks, fsmonitor, pagers, editors, signing and external diffs are off, only file, http and
 * https are spoken, redirects are not followed, a silent host is given up after a minute. A credential is answered by a helper that reads variables of that git
 * process alone: it is in no argv and in no config.
 *
 * What cannot be switched off by name stays the repository's: filter, merge and textconv drivers, `remote.*.uploadpack`,
 * `core.alternateRefsCommand` and `core.worktree` of its config. So a credential never goes to a git that reads a config an
 * agent can write, and an agent's files are read through `git_dir` (a repository of ours), `work_tree` and `index_file`:
 * then none of the agent's config is read.
 *
 * Throws GIT_FAILED (`retryable` for faults of the network, the host, or a lock), GIT_TIMEOUT, GIT_ABORTED, GIT_MISSING,
 * GIT_CWD_MISSING.
 */
export async function git(args: readonly string[], options: GitOptions): Promise<GitResult> {
  const timeout_ms = options.timeout_ms ?? DEFAULT_TIMEOUT_MS;
  const redact = redactor(options.credential);
  const shown = args.map(redact);
  if (options.cwd !== undefined && !isDirectory(options.cwd)) {
    throw new GitError('GIT_CWD_MISSING', { args: shown, cwd: options.cwd });
  }
  if (options.signal?.aborted === true)
    throw new GitError('GIT_ABORTED', { args: shown }, { retryable: true });
  const running = execa('git', withoutDrivers(args), {
    env: gitEnvironment(options),
    extendEnv: false,
    reject: false,
    stripFinalNewline: options.keep_newline !== true,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.stdin === undefined ? { stdin: 'ignore' as const } : { input: options.stdin }),
  });
  const deadline = watchDeadline(running.pid, timeout_ms, options.signal);
  const result = await running.finally(deadline.clear);
  const stopped = deadline.reason();
  if (stopped === 'timeout')
    throw new GitError('GIT_TIMEOUT', { args: shown, timeout_ms }, { retryable: true });
  if (stopped === 'abort') throw new GitError('GIT_ABORTED', { args: shown }, { retryable: true });
  if (result.code === 'ENOENT') throw new GitError('GIT_MISSING', { args: shown }, { hint: 'install git' });
  const exit_code = result.exitCode ?? null;
  const stderr = redact(result.stderr);
  if (exit_code === null || !(options.ok_codes ?? [0]).includes(exit_code)) {
    throw new GitError(
      'GIT_FAILED',
      { args: shown, exit_code, signal: result.signal ?? null, stderr: stderr.slice(-STDERR_KEPT) },
      { retryable: exit_code === null || TRANSIENT.test(stderr) },
    );
  }
  return { stdout: result.stdout, stderr, exit_code };
}

/**
 * Starts one git command through the same door with open stdin and stdout, for serving and reading packs. No timeout but
 * the one given. Nothing is buffered: the caller reads stdout and stderr, and awaits the result.
 */
export function gitStream(args: readonly string[], options: GitOptions): GitStream {
  const streamOptions: StreamOptions = {
    env: gitEnvironment(options),
    extendEnv: false,
    reject: false,
    buffer: false,
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'pipe',
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  };
  const stream = execa('git', withoutDrivers(args), streamOptions);
  const deadline = watchDeadline(stream.pid, options.timeout_ms, options.signal);
  // It never rejects: nothing of it is lost here.
  void stream.then(deadline.clear);
  return stream;
}
