import { type NType, NULL, NUMBER, record, TEXT, union } from '@caloron/noether/stage';
import type { Http, HttpAnswer, HttpRequest } from '@caloron/types';
import { z } from 'zod';

import { mapOf } from '../shape.ts';

/** Longest an exchange may take unless its input says so, in milliseconds. */
const TIMEOUT_MS = 30_000;
/** Largest body unless the input says so: 10 MiB. */
const MAX_BYTES = 10_485_760;
/** Largest body an input may ask for: 256 MiB, which a run has to hold several times. */
const MOST_BYTES = 268_435_456;
/** Longest wait a timer holds, in milliseconds. */
const LONGEST_MS = 2_147_483_647;

/** Headers that are credentials, in whatever case they are written: no trace and no error shows their values. */
const CREDENTIALS = [
  'api-key',
  'apikey',
  'authentication',
  'authorization',
  'cookie',
  'deploy-token',
  'job-token',
  'private-token',
  'proxy-authorization',
  'set-cookie',
  'x-access-token',
  'x-amz-security-token',
  'x-api-key',
  'x-auth-token',
  'x-caloron-token',
  'x-csrf-token',
  'x-gitlab-token',
  'x-goog-api-key',
  'x-session-token',
  'x-vault-token',
  'x-xsrf-token',
];

/** Names and values of headers. */
const Headers = z
  .object(Object.fromEntries(CREDENTIALS.map((name) => [name, z.string().meta({ secret: true }).optional()])))
  .catchall(z.string()) as unknown as z.ZodType<
  Readonly<Record<string, string>>,
  Readonly<Record<string, string>>
>;

/** What every request says. */
export const Request = z.object({
  url: z.string(),
  headers: Headers.nullish(),
  /** For the whole exchange, in milliseconds; 30 000 unless told. */
  timeout_ms: z.int().min(1).max(LONGEST_MS).nullish(),
  /** Largest body to read, in bytes; 10 MiB unless told. */
  max_bytes: z.int().min(0).max(MOST_BYTES).nullish(),
});

/** What a request with a body says beside that; the content type is application/json unless told, here or in a header. */
export const Upload = Request.extend({ body: z.string(), content_type: z.string().nullish() });

/** What came back. */
export const Answer = z.object({ body: z.string(), headers: Headers, status: z.number() });

const HEADERS = union([mapOf(TEXT), NULL]);
const OPTIONAL_TEXT = union([TEXT, NULL]);
const OPTIONAL_NUMBER = union([NUMBER, NULL]);

/** The original's type of a request without body. */
export const REQUEST: NType = record({ headers: HEADERS, url: TEXT });

/** The original's type of a request with a body. */
export const UPLOAD: NType = record({
  headers: HEADERS,
  url: TEXT,
  body: TEXT,
  content_type: OPTIONAL_TEXT,
});

/** The original's type of an answer. */
export const ANSWER: NType = record({ body: TEXT, headers: mapOf(TEXT), status: NUMBER });

/** The type of this library's own requests, which name their limits, with further fields. */
export function requestType(more: { readonly [field: string]: NType } = {}): NType {
  const limits = { timeout_ms: OPTIONAL_NUMBER, max_bytes: OPTIONAL_NUMBER };
  return record({ headers: HEADERS, url: TEXT, ...limits, ...more });
}

/** The type of a body that may be left out, and of its content type. */
export const OPTIONAL_BODY: { readonly [field: string]: NType } = {
  body: OPTIONAL_TEXT,
  content_type: OPTIONAL_TEXT,
};

/** A request as a stage got it. */
type Given = z.output<typeof Request> & {
  readonly body?: string | null | undefined;
  readonly content_type?: string | null | undefined;
};

/** Sends a request; one with a body has one content type, the header's where it names one. */
export function exchange(
  http: Http,
  method: HttpRequest['method'],
  given: Given,
  signal: AbortSignal | undefined,
): Promise<HttpAnswer> {
  const headers = given.headers ?? {};
  const body = given.body ?? null;
  const named = Object.keys(headers).some((name) => name.toLowerCase() === 'content-type');
  const type = body === null || named ? {} : { 'content-type': given.content_type ?? 'application/json' };
  return http.send({
    method,
    url: given.url,
    headers: Object.fromEntries([...Object.entries(type), ...Object.entries(headers)]),
    body,
    timeout_ms: given.timeout_ms ?? TIMEOUT_MS,
    max_bytes: given.max_bytes ?? MAX_BYTES,
    signal,
  });
}
