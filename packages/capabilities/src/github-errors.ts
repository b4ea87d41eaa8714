import { addMs, type Timestamp, timestampOf } from '@caloron/types';
import { z } from 'zod';

import { ForgeError, type ForgeErrorDetails, type ForgeFacts } from './forge-errors.ts';

/** Longest part of a host's own words an error carries. */
const ANSWER_KEPT = 300;

/** How long to wait when a host limits requests without saying until when: GitHub asks for at least a minute. */
const UNKNOWN_LIMIT_MS = 60_000;

/** What octokit throws: a status, and an answer when one came. */
const Failure = z.object({
  status: z.number(),
  message: z.string(),
  cause: z.unknown().optional(),
  response: z.object({ headers: z.record(z.string(), z.unknown()), data: z.unknown() }).optional(),
});

/** What GitHub, Gitea and the local forge say when they refuse. */
const Refusal = z.object({
  message: z.string().catch(''),
  documentation_url: z.string().catch(''),
  errors: z.array(z.unknown()).catch([]),
});

/** What a failure is told with. */
export interface FailureContext {
  readonly host: string;
  readonly repo: string;
  readonly doing: string;
  readonly token: string;
  readonly now: () => Timestamp;
}

type Facts = {
  readonly [C in keyof ForgeErrorDetails]: ForgeErrorDetails[C] extends ForgeFacts ? C : never;
}[keyof ForgeErrorDetails];
type PlainCode = Exclude<Facts, 'FORGE_SELF_REVIEW' | 'FORGE_RATE_LIMITED' | undefined>;

const HINTS: Partial<Record<PlainCode, string>> = {
  FORGE_UNAUTHORIZED: 'make a new token on that host and set the variable again',
  FORGE_FORBIDDEN:
    'give the token read and write access to contents, issues and pull requests of the repository',
  FORGE_NOT_FOUND: 'check the spelling of the repository, and that the token may see it',
  FORGE_ANSWER_INVALID:
    'check the API address: Gitea and Forgejo end in /api/v1, GitHub Enterprise in /api/v3',
};

/** An error of the codes that carry the plain facts. */
export function forgeError(code: PlainCode, facts: ForgeFacts): ForgeError {
  const hint = HINTS[code];
  return new ForgeError(code, facts, {
    retryable: code === 'FORGE_UNAVAILABLE',
    ...(hint === undefined ? {} : { hint }),
  });
}

/** Whether a thrown value is one of these forge refusals. */
export function isForgeError(error: unknown, ...codes: readonly ForgeError['code'][]): error is ForgeError {
  return error instanceof ForgeError && codes.includes(error.code);
}

function shorten(text: string, token: string): string {
  const clean = token === '' ? text : text.replaceAll(token, '***');
  const line = clean.replaceAll(/\s+/g, ' ').trim();
  return line.length > ANSWER_KEPT ? `${line.slice(0, ANSWER_KEPT)}…` : line;
}

function networkReason(failure: z.output<typeof Failure>): string {
  const cause = z
    .object({ name: z.string(), code: z.unknown().optional(), cause: z.unknown().optional() })
    .safeParse(failure.cause);
  if (cause.success && cause.data.name === 'TimeoutError') return 'no answer in time';
  const inner = z.object({ code: z.string() }).safeParse(cause.success ? cause.data.cause : undefined);
  return inner.success ? `${failure.message} (${inner.data.code})` : failure.message;
}

function header(headers: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}

/** When the limit ends; undefined when the answer speaks of no limit. */
function limitEnd(
  status: number,
  headers: Readonly<Record<string, unknown>>,
  documentation_url: string,
  now: () => Timestamp,
): Timestamp | undefined {
  if (status !== 403 && status !== 429) return undefined;
  const after = Number(header(headers, 'retry-after'));
  if (Number.isFinite(after) && after >= 0) return addMs(now(), after * 1000);
  const reset = Number(header(headers, 'x-ratelimit-reset'));
  if (header(headers, 'x-ratelimit-remaining') === '0' && Number.isFinite(reset))
    return timestampOf(reset * 1000);
  if (status === 429 || documentation_url.includes('rate-limit')) return addMs(now(), UNKNOWN_LIMIT_MS);
  return undefined;
}

function isPage(headers: Readonly<Record<string, unknown>>): boolean {
  return (header(headers, 'content-type') ?? '').includes('text/html');
}

function plainCode(status: number): PlainCode {
  if (status >= 500 || status === 408) return 'FORGE_UNAVAILABLE';
  if (status < 400) return 'FORGE_ANSWER_INVALID';
  switch (status) {
    case 401:
      return 'FORGE_UNAUTHORIZED';
    case 403:
    case 451:
      return 'FORGE_FORBIDDEN';
    case 404:
    case 410:
      return 'FORGE_NOT_FOUND';
    case 409:
      return 'FORGE_CONFLICT';
    default:
      return 'FORGE_INVALID';
  }
}

/** The status a host answered with when the thrown value is an answer; undefined when none came. */
export function statusOf(error: unknown): number | undefined {
  const failure = Failure.safeParse(error);
  return failure.success && failure.data.response !== undefined ? failure.data.status : undefined;
}

/**
 * What octokit threw as a ForgeError. The thrown value itself is not kept as a cause: it holds the request with its headers.
 */
export function toForgeError(error: unknown, context: FailureContext): ForgeError {
  if (error instanceof ForgeError) return error;
  const { host, repo, doing, token, now } = context;
  const parsed = Failure.safeParse(error);
  if (!parsed.success || parsed.data.response === undefined) {
    const reason = parsed.success
      ? networkReason(parsed.data)
      : error instanceof Error
        ? error.message
        : String(error);
    return forgeError('FORGE_UNAVAILABLE', {
      host,
      repo,
      doing,
      status: null,
      answer: shorten(reason, token),
    });
  }
  const { status, response } = parsed.data;
  const refusal = Refusal.safeParse(response.data);
  const said = refusal.success
    ? [refusal.data.message, ...refusal.data.errors.map((entry) => JSON.stringify(entry))]
        .filter((part) => part !== '')
        .join(' ')
    : '';
  const facts = { host, repo, doing, status, answer: shorten(said, token) };
  const reset_at = limitEnd(
    status,
    response.headers,
    refusal.success ? refusal.data.documentation_url : '',
    now,
  );
  if (reset_at !== undefined)
    return new ForgeError('FORGE_RATE_LIMITED', { ...facts, reset_at }, { retryable: true });
  if (isPage(response.headers) && status < 500) {
    return forgeError('FORGE_ANSWER_INVALID', { ...facts, answer: 'a web page came instead of JSON' });
  }
  return forgeError(plainCode(status), facts);
}
