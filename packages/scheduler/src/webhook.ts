import { type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';

import { SchedulerError } from './errors.ts';
import type { AddressRule } from './webhook-address.ts';

/** A hanging endpoint is given up on after this many milliseconds; Standard Webhooks asks for 15 to 30 s. */
export const WEBHOOK_TIMEOUT_MS = 15_000;

/** Redirects of one attempt: a host that sends to and fro is given up on. */
const MAX_REDIRECTS = 3;

/** The redirects that say: the same again, there. After the others a client makes a GET, which tells nothing. */
const REPEATING: ReadonlySet<number> = new Set([307, 308]);

/** Of an answer's body this much is let pass, so that the connection ends in peace. */
const BODY_PASSED = 64 * 1024;

/** What a job's webhook is sent after every run. */
export interface WebhookPayload {
  readonly job: string;
  readonly composition_id: string | null;
  readonly ok: boolean;
  readonly output?: unknown;
  readonly error?: { readonly code: string; readonly message: string };
  readonly duration_ms: number;
  /** The slot, whole seconds. */
  readonly fired_at: string;
}

/** How an endpoint answered. */
export interface WebhookAnswer {
  readonly status: number;
  /** What `Retry-After` says, ms; null when it does not say seconds. */
  readonly retry_after_ms: number | null;
}

/** One attempt to make. */
export interface WebhookRequest {
  readonly url: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What attempts are made with. */
export interface PostDeps {
  readonly rule: AddressRule;
  /** Ends the attempt. */
  readonly signal?: AbortSignal;
  /** WEBHOOK_TIMEOUT_MS when absent. */
  readonly timeout_ms?: number;
}

/** The host of an address, as logs and errors name it: the rest of it may be a secret. */
export function hostOf(url: string): string {
  return URL.parse(url)?.host ?? 'no address';
}

/**
 * Posts a body once, over a connection of its own, to an address that was checked. A redirect is followed when it repeats the
 * request (307, 308), stays with the host and loses no encryption; any other is the answer. Throws WEBHOOK_ADDRESS_REFUSED,
 * WEBHOOK_UNREACHABLE, WEBHOOK_TIMEOUT, or the signal's reason.
 */
export async function postWebhook(request: WebhookRequest, deps: PostDeps): Promise<WebhookAnswer> {
  const { timeout_ms = WEBHOOK_TIMEOUT_MS } = deps;
  const late = AbortSignal.timeout(timeout_ms);
  const signal = deps.signal === undefined ? late : AbortSignal.any([deps.signal, late]);
  let url = new URL(request.url);
  try {
    for (let redirects = 0; ; redirects += 1) {
      const response = await exchange(url, request, deps.rule, signal);
      const next = redirects < MAX_REDIRECTS ? following(url, response) : undefined;
      if (next === undefined) return answerOf(response);
      url = next;
    }
  } catch (error) {
    deps.signal?.throwIfAborted();
    if (late.aborted) throw timedOut(url, timeout_ms, error);
    if (error instanceof SchedulerError) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'no connection was made';
    const facts = { host: url.host, reason: code };
    throw new SchedulerError('WEBHOOK_UNREACHABLE', facts, { cause: error, retryable: true });
  }
}

function timedOut(url: URL, timeout_ms: number, cause: unknown): SchedulerError {
  return new SchedulerError('WEBHOOK_TIMEOUT', { host: url.host, timeout_ms }, { cause, retryable: true });
}

function exchange(
  url: URL,
  { body, headers }: WebhookRequest,
  rule: AddressRule,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    rule.check(url.hostname);
    const options = {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        'user-agent': 'caloron',
        ...headers,
      },
      agent: false,
      lookup: rule.lookup,
      signal,
    };
    const sent: ClientRequest =
      url.protocol === 'https:' ? httpsRequest(url, options) : httpRequest(url, options);
    sent.on('error', reject);
    sent.on('response', (response) => {
      passBody(response);
      resolve(response);
    });
    sent.end(body);
  });
}

/** The status is the answer: the rest is let pass, or cut off where it is long. */
function passBody(response: IncomingMessage): void {
  let passed = 0;
  // Its end is nobody's matter once the status is there.
  response.on('error', () => undefined);
  response.on('data', (chunk: Buffer) => {
    passed += chunk.length;
    if (passed > BODY_PASSED) response.destroy();
  });
}

function following(from: URL, { statusCode = 0, headers }: IncomingMessage): URL | undefined {
  if (!REPEATING.has(statusCode) || headers.location === undefined) return undefined;
  const to = URL.parse(headers.location, from.href);
  if (to === null || to.hostname !== from.hostname) return undefined;
  const encrypted = from.protocol === 'http:' && to.protocol === 'https:';
  if (to.origin !== from.origin && !encrypted) return undefined;
  return to;
}

function answerOf({ statusCode = 0, headers }: IncomingMessage): WebhookAnswer {
  const seconds = /^\d{1,6}$/u.test(headers['retry-after'] ?? '') ? Number(headers['retry-after']) : null;
  return { status: statusCode, retry_after_ms: seconds === null ? null : seconds * 1000 };
}
