import { addMs, epochMs, type EndCause, type EndClass, type Timestamp } from '@caloron/types';

import type { Trouble } from './frameworks/trouble.ts';
import { resetTime } from './reset-time.ts';

/** Characters of a program's words that a cause keeps. */
const SENTENCE_CHARS = 300;

/** Milliseconds of the longest limit that is believed: a year and a bit. */
const LONGEST_MS = 400 * 86_400_000;

/** Where and when a run ended. */
export interface EndFacts {
  readonly provider: string;
  readonly now: Timestamp;
  /** IANA name of the zone that times without one are in. */
  readonly zone: string;
}

/**
 * The words of each class, tried from the top: a refusal for want of money speaks of quotas too, and a used-up quota of rate limits.
 * Sources: the error answers of Anthropic's, OpenAI's and Google's interfaces, and what the command-line agents make of them.
 */
const WORDS: readonly (readonly [EndClass, RegExp])[] = [
  [
    'billing',
    /insufficient[_ ](?:quota|credits?|funds|balance)|credit balance|out of credits|payment required|billing_error|billing (?:hard )?limit|quota exceeded\. check your plan and billing|billing to be enabled|BILLING_DISABLED|spend(?:ing)? limit (?:reached|exceeded)/i,
  ],
  [
    'quota',
    /(?:usage|session|weekly|daily|monthly|5-hour|opus|sonnet|requests) limit(?:s will reset| (?:reached|exceeded)|\b)|usage_limit|(?:hit|reached) your (?:[\w-]+ ){0,3}limit|exhausted your (?:[\w-]+ )?(?:capacity|quota)|quota will reset|exceeded your current quota|PerDay|per day|free-models-per-day|TerminalQuota|quota exceeded for/i,
  ],
  [
    'rate_limit',
    /rate[_ -]?limit|too many requests|resource[_ ](?:has been )?exhausted|(?:tokens|requests) per (?:min|second)|PerMinute|throttl/i,
  ],
  [
    'auth',
    /authentication[_ ]?(?:error|required|failed)|failed to authenticate|authenticat\w+Error|(?:invalid|incorrect|missing|no) (?:x-)?api[ _-]?key|api[ _-]?key (?:not valid|(?:is )?invalid|expired|not found)|API_KEY_INVALID|unauthorized|unauthenticated|not logged in|please (?:run )?\/?log ?in|login required|token (?:has )?(?:expired|been revoked)|permission_?(?:error|denied)|oauth_org_not_allowed|set an auth method|provider\.?auth|sign in again/i,
  ],
  [
    'transient',
    /overloaded|internal[_ ]server[_ ]error|service[_ ]unavailable|bad gateway|gateway time-?out|server_error|api_error|timed out|timeout|ECONN(?:RESET|REFUSED|ABORTED)|ENOTFOUND|ETIMEDOUT|EAI_AGAIN|EPIPE|socket hang up|fetch failed|connection (?:error|reset|refused|closed|lost)|network error|stream disconnected|error sending request|no capacity available|high demand|try again later|API Error: terminated/i,
  ],
];

/** Why a run ended that met this trouble. */
export function classify(trouble: Trouble, facts: EndFacts): EndCause {
  const kind = trouble.class ?? classOf(trouble, facts.provider);
  const theirs = kind !== 'crash' && kind !== 'timeout' && kind !== 'gave_up';
  return {
    class: kind,
    until: kind === 'quota' || kind === 'rate_limit' ? untilOf(trouble, facts) : null,
    provider: theirs ? facts.provider : null,
    sentence: sentenceOf(trouble.message),
  };
}

function classOf({ message, status: given }: Trouble, provider: string): EndClass {
  // Google sends those who have used up their free quota to its billing pages; OpenAI, and who speaks as it does, those who have not paid.
  const unpaid =
    /exceeded your current quota.*billing/is.test(message) && !/google|gemini|vertex/i.test(provider);
  if (unpaid) return 'billing';
  const status = given ?? statusIn(message);
  const [billing, quota, ...others] = WORDS;
  for (const [kind, words] of [billing, quota].filter((row) => row !== undefined))
    if (words.test(message)) return kind;
  const of_status = status === undefined ? undefined : classOfStatus(status);
  return of_status ?? others.find(([, words]) => words.test(message))?.[0] ?? 'crash';
}

function classOfStatus(status: number): EndClass | undefined {
  if (status === 429) return 'rate_limit';
  if (status === 402) return 'billing';
  if (status === 401 || status === 403) return 'auth';
  return status === 408 || status >= 500 ? 'transient' : undefined;
}

/** The HTTP status a message speaks of. */
function statusIn(message: string): number | undefined {
  const found =
    /(?:API Error|unexpected status|last status|status(?:[ _]?code)?|error code|HTTP|"code")"?\s*[:=]?\s*"?([1-5]\d{2})\b/i.exec(
      message,
    );
  return found === null ? undefined : Number(found[1]);
}

function untilOf({ message, reset_at, reset_in_ms }: Trouble, { now, zone }: EndFacts): Timestamp | null {
  if (reset_at !== undefined) return reset_at;
  const longest = addMs(now, LONGEST_MS);
  if (reset_in_ms !== undefined) return reset_in_ms < LONGEST_MS ? addMs(now, reset_in_ms) : longest;
  const told = resetTime(message, now, zone);
  return told !== null && epochMs(told) > epochMs(longest) ? longest : told;
}

/** The words of a cause: one line, without what looks like a key. */
export function sentenceOf(message: string): string {
  const line = message
    .replaceAll(/\b(?:sk|pk|key|gh[opsu]|xox[a-z]|AIza)[-_]?[\w*.-]{8,}/g, '…')
    .replaceAll(/\s+/g, ' ')
    .trim();
  return line.slice(0, SENTENCE_CHARS).toWellFormed();
}
