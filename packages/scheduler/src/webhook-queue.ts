import { contentId } from '@caloron/noether';
import { codeOf, isRetryable, messageOf } from '@caloron/noether/errors';
import type { OutboxQueue } from '@caloron/store';
import { type ActionOf, addMs, type Clock } from '@caloron/types';

import { SchedulerError } from './errors.ts';
import { type AddressRule, createAddressRule } from './webhook-address.ts';
import { signedHeaders } from './webhook-sign.ts';
import { hostOf, postWebhook, type WebhookAnswer, type WebhookPayload } from './webhook.ts';

/** How often what is due is looked for: a retry starts within this many milliseconds after its time. */
const LOOK_INTERVAL_MS = 1_000;

/** Rows that are looked through for what may go out now. */
const ROWS = 1_000;

/** Deliveries at once to one host: one that hangs holds up its own alone. */
const PER_HOST = 8;

/** When a failed delivery is tried again, ms after the attempt: the schedule Standard Webhooks proposes. */
export const RETRY_DELAYS_MS: readonly number[] = [
  5_000,
  5 * 60_000,
  30 * 60_000,
  2 * 3_600_000,
  5 * 3_600_000,
  10 * 3_600_000,
  14 * 3_600_000,
  20 * 3_600_000,
  24 * 3_600_000,
];

/** No host puts an attempt off for longer. */
const LONGEST_DELAY_MS = 24 * 3_600_000;

type Delivery = ActionOf<'deliver_webhook'>;

/** How an attempt ended, for log and metrics. */
export interface Attempt {
  readonly job: string;
  readonly run_id: string | null;
  readonly composition_id: string | null;
  readonly slot: string | null;
  readonly host: string;
  /** From 1; 1 of 1 for an unsigned webhook. */
  readonly attempt: number;
  /** `retried`: it failed and is tried again; `dead`: it failed and is not. */
  readonly result: 'sent' | 'retried' | 'dead';
  readonly status: number | null;
  readonly duration_ms: number;
  readonly error: { readonly code: string; readonly message: string; readonly hint?: string } | null;
}

/** What deliveries are made with. */
export interface WebhookDeps {
  readonly outbox: OutboxQueue;
  readonly clock: Clock;
  readonly variables: Readonly<Record<string, string | undefined>>;
  readonly allow: readonly string[];
  readonly told: (attempt: Attempt) => void;
  readonly failed: (error: unknown) => void;
  /** RETRY_DELAYS_MS when absent. */
  readonly delays_ms?: readonly number[];
  /** Made of `allow` when absent. */
  readonly rule?: AddressRule;
  readonly timeout_ms?: number;
}

/** What a run tells, and of which fire. */
export interface Telling {
  readonly scheduler_id: string;
  readonly slot: string;
  readonly run_id: string;
  readonly payload: WebhookPayload;
}

/** The intended delivery: the same fire of the same scheduler is told once. */
export function deliveryOf(
  { scheduler_id, slot, run_id, payload }: Telling,
  to: { readonly url: string; readonly secret_env: string | null; readonly retries: number },
): Delivery {
  const cause = `${scheduler_id}:${payload.job}:${slot}`;
  // Two schedulers whose names and jobs run together in the sentence are two all the same.
  const id = contentId([null, 'deliver_webhook', null, [scheduler_id, payload.job, slot]]);
  return {
    type: 'deliver_webhook',
    action_id: id.slice(0, 32),
    cause,
    sprint_id: null,
    task_id: null,
    agent_id: null,
    url: to.url,
    secret_env: to.secret_env,
    retries: to.retries,
    body: payload,
    run_id,
    slot,
  };
}

/** Deliveries of the outbox. */
export interface WebhookQueue {
  /** From here on the delivery outlives the process. */
  intend(delivery: Delivery): Promise<void>;
  /** Lets what goes on finish for `grace_ms`, then ends it; it is taken up again at the next start. */
  close(grace_ms: number): Promise<void>;
}

/** Makes the outbox's deliveries that are due, also those of a process that died: what it was at counts as given up after a minute. */
export function createWebhookQueue(deps: WebhookDeps): WebhookQueue {
  const { outbox, clock, failed } = deps;
  const rule = deps.rule ?? createAddressRule(deps.allow);
  const stopping = new AbortController();
  const going = new Map<string, { readonly host: string; readonly done: Promise<void> }>();

  /** What was due at the last look and waits for its host. */
  let waiting: Awaited<ReturnType<OutboxQueue['due']>> = [];

  const look = async (): Promise<void> => {
    waiting = await outbox.due({ sprint_id: null, now: clock.now(), limit: ROWS });
    begin();
  };

  /** Starts what its host has room for; the rest waits. */
  const begin = (): void => {
    if (stopping.signal.aborted) return;
    const busy = new Map<string, number>();
    for (const { host } of going.values()) busy.set(host, (busy.get(host) ?? 0) + 1);
    waiting = waiting.filter(({ action, action_id, attempts }) => {
      if (action.type !== 'deliver_webhook' || going.has(action_id)) return false;
      const host = hostOf(action.url);
      const at_once = busy.get(host) ?? 0;
      if (at_once >= PER_HOST) return true;
      busy.set(host, at_once + 1);
      const done = deliver(action, attempts + 1)
        .catch(failed)
        .finally(() => {
          going.delete(action_id);
          begin();
        });
      going.set(action_id, { host, done });
      return false;
    });
  };

  const deliver = async (action: Delivery, attempt: number): Promise<void> => {
    if (!(await outbox.start(action.action_id))) return;
    const begun = performance.now();
    const told = tellerOf(action, attempt, begun, deps);
    try {
      const { status } = await attemptOf(action, deps, rule, stopping.signal);
      await outbox.succeed(action.action_id, {});
      told('sent', status, null);
    } catch (error) {
      await settle(action, attempt, error, told);
    }
  };

  const settle = async (
    { action_id, retries = 0 }: Delivery,
    attempt: number,
    error: unknown,
    told: ReturnType<typeof tellerOf>,
  ): Promise<void> => {
    const reason = { code: codeOf(error), message: messageOf(error), retryable: true };
    // Cut off by the end of this process: it is no attempt.
    if (stopping.signal.aborted) return outbox.postpone(action_id, reason, clock.now());
    const refused = error instanceof Refusal ? error : null;
    const again = attempt <= retries && isRetryable(error);
    const delays = deps.delays_ms ?? RETRY_DELAYS_MS;
    const delay = Math.min(
      Math.max(delays[Math.min(attempt, delays.length) - 1] ?? 0, refused?.retry_after_ms ?? 0),
      LONGEST_DELAY_MS,
    );
    await outbox.fail(action_id, { ...reason, retryable: again }, again ? addMs(clock.now(), delay) : null);
    told(again ? 'retried' : 'dead', refused?.details.status ?? null, error);
  };

  let looking: Promise<void> | null = null;
  let again = false;
  const pump = (): void => {
    again = looking !== null;
    if (looking !== null || stopping.signal.aborted) return;
    looking = look()
      .catch(failed)
      .finally(() => {
        looking = null;
        if (again) pump();
      });
  };
  const timer = setInterval(pump, LOOK_INTERVAL_MS);
  pump();

  return {
    intend: async (delivery) => {
      await outbox.intend([delivery]);
      pump();
    },
    close: async (grace_ms) => {
      clearInterval(timer);
      const late = setTimeout(() => stopping.abort(), grace_ms);
      await looking;
      // What waits for its host is left for the next start.
      waiting = [];
      await Promise.all([...going.values()].map(({ done }) => done));
      clearTimeout(late);
      stopping.abort();
    },
  };
}

/** An answer that is not 2xx, and when the host wants to be asked again. 410 is for ever. */
class Refusal extends SchedulerError<'WEBHOOK_NOT_TAKEN'> {
  readonly retry_after_ms: number | null;

  constructor(host: string, { status, retry_after_ms }: WebhookAnswer) {
    super('WEBHOOK_NOT_TAKEN', { host, status }, { retryable: status !== 410 });
    this.retry_after_ms = retry_after_ms;
  }
}

async function attemptOf(
  { action_id, url, body: payload, secret_env }: Delivery,
  { clock, variables, timeout_ms }: WebhookDeps,
  rule: AddressRule,
  signal: AbortSignal,
): Promise<WebhookAnswer> {
  const body = JSON.stringify(payload);
  const headers =
    secret_env === null
      ? { 'webhook-id': action_id }
      : await signedHeaders({ secret_env, variables }, { id: action_id, body, now: clock.now() });
  const limit = timeout_ms === undefined ? {} : { timeout_ms };
  const answer = await postWebhook({ url, body, headers }, { rule, signal, ...limit });
  if (answer.status < 200 || answer.status > 299) throw new Refusal(hostOf(url), answer);
  return answer;
}

function tellerOf(action: Delivery, attempt: number, begun: number, { told }: WebhookDeps) {
  const { run_id = null, slot = null, url } = action;
  const { job, composition_id } = action.body as WebhookPayload;
  return (result: Attempt['result'], status: number | null, error: unknown): void => {
    const duration_ms = Math.round(performance.now() - begun);
    const about = { job, run_id, composition_id, slot, host: hostOf(url), attempt };
    told({ ...about, result, status, duration_ms, error: error === null ? null : saidOf(error) });
  };
}

/** What is told of an error: its code, its sentence and what to do about it. */
export function saidOf(error: unknown): NonNullable<Attempt['error']> {
  const hint = error instanceof SchedulerError ? error.hint : undefined;
  return { code: codeOf(error), message: messageOf(error), ...(hint === undefined ? {} : { hint }) };
}
