import type { Timestamp } from '@caloron/types';
import { z } from 'zod';

import { ForgeError, type ForgeErrorDetails, type ForgeFacts } from './forge-errors.ts';
import { AnswerAbandoned, MAX_ANSWER_BYTES } from './github-fetch.ts';
import { hintOf } from './github-hints.ts';
import { type AnswerHeaders, headerOf, limitEnd } from './github-limits.ts';

/** Longest part of a host's own words an error carries. */
const ANSWER_KEPT = 300;

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
  /** Path below the repository, without a query; null for what lies beside it. */
  readonly path: string | null;
  /** Whether the host has answered about this repository before. */
  readonly seen: boolean;
}

type Facts = {
  readonly [C in keyof ForgeErrorDetails]: ForgeErrorDetails[C] extends ForgeFacts ? C : never;
}[keyof ForgeErrorDetails];
type PlainCode = Exclude<Facts, 'FORGE_SELF_REVIEW' | 'FORGE_RATE_LIMITED' | 'FORGE_PARKED' | undefined>;

const HINTS: Partial<Record<PlainCode, string>> = {
  FORGE_UNAUTHORIZED: 'make a new token on that host and set the variable again',
  FORGE_FORBIDDEN:
    'give the token read and write access to contents, issues and pull requests of the repository',
  FORGE_NOT_FOUND: 'check the spelling of the repository, and that the token may see it',
  FORGE_ANSWER_INVALID:
    'check the API address: Gitea and Forgejo end in /api/v1, GitHub Enterprise in /api/v3',
};

const LIMIT_HINT = 'ticks go on by themselves then; ./caloron status says what is left of the limit';

/** An error of the codes that carry the plain facts. */
export function forgeError(code: PlainCode, facts: ForgeFacts, told?: string): ForgeError {
  const hint = told ?? HINTS[code];
  return new ForgeError(code, facts, {
    retryable: code === 'FORGE_UNAVAILABLE',
    ...(hint === undefined ? {} : { hint }),
  });
}

/**
 * FORGE_ANSWER_INVALID of an answer that somebody between us and the forge gives for a while: a page of maintenance or of a network's
 * sign-in, nothing at all, a redirect that says that it is temporary. Retryable.
 */
export function passingAnswer(facts: ForgeFacts): ForgeError {
  const hint = HINTS.FORGE_ANSWER_INVALID;
  return new ForgeError('FORGE_ANSWER_INVALID', facts, {
    retryable: true,
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

function isPage(headers: Readonly<Record<string, unknown>>): boolean {
  return (headerOf(headers, 'content-type') ?? '').includes('text/html');
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
  const { host, repo, doing, token, now, path, seen } = context;
  if (error instanceof AnswerAbandoned) return abandoned(error, { host, repo, doing, status: null });
  const parsed = Failure.safeParse(error);
  if (!parsed.success || parsed.data.response === undefined) {
    const reason = parsed.success
      ? networkReason(parsed.data)
      : error instanceof Error
        ? error.message
        : String(error);
    const answer = shorten(reason, token);
    return forgeError('FORGE_UNAVAILABLE', { host, repo, doing, status: null, answer });
  }
  const { status, response } = parsed.data;
  const { headers } = response;
  const refusal = Refusal.safeParse(response.data).data ?? { message: '', documentation_url: '', errors: [] };
  const said = [refusal.message, ...refusal.errors.map((entry) => JSON.stringify(entry))]
    .filter((part) => part !== '')
    .join(' ');
  const facts = { host, repo, doing, status, answer: shorten(said, token) };
  const reset_at = limitEnd(status, headers, refusal, now());
  if (reset_at !== undefined)
    return new ForgeError(
      'FORGE_RATE_LIMITED',
      { ...facts, reset_at },
      { retryable: true, hint: LIMIT_HINT },
    );
  if (isPage(headers) && status < 500) {
    return forgeError('FORGE_ANSWER_INVALID', { ...facts, answer: 'a web page came instead of JSON' });
  }
  return forgeError(plainCode(status), facts, hintOf({ status, headers, said, repo, path, seen }));
}

function abandoned({ why }: AnswerAbandoned, facts: Omit<ForgeFacts, 'answer'>): ForgeError {
  if (why === 'too_late') return forgeError('FORGE_UNAVAILABLE', { ...facts, answer: 'no answer in time' });
  const answer = `the answer is longer than ${String(MAX_ANSWER_BYTES / 1024 / 1024)} MB and was not read`;
  return forgeError('FORGE_ANSWER_TOO_LARGE', { ...facts, answer });
}

/** The headers of the answer a thrown value is; undefined when none came. */
export function headersOf(error: unknown): AnswerHeaders | undefined {
  const failure = Failure.safeParse(error);
  return failure.success ? failure.data.response?.headers : undefined;
}
