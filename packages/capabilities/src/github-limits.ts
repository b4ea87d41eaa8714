import { addMs, epochMs, type Timestamp, timestampOf } from '@caloron/types';

/** An answer's headers, names in lower case. */
export type AnswerHeaders = Readonly<Record<string, unknown>>;

/** How long to wait when a host limits requests without saying until when: GitHub asks for at least a minute. */
const UNKNOWN_LIMIT_MS = 60_000;
/** The longest wait that is believed: GitHub's and the local forge's windows are an hour. */
const LONGEST_LIMIT_MS = 3_600_000;
/** A host's clock is told in whole seconds, and its answer takes a while: less than this apart are the same time. */
const SAME_TIME_MS = 5_000;
/** A reset a moment ago is asked for again after this. */
const JUST_OVER_MS = 1_000;

/** What a host calls its second limit where no header tells of it. Source: GitHub's documentation, "Exceeding the rate limit". */
const SECONDARY_WORDS = /secondary rate limit|abuse detection|rate limit exceeded/i;

/** One header as text; undefined when it is absent. */
export function headerOf(headers: AnswerHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}

function numberOf(headers: AnswerHeaders, name: string): number | undefined {
  const text = headerOf(headers, name);
  return text === undefined || !/^\d+$/.test(text.trim()) ? undefined : Number(text);
}

/** Milliseconds the host's clock is ahead of ours, by its Date header; 0 where they agree or it has none. */
export function skewMs(headers: AnswerHeaders, now: Timestamp): number {
  const skew = Date.parse(headerOf(headers, 'date') ?? '') - epochMs(now);
  return Number.isNaN(skew) || Math.abs(skew) < SAME_TIME_MS ? 0 : skew;
}

/** An instant of the host's clock by ours, at least a second from now and at most an hour. */
function ahead(host_ms: number, headers: AnswerHeaders, now: Timestamp): Timestamp {
  const wait = host_ms - skewMs(headers, now) - epochMs(now);
  return addMs(now, Math.min(Math.max(wait, JUST_OVER_MS), LONGEST_LIMIT_MS));
}

/** How many requests a host still answers in its window, as it says itself. */
export interface ToldLimit {
  readonly limit: number;
  readonly remaining: number;
  /** When the window ends, by our clock. */
  readonly reset_at: Timestamp;
}

/** The `x-ratelimit-*` headers of the API's main limit; undefined where a host has none (Gitea) or speaks of another limit. */
export function toldLimit(headers: AnswerHeaders, now: Timestamp): ToldLimit | undefined {
  if ((headerOf(headers, 'x-ratelimit-resource') ?? 'core') !== 'core') return undefined;
  const limit = numberOf(headers, 'x-ratelimit-limit');
  const remaining = numberOf(headers, 'x-ratelimit-remaining');
  const reset = numberOf(headers, 'x-ratelimit-reset');
  if (limit === undefined || remaining === undefined || reset === undefined || limit === 0) return undefined;
  return { limit, remaining, reset_at: ahead(reset * 1000, headers, now) };
}

/** Until when a Retry-After asks to wait: seconds, or a date of the host's clock. */
function retryAfter(headers: AnswerHeaders, now: Timestamp): Timestamp | undefined {
  const seconds = numberOf(headers, 'retry-after');
  if (seconds !== undefined) return addMs(now, Math.min(seconds * 1000, LONGEST_LIMIT_MS));
  const date = Date.parse(headerOf(headers, 'retry-after') ?? '');
  return Number.isNaN(date) ? undefined : ahead(date, headers, now);
}

/**
 * When the limit ends that a refusal speaks of, by our clock and at most an hour from now; undefined when it speaks of no limit.
 * A second limit may be told by words alone.
 */
export function limitEnd(
  status: number,
  headers: AnswerHeaders,
  said: { readonly message: string; readonly documentation_url: string },
  now: Timestamp,
): Timestamp | undefined {
  if (status !== 403 && status !== 429) return undefined;
  const after = retryAfter(headers, now);
  if (after !== undefined) return after;
  const reset = numberOf(headers, 'x-ratelimit-reset');
  if (numberOf(headers, 'x-ratelimit-remaining') === 0 && reset !== undefined)
    return ahead(reset * 1000, headers, now);
  const limited =
    status === 429 || said.documentation_url.includes('rate-limit') || SECONDARY_WORDS.test(said.message);
  return limited ? addMs(now, UNKNOWN_LIMIT_MS) : undefined;
}

/** Whether a limit's refusal is the window that is used up; else the host asks for a slower pace. */
export function isUsedUp(headers: AnswerHeaders): boolean {
  return numberOf(headers, 'x-ratelimit-remaining') === 0;
}

/** When the token of a request expires or expired, by our clock; undefined where the host does not say. */
export function tokenExpiry(headers: AnswerHeaders): Timestamp | undefined {
  const text = headerOf(headers, 'github-authentication-token-expiration');
  const ms = Date.parse((text ?? '').replace(/ (UTC|[+-]\d{4})$/, (zone) => (zone === ' UTC' ? 'Z' : zone)));
  return Number.isNaN(ms) ? undefined : timestampOf(ms);
}
