import { setTimeout as delay } from 'node:timers/promises';

import { ForgeError } from '@caloron/capabilities/forge-errors';
import type { Logger } from '@caloron/capabilities/logger';
import type { Redactor } from '@caloron/capabilities/redact';
import { codeOf, isRetryable, messageOf } from '@caloron/noether/errors';
import {
  type Clock,
  type CredentialReply,
  type Drift,
  type EndCause,
  epochMs,
  type Feedback,
  type ForgeRepo,
  type Order,
  type Receipt,
  type Report,
  type Timestamp,
} from '@caloron/types';
import pRetry from 'p-retry';

import type { Activity } from './activity.ts';
import type { Spending } from './budget.ts';
import type { HarnessConfig } from './config.ts';
import { HarnessError } from './errors.ts';
import type { LogFile } from './log-file.ts';
import type { AgentShell } from './shell-client.ts';

/** What one run of the harness works with. */
export interface HarnessContext {
  readonly order: Order;
  readonly config: HarnessConfig;
  /** This process's own directory, outside the worktree. */
  readonly directory: string;
  readonly shell: AgentShell;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The command line that runs another one in the agent's sandbox; the same where there is none. */
  readonly confine: (argv: readonly string[]) => readonly string[];
  /** A directory outside the worktree that the agent's program may write. */
  readonly scratch: string;
  /** Hides credentials in what leaves this process. */
  readonly redactor: Redactor;
  readonly log: LogFile;
  readonly activity: Activity;
  /** What it has used, and whether it is to pause. */
  readonly spending: Spending;
  /** Aborted when the run has to stop; its reason is a HARNESS_STOPPED. */
  readonly signal: AbortSignal;
  /** Opens the order's repository with a token in hand. */
  readonly openForge: (token: string) => ForgeRepo;
  /** Milliseconds since the run began. */
  readonly elapsedMs: () => number;
  /** Tells the shell that the agent's program has ended, and stops the run where its task is over. */
  readonly turnEnded: () => Promise<void>;
}

/** How a role's work ended. */
export interface Ending {
  readonly outcome: Report['outcome'];
  readonly head_sha: string | null;
  readonly pr_number: number | null;
  /** For people and for the next attempt's prompt. */
  readonly body: string;
  readonly receipt: Receipt | null;
  readonly feedback: Feedback | null;
  readonly synthetic: boolean;
  /** Why there is no work; null after work, and where it is not known. */
  readonly cause: EndCause | null;
  /** A receipt per verify command that ran. */
  readonly receipts?: Receipt[];
  /** The base the head was seen to contain. */
  readonly base_sha?: string;
  /** The base the head should contain and does not. */
  readonly base_lost?: string;
  readonly drift?: Drift;
}

/** An ending with everything absent that is not given. */
export function ending(outcome: Ending['outcome'], body: string, facts: Partial<Ending> = {}): Ending {
  return {
    head_sha: null,
    pr_number: null,
    receipt: null,
    feedback: null,
    synthetic: false,
    cause: null,
    ...facts,
    outcome,
    body,
  };
}

/** Milliseconds a shell that cannot be reached is waited for before finished work counts as not delivered: an hour. */
export const SHELL_PATIENCE_MS = 60 * 60 * 1000;

/** Ends of limits that are waited for, each an hour away at most. Finished work is worth more than the hours. */
const LIMITS_WAITED = 4;
/** After a limit everybody asks again: this much later, in milliseconds. */
const AFTER_LIMIT_MS = 1000;

/** Milliseconds until the limit of a forge ends that an error tells of; null for any other error. */
function limitMs(error: unknown, now: Timestamp): number | null {
  if (!(error instanceof ForgeError) || error.code !== 'FORGE_RATE_LIMITED') return null;
  const { reset_at } = (error as ForgeError<'FORGE_RATE_LIMITED'>).details;
  return reset_at === null ? null : Math.max(0, epochMs(reset_at) - epochMs(now)) + AFTER_LIMIT_MS;
}

/** How long what may succeed later is tried again. */
export interface Patience {
  /** Tries of one round, after the first. */
  readonly retries: number;
  /** Milliseconds before the second try; doubled by each further one, at most 20 s. */
  readonly first_ms: number;
  /** Rounds in all while the forge is away, and the milliseconds between two. */
  readonly rounds: number;
  readonly pause_ms: number;
}

/** A round is a minute to two; together they are about an hour, as long as a shell is waited for. */
const PATIENCE: Patience = { retries: 8, first_ms: 500, rounds: 30, pause_ms: 30_000 };

/** Longest one round takes, in milliseconds. */
const ROUND_MS = 120_000;

/** Whether the forge, its API or its git, has not served what was asked, and may later. */
function isAway(error: unknown): boolean {
  return isRetryable(error) && /^(?:FORGE|GIT)_/.test(codeOf(error));
}

/**
 * Tries again what may succeed later (`retryable`), for at most two minutes; the work must be safe to repeat. A forge that is away is
 * waited for, about an hour, and the end of its limit, four times at most: each is promised as the time until which nothing is seen of the agent.
 */
export async function persist<T>(
  context: HarnessContext,
  doing: string,
  work: () => Promise<T>,
  patience: Patience = PATIENCE,
): Promise<T> {
  let limits = 0;
  for (let round = 1; ; round += 1) {
    try {
      return await tried(context, doing, work, patience);
    } catch (error) {
      const limit = limitMs(error, context.clock.now());
      if (limit !== null) limits += 1;
      const gives_up = limit === null ? !isAway(error) || round >= patience.rounds : limits > LIMITS_WAITED;
      if (gives_up || context.signal.aborted) throw error;
      const wait = limit ?? patience.pause_ms;
      note(
        context,
        `${doing}: ${messageOf(error)}; ${limit === null ? 'it is tried on' : 'it is done after that'}`,
      );
      context.activity.promise(wait + ROUND_MS);
      await delay(wait, undefined, { signal: context.signal }).catch(() => assertRunning(context));
    }
  }
}

function tried<T>(
  context: HarnessContext,
  doing: string,
  work: () => Promise<T>,
  { retries, first_ms }: Patience,
): Promise<T> {
  return pRetry(work, {
    retries,
    minTimeout: first_ms,
    factor: 2,
    maxTimeout: 20_000,
    maxRetryTime: ROUND_MS,
    signal: context.signal,
    shouldRetry: ({ error }) => isRetryable(error) && limitMs(error, context.clock.now()) === null,
    onFailedAttempt: ({ error, attemptNumber }) => {
      note(context, `${doing}: attempt ${attemptNumber} failed: ${messageOf(error)}`);
    },
  });
}

/** A token for one use, asked from the shell at that moment and kept nowhere. A shell that is down is waited for. */
export async function credential(context: HarnessContext, purpose: 'push' | 'api'): Promise<CredentialReply> {
  const doing = `ask for the ${purpose} credential`;
  return persist(context, doing, async () =>
    pRetry(async () => context.shell.credential({ purpose }, context.signal), {
      retries: Number.POSITIVE_INFINITY,
      minTimeout: 300,
      maxTimeout: 10_000,
      randomize: true,
      maxRetryTime: SHELL_PATIENCE_MS,
      signal: context.signal,
      shouldRetry: ({ error }) => codeOf(error) === 'HARNESS_SHELL_UNREACHABLE',
      onFailedAttempt: ({ error }) => note(context, `${doing}: ${messageOf(error)}`),
    }),
  );
}

/** The forge, opened with a fresh token. */
export async function forgeOf(context: HarnessContext): Promise<ForgeRepo> {
  const { token } = await credential(context, 'api');
  return context.openForge(token);
}

/** Throws HARNESS_STOPPED once the run has to stop. */
export function assertRunning(context: HarnessContext): void {
  if (context.signal.aborted) throw stopReason(context.signal);
}

/** Why a signal was aborted, as the error it is reported with. */
export function stopReason(signal: AbortSignal): HarnessError {
  const reason: unknown = signal.reason;
  return reason instanceof HarnessError
    ? reason
    : new HarnessError('HARNESS_STOPPED', { reason: messageOf(reason) });
}

/** A line of the harness's own in the agent's log, and in its logger. */
export function note(context: Pick<HarnessContext, 'log' | 'logger'>, text: string): void {
  context.log.write(`[caloron] ${text}\n`);
  context.logger.info(text);
}
