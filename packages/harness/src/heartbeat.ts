import { setTimeout as delay } from 'node:timers/promises';

import { codeOf, messageOf } from '@caloron/noether/errors';
import type { Logger } from '@caloron/capabilities/logger';
import { type Clock, type Heartbeat, type Order, totalTokens } from '@caloron/types';
import pRetry from 'p-retry';

import type { Activity } from './activity.ts';
import type { Spending } from './budget.ts';
import { SHELL_PATIENCE_MS } from './context.ts';
import type { AgentShell } from './shell-client.ts';

/** First wait after a failed beat, in milliseconds; doubles up to the order's heartbeat_ms. */
const FIRST_RETRY_MS = 500;

/** The wait after the first beat, in milliseconds: who has just started an agent sees early whether it works. */
const EARLY_MS = 5_000;

/** Milliseconds between the n-th beat of a run, counted from 0, and the next: short at first, doubling up to the order's heartbeat_ms. */
export function beatAfter(n: number, heartbeat_ms: number): number {
  return Math.min(heartbeat_ms, EARLY_MS * 2 ** n);
}

/** What a heartbeat needs. */
export interface HeartbeatDeps {
  readonly order: Order;
  readonly shell: AgentShell;
  readonly activity: Activity;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Looked at before each beat: the worktree's state as one string, undefined when it cannot be read. */
  readonly look: () => Promise<string | undefined>;
  /** Asked before each beat: whether the agent's processes have computed. */
  readonly worked: () => boolean;
  /** What it has used; absent, nothing is told of it. */
  readonly spending?: Pick<Spending, 'usage'>;
  /** The shell wants the agent to finish what it is at and to pause. */
  readonly onPause?: (reason: string) => void;
  /** The shell wants the agent to stop. */
  readonly onStop: (message: string) => void;
  /** The shell has something to say to the agent. */
  readonly onNudge: (message: string) => void;
}

/** The commit a worktree is at: the first line of its state. */
function headIn(state: string): string {
  return state.split('\n', 1)[0] ?? '';
}

/** What a beat tells. */
function bodyOf({ order, activity, spending, clock }: HeartbeatDeps): Heartbeat {
  const usage = spending?.usage ?? [];
  return {
    // Before the signs: what is told of them is no older than it.
    sent_at: clock.now(),
    agent_id: order.agent_id,
    sprint_id: order.sprint_id,
    status: activity.status.slice(0, 200),
    tokens_used: Math.max(activity.tokens_used, totalTokens(usage)),
    ...(usage.length === 0 ? {} : { usage }),
    progress_at: activity.progress_at,
    progress_kind: activity.progress_kind,
    cpu_at: activity.cpu_at,
    next_by: activity.next_by,
  };
}

/** The beats of one run. */
export interface Heartbeats {
  /**
   * Beats once more, since the agent's program has ended, and does what the answer wants before it resolves: a task that is over
   * stops the run. A shell that is away is waited for as long as finished work waits; one that does not understand is no reason to stop.
   */
  turnEnded(signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
}

/** Beats at once, soon again, and then every heartbeat_ms until stopped; a failed beat is tried again, for ever. */
export function startHeartbeat(deps: HeartbeatDeps): Heartbeats {
  const { order, activity, logger } = deps;
  const ended = new AbortController();
  let seen: string | undefined;

  async function beat(signal: AbortSignal, turn: Pick<Heartbeat, 'turn_ended'> = {}): Promise<void> {
    const now = await deps.look();
    if (now !== undefined && seen !== undefined && now !== seen)
      activity.progress(headIn(now) === headIn(seen) ? 'files' : 'commit');
    seen = now ?? seen;
    if (deps.worked()) activity.computed();
    const reply = await deps.shell.heartbeat({ ...bodyOf(deps), ...turn }, signal);
    if (reply.command === 'stop') deps.onStop(reply.message ?? 'the shell asked for it');
    if (reply.command === 'pause') deps.onPause?.(reply.message ?? 'the shell asked for it');
    if (reply.command === 'nudge') deps.onNudge(reply.message ?? '');
  }

  async function loop(): Promise<void> {
    for (let beats = 0; !ended.signal.aborted; beats += 1) {
      await pRetry(async () => beat(ended.signal), {
        retries: Number.POSITIVE_INFINITY,
        minTimeout: FIRST_RETRY_MS,
        maxTimeout: Math.max(FIRST_RETRY_MS, order.heartbeat_ms),
        // Agents that lost their shell at one moment do not all come back at one.
        randomize: true,
        signal: ended.signal,
        onFailedAttempt: ({ error, attemptNumber }) => {
          logger.warn({ attempt: attemptNumber, reason: messageOf(error) }, 'heartbeat not delivered');
        },
      });
      await delay(beatAfter(beats, order.heartbeat_ms), undefined, { signal: ended.signal });
    }
  }

  const running = loop().catch((error: unknown) => {
    if (!ended.signal.aborted) logger.error({ reason: messageOf(error) }, 'heartbeat ended');
  });
  return {
    async turnEnded(signal) {
      await pRetry(async () => beat(signal, { turn_ended: true }), {
        retries: Number.POSITIVE_INFINITY,
        minTimeout: FIRST_RETRY_MS,
        maxTimeout: 10_000,
        randomize: true,
        maxRetryTime: SHELL_PATIENCE_MS,
        signal,
        shouldRetry: ({ error }) => codeOf(error) === 'HARNESS_SHELL_UNREACHABLE',
      }).catch((error: unknown) => {
        if (!signal.aborted) logger.warn({ reason: messageOf(error) }, 'the end of a turn was not told');
      });
    },
    async stop() {
      ended.abort();
      await running;
    },
  };
}
