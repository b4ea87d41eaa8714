import { list, NULL, NUMBER, record, TEXT, union } from '@caloron/noether/stage';
import type { Http, HttpAnswer, HttpRequest } from '@caloron/types';
import { z } from 'zod';

import { mapOf, TextMap } from '../shape.ts';

/** Longest an exchange may take unless its input says so, in milliseconds. */
const TIMEOUT_MS = 30_000;
/** Largest body unless the input says so: 10 MiB. */
const MAX_BYTES = 10_485_760;
/** Largest body an input may ask for: 256 MiB, which a run has to hold several times. */
const MOST_BYTES = 268_435_456;
/** Longest wait a timer holds, in milliseconds. */
const LONGEST_MS = 2_147_483_647;

/** What every request may say. */
export const Request = z.object({
  url: z.string(),
  headers: TextMap.nullish(),
  /** For the whole exchange, in milliseconds; 30 000 unless told. */
  timeout_ms: z.int().min(1).max(LONGEST_MS).nullish(),
  /** Largest body to read, in bytes; 10 MiB unless told. */
  max_bytes: z.int().min(0).max(MOST_BYTES).nullish(),
});

/** What a request with a body says beside that; `content_type` is application/json unless told. */
export const Upload = Request.extend({ body: z.string(), content_type: z.string().nullish() });

/** What came back. */
export const Answer = z.object({ body: z.string(), headers: TextMap, status: z.number() });

const TEXTS = mapOf(TEXT);

/** The original's types of what these schemas describe. */
export const TYPES = {
  request: record({ headers: union([TEXTS, NULL]), url: TEXT }),
  upload: record({
    body: TEXT,
    content_type: union([NULL, TEXT]),
    headers: union([TEXTS, NULL]),
    url: TEXT,
  }),
  answer: record({ body: TEXT, headers: TEXTS, status: NUMBER }),
} as const;

/** The types of this library's own requests, which name their limits too. */
const limits = { timeout_ms: union([NUMBER, NULL]), max_bytes: union([NUMBER, NULL]) };

/** The type of a request with further fields. */
export function requestType(more: Parameters<typeof record>[0] = {}): ReturnType<typeof record> {
  return record({ headers: union([TEXTS, NULL]), url: TEXT, ...limits, ...more });
}

/** The type of a list of methods, for display. */
export const METHODS = list(TEXT);

/** Sends a request without body. */
export function ask(
  http: Http,
  method: HttpRequest['method'],
  { url, headers, timeout_ms, max_bytes }: z.output<typeof Request>,
  signal?: AbortSignal,
): Promise<HttpAnswer> {
  return http.send({
    method,
    url,
    headers: headers ?? {},
    body: null,
    timeout_ms: timeout_ms ?? TIMEOUT_MS,
    max_bytes: max_bytes ?? MAX_BYTES,
    signal,
  });
}
