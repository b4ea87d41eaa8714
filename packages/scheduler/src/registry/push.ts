import type { StageRecord } from '@caloron/noether';
import { isRetryable } from '@caloron/noether/errors';
import type { Http, HttpAnswer } from '@caloron/types';
import pLimit from 'p-limit';
import pRetry from 'p-retry';

import { RegistryError } from './errors.ts';
import { ErrorAnswer, KEY_HEADER, PushAnswer } from './wire.ts';

/** Where stages are pushed to. */
export interface PushTarget {
  /** The registry's address; what stands before `/stages`. */
  readonly url: string;
  /** A write key; null: the registry will say that one is needed. */
  readonly key: string | null;
  readonly http: Http;
  readonly signal?: AbortSignal | undefined;
  /** The pause before the first retry, ms; each further one is twice as long. FIRST_PAUSE_MS when absent. */
  readonly first_pause_ms?: number;
}

/** What became of one stage. */
export type Pushed =
  | { readonly record: StageRecord; readonly answer: PushAnswer['data'] }
  | { readonly record: StageRecord; readonly error: unknown };

/** A store of a thousand stages is written within this, ms. */
const TIMEOUT_MS = 60_000;
/** An answer lists at most a hundred problems of 2,000 characters. */
const MAX_ANSWER_BYTES = 1024 * 1024;
const RETRIES = 4;
const FIRST_PAUSE_MS = 500;
/** The registry writes those together that come together. */
const AT_ONCE = 64;
/** Statuses that say: later. */
const LATER: ReadonlySet<number> = new Set([408, 425, 429]);
/** Refusals of one stage; any other is about the registry or the key, and further stages meet it too. */
const OF_THE_STAGE: ReadonlySet<number> = new Set([400, 409, 413, 422]);

/**
 * Pushes records, the first one alone: what it meets that every other one would meet ends the push. Throws HTTP_*, or
 * REGISTRY_PUSH_REFUSED, when the registry does not answer, or takes nothing from this key.
 */
export async function pushStages(
  records: readonly StageRecord[],
  target: PushTarget,
): Promise<readonly Pushed[]> {
  const [first, ...rest] = records;
  if (first === undefined) return [];
  const begun = await pushed(first, target);
  if ('error' in begun && !isOfTheStage(begun.error)) throw begun.error;
  const limit = pLimit(AT_ONCE);
  return [begun, ...(await Promise.all(rest.map((record) => limit(() => pushed(record, target)))))];
}

async function pushed(record: StageRecord, target: PushTarget): Promise<Pushed> {
  try {
    return { record, answer: await pushStage(record, target) };
  } catch (error) {
    target.signal?.throwIfAborted();
    return { record, error };
  }
}

function isOfTheStage(error: unknown): boolean {
  return (
    error instanceof RegistryError &&
    error.code === 'REGISTRY_PUSH_REFUSED' &&
    'status' in error.details &&
    OF_THE_STAGE.has(error.details.status)
  );
}

/** Pushes one record, again while the registry or the network is not well. Throws HTTP_*, or REGISTRY_PUSH_REFUSED with every problem. */
export async function pushStage(record: StageRecord, target: PushTarget): Promise<PushAnswer['data']> {
  const { http, key, signal, first_pause_ms = FIRST_PAUSE_MS } = target;
  const url = `${target.url.replace(/\/+$/u, '')}/stages`;
  const body = JSON.stringify(record);
  const headers = { 'content-type': 'application/json', ...(key !== null && { [KEY_HEADER]: key }) };
  return pRetry(
    async () => {
      const request = { method: 'POST', url, headers, body, signal } as const;
      const answer = await http.send({ ...request, timeout_ms: TIMEOUT_MS, max_bytes: MAX_ANSWER_BYTES });
      return read(answer, new URL(url).host);
    },
    {
      retries: RETRIES,
      minTimeout: first_pause_ms,
      randomize: true,
      ...(signal && { signal }),
      shouldRetry: ({ error }) => isRetryable(error),
    },
  );
}

function read({ status, body }: HttpAnswer, host: string): PushAnswer['data'] {
  const value = jsonOf(body);
  const taken = PushAnswer.safeParse(value);
  if ((status === 200 || status === 201) && taken.success) return taken.data.data;
  const refusal = ErrorAnswer.safeParse(value);
  const { code = null, message, hint, problems } = refusal.success ? refusal.data.error : {};
  const facts = {
    host,
    status,
    answer: code,
    reason: message ?? 'what answers is no registry that takes stages',
    problems: problems ?? [],
  };
  throw new RegistryError('REGISTRY_PUSH_REFUSED', facts, {
    retryable: status >= 500 || LATER.has(status),
    ...hinted(status === 401 ? KEY_HINT : code === null ? ADDRESS_HINT : hint),
  });
}

const KEY_HINT = 'put a write key of the registry into NOETHER_REGISTRY_API_KEY';
const ADDRESS_HINT = 'ask for /health of the address: it has to be that of a registry';

function hinted(hint: string | null | undefined): { readonly hint?: string } {
  return hint === null || hint === undefined ? {} : { hint };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
