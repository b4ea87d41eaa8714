import { setTimeout as delay } from 'node:timers/promises';

import { messageOf } from '@caloron/noether/errors';
import type { Logger } from '@caloron/capabilities/logger';
import { type Order, totalTokens } from '@caloron/types';
import pRetry from 'p-retry';

import type { Activity } from './activity.ts';
import type { Spending } from './budget.ts';
import type { AgentShell } from './shell-client.ts';

/** First wait after a failed beat, in milliseconds; doubles up to the order's heartbeat_ms. */
const FIRST_RETRY_MS = 500;

/** What a heartbeat needs. */
export interface HeartbeatDeps {
  readonly order: Order;
  readonly shell: AgentShell;
  readonly activity: Activity;
  readonly logger: Logger;
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

/** Beats at once and every heartbeat_ms until stopped; a failed beat is tried again, for ever. */
export function startHeartbeat(deps: HeartbeatDeps): { stop(): Promise<void> } {
  const { order, activity, logger } = deps;
  const ended = new AbortController();
  let seen: string | undefined;

  async function beat(): Promise<void> {
    const now = await deps.look();
    if (now !== undefined && seen !== undefined && now !== seen)
      activity.progress(headIn(now) === headIn(seen) ? 'files' : 'commit');
    seen = now ?? seen;
    if (deps.worked()) activity.computed();
    const usage = deps.spending?.usage ?? [];
    const body = {
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
    const reply = await deps.shell.heartbeat(body, ended.signal);
    if (reply.command === 'stop') deps.onStop(reply.message ?? 'the shell asked for it');
    if (reply.command === 'pause') deps.onPause?.(reply.message ?? 'the shell asked for it');
    if (reply.command === 'nudge') deps.onNudge(reply.message ?? '');
  }

  async function loop(): Promise<void> {
    while (!ended.signal.aborted) {
      await pRetry(beat, {
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
      await delay(order.heartbeat_ms, undefined, { signal: ended.signal });
    }
  }

  const running = loop().catch((error: unknown) => {
    if (!ended.signal.aborted) logger.error({ reason: messageOf(error) }, 'heartbeat ended');
  });
  return {
    async stop() {
      ended.abort();
      await running;
    },
  };
}
