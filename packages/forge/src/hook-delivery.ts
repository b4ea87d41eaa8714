import { createHmac } from 'node:crypto';
import { systemRandom } from '@caloron/capabilities/random';
import { messageOf } from '@caloron/noether/errors';
import { epochMs, type Clock } from '@caloron/types';
import type { Sql } from './database.ts';
import {
  dueDelivery,
  hookOfDelivery,
  insertDelivery,
  pendingHooks,
  recordTry,
  type Delivery,
  type Hook,
} from './model/hooks.ts';

/** How long a receiver has to answer. Source: GitHub's limit. */
const ANSWER_MS = 10_000;

/**
 * Waits before the second and the third try, in milliseconds. GitHub tries once; on one machine a receiver that restarts is
 * the common case, and its return is told within seconds.
 */
const RETRY_MS = [500, 2000];

/** Longest time to the next look at what is pending: a timer holds no more than 2³¹ ms. */
const LOOK_MS = 60_000;

/** Sends what happened to webhooks. What is to be sent is a row, written with what it tells: a crash loses none. */
export interface HookSender {
  /** Adds a delivery. Runs inside the transaction of what it tells. */
  add(row: {
    readonly hook_id: number;
    readonly event: string;
    readonly action: string | null;
    readonly payload: object;
  }): number;
  /** Sends a delivery once more, under its own id. Runs inside a transaction. */
  again(hook_id: number, delivery: Pick<Delivery, 'guid' | 'event' | 'action' | 'payload'>): number;
  /** The database, whose transactions start what they added on its way as soon as they are kept. */
  readonly sql: Sql;
  /** Sends what an earlier process left. */
  start(): void;
  /** Ends requests under way; what they were sending is sent again at the next start, under the same id. */
  close(): Promise<void>;
}

/** The signature of a body: HMAC-SHA-256 in hex, as GitHub signs. */
export function signatureOf(secret: string, body: string): string {
  return `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
}

/** A sender over the forge's database. */
export function createHookSender(deps: {
  readonly sql: Sql;
  readonly clock: Clock;
  warn(facts: Readonly<Record<string, unknown>>, text: string): void;
}): HookSender {
  const { sql, clock } = deps;
  const ending = new AbortController();
  const lanes = new Map<number, Promise<void>>();
  let timer: NodeJS.Timeout | undefined;
  let added = false;
  const now = (): number => epochMs(clock.now());

  /** One message after the other to one webhook, so that a slow receiver holds up no other. */
  async function lane(hook_id: number): Promise<void> {
    for (;;) {
      const delivery = ending.signal.aborted ? undefined : dueDelivery(sql, hook_id, now());
      const hook = hookOfDelivery(sql, hook_id);
      if (delivery === undefined || hook === undefined) return;
      const end = await send(hook, delivery, ending.signal);
      if (ending.signal.aborted) return;
      await settle(delivery, end);
    }
  }

  async function settle(delivery: Delivery, end: Ending): Promise<void> {
    const wait = end.ok ? undefined : RETRY_MS[delivery.attempts];
    const at = now();
    const state = end.ok ? 'delivered' : wait === undefined ? 'failed' : 'pending';
    const { status_code, outcome } = end;
    await sql.write(() =>
      recordTry(sql, delivery.id, {
        state,
        status_code,
        outcome,
        due_ms: at + (wait ?? 0),
        settled_ms: state === 'pending' ? null : at,
      }),
    );
    const { hook_id, event, guid } = delivery;
    if (state === 'failed') deps.warn({ hook_id, event, guid, outcome }, 'a webhook was not taken');
  }

  function wake(): void {
    clearTimeout(timer);
    if (ending.signal.aborted) return;
    let next = Number.POSITIVE_INFINITY;
    for (const { hook_id, due_ms } of pendingHooks(sql)) {
      if (lanes.has(hook_id)) continue;
      if (due_ms > now()) next = Math.min(next, due_ms);
      else run(hook_id);
    }
    if (Number.isFinite(next)) timer = setTimeout(wake, Math.min(LOOK_MS, Math.max(1, next - now())));
    timer?.unref();
  }

  function run(hook_id: number): void {
    const end = (): void => {
      lanes.delete(hook_id);
      wake();
    };
    const fail = (error: unknown): void => {
      lanes.delete(hook_id);
      deps.warn({ hook_id, error: messageOf(error) }, 'webhooks could not be sent');
      // Not at once: what failed here is the database, and it would fail again.
      clearTimeout(timer);
      timer = setTimeout(wake, LOOK_MS).unref();
    };
    lanes.set(hook_id, lane(hook_id).then(end, fail));
  }

  return {
    add: ({ payload, ...row }) => {
      added = true;
      const guid = systemRandom.uuid();
      const text = JSON.stringify(payload);
      return insertDelivery(sql, { ...row, guid, payload: text, created_ms: now(), redelivery: false });
    },
    again: (hook_id, { guid, event, action, payload }) => {
      added = true;
      const row = { hook_id, guid, event, action, payload };
      return insertDelivery(sql, { ...row, created_ms: now(), redelivery: true });
    },
    sql: watched(sql, () => {
      const was = added;
      added = false;
      return was ? wake : undefined;
    }),
    start: wake,
    close: async () => {
      ending.abort();
      clearTimeout(timer);
      await Promise.all(lanes.values());
    },
  };
}

/** The database, telling after each kept transaction what it asked for. */
function watched(sql: Sql, taken: () => (() => void) | undefined): Sql {
  return {
    ...sql,
    write: async (work) => {
      let then: (() => void) | undefined;
      const value = await sql.write(() => {
        const result = work();
        then = taken();
        return result;
      });
      then?.();
      return value;
    },
  };
}

/** How one try ended. */
interface Ending {
  readonly ok: boolean;
  readonly status_code: number | null;
  readonly outcome: string;
}

/** One request. Redirects are not followed: a secret's signature goes where an admin said, and nowhere else. */
async function send(hook: Hook, delivery: Delivery, ending: AbortSignal): Promise<Ending> {
  const json = hook.content_type === 'json';
  const body = json ? delivery.payload : new URLSearchParams({ payload: delivery.payload }).toString();
  const headers: Record<string, string> = {
    'content-type': json ? 'application/json' : 'application/x-www-form-urlencoded',
    'user-agent': 'caloron-forge-hook',
    'x-github-delivery': delivery.guid,
    'x-github-event': delivery.event,
    'x-github-hook-id': String(hook.id),
    'x-github-hook-installation-target-id': String(hook.repo_id),
    'x-github-hook-installation-target-type': 'repository',
    ...(hook.secret === null ? {} : { 'x-hub-signature-256': signatureOf(hook.secret, body) }),
  };
  try {
    const signal = AbortSignal.any([ending, AbortSignal.timeout(ANSWER_MS)]);
    const answer = await fetch(hook.url, { method: 'POST', headers, body, signal, redirect: 'manual' });
    await answer.body?.cancel();
    return { ok: answer.ok, status_code: answer.status, outcome: answer.ok ? 'OK' : `HTTP ${answer.status}` };
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    return { ok: false, status_code: null, outcome: messageOf(cause).slice(0, 200) };
  }
}
