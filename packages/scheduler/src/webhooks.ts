import type { Clock } from '@caloron/types';
import pLimit, { type LimitFunction } from 'p-limit';

import { SchedulerError } from './errors.ts';
import type { JobOutcome } from './job.ts';
import { createAddressRule } from './webhook-address.ts';
import type { WebhookConfig } from './webhook-config.ts';
import {
  type Attempt,
  createWebhookQueue,
  deliveryOf,
  saidOf,
  type Telling,
  type WebhookDeps,
} from './webhook-queue.ts';
import { hostOf, postWebhook, type WebhookPayload } from './webhook.ts';

/** Attempts at once to one host, so that one that hangs takes not every connection the process may have. */
const PER_HOST = 16;

/** Attempts that wait for one host; further ones are given up at once, as the host takes none. */
const WAITING_PER_HOST = 1_000;

/** Tells endpoints how runs ended, beside the runs: nothing of it is waited for by a fire. */
export interface Webhooks {
  /**
   * Tells of a run. An unsigned webhook is one attempt of this process; one with retries is in the outbox when this returns, and its
   * delivery goes on over restarts. Throws only when the outbox cannot be written.
   */
  tell(to: WebhookConfig, telling: Telling): Promise<void>;
  /** Lets attempts finish for `grace_ms`, then ends them; those of the outbox are made at the next start. */
  close(grace_ms: number): Promise<void>;
}

/** Makes the webhooks of a scheduler. */
export function createWebhooks(deps: WebhookDeps): Webhooks {
  const rule = deps.rule ?? createAddressRule(deps.allow);
  const queue = createWebhookQueue({ ...deps, rule });
  const stopping = new AbortController();
  const lanes = new Map<string, LimitFunction>();
  const going = new Set<Promise<void>>();

  const laneOf = (host: string): LimitFunction => {
    const lane = lanes.get(host) ?? pLimit(PER_HOST);
    lanes.set(host, lane);
    return lane;
  };

  const once = async (url: string, { run_id, slot, payload }: Telling): Promise<void> => {
    const { job, composition_id } = payload;
    const host = hostOf(url);
    let begun = performance.now();
    const told = (result: Attempt['result'], status: number | null, error: unknown): void => {
      const duration_ms = Math.round(performance.now() - begun);
      const about = { job, run_id, composition_id, slot, host, attempt: 1, result, status, duration_ms };
      deps.told({ ...about, error: error === null ? null : saidOf(error) });
    };
    const lane = laneOf(host);
    try {
      if (lane.pendingCount >= WAITING_PER_HOST)
        throw new SchedulerError('WEBHOOK_CROWDED', { host, waiting: lane.pendingCount });
      const body = JSON.stringify(payload);
      const limit = deps.timeout_ms === undefined ? {} : { timeout_ms: deps.timeout_ms };
      const { status } = await lane(() => {
        begun = performance.now();
        stopping.signal.throwIfAborted();
        return postWebhook({ url, body }, { rule, signal: stopping.signal, ...limit });
      });
      told('sent', status, null);
    } catch (error) {
      told('dead', null, error);
    } finally {
      if (lane.activeCount + lane.pendingCount === 0) lanes.delete(host);
    }
  };

  return {
    tell: async (to, telling) => {
      const { url, secret_env, retries } = to;
      if (retries !== null) return queue.intend(deliveryOf(telling, { url, secret_env, retries }));
      const attempt = once(url, telling).catch(deps.failed);
      going.add(attempt);
      void attempt.finally(() => going.delete(attempt));
    },
    close: async (grace_ms) => {
      const late = setTimeout(() => stopping.abort(), grace_ms);
      await Promise.all([...going, queue.close(grace_ms)]);
      clearTimeout(late);
    },
  };
}

const WHOLE_SECONDS = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/u;

/** When a fire was due: its slot, or now where it was fired by an event, by hand or again. Whole seconds. */
export function firedAt(slot: string, clock: Clock): string {
  return WHOLE_SECONDS.test(slot) ? slot : `${clock.now().slice(0, 19)}Z`;
}

/** What is told of a run: exactly the documented fields, `error` in place of `output` when it failed. */
export function payloadOf(
  { job, composition_id, status, output, error, duration_ms }: JobOutcome,
  fired_at: string,
): WebhookPayload {
  const ok = status === 'ok';
  return { job, composition_id, ok, ...(error === null ? { output } : { error }), duration_ms, fired_at };
}
