import { CodedError, codeOf, isRetryable, messageOf } from '@caloron/noether/stage';
import type { ForgeAway, Timestamp } from '@caloron/types';

import { resetOf } from '../sprint/retry_policy.ts';

/** Whether the forge, or the way to it, has failed: what was asked may be answered later. */
export function isOutage(error: unknown): boolean {
  return codeOf(error).startsWith('FORGE_') && isRetryable(error);
}

/**
 * A failed poll as an outage of the forge: no answer, a fault of the host, a limit, a parked host. Undefined for anything a person has to
 * put right (a token, a name), which must fail the tick.
 */
export function awayOf(error: unknown, now: Timestamp, before: ForgeAway | undefined): ForgeAway | undefined {
  if (!isOutage(error)) return undefined;
  const code = codeOf(error);
  const until = resetOf(error);
  // Kept as it was told first: an outage that goes on is no news at every tick.
  if (before !== undefined && before.code === code && before.until === until) return before;
  return { since: before?.since ?? now, until, code, message: told(error, code) };
}

/** A page in place of an answer may be somebody's maintenance, or an address that was moved: the hint says where to look. */
function told(error: unknown, code: string): string {
  const hint = error instanceof CodedError ? error.hint : undefined;
  const message = messageOf(error);
  return code === 'FORGE_ANSWER_INVALID' && hint !== undefined ? `${message} (${hint})` : message;
}

/** In words for a person: since when the forge is away, why, and when it is asked again. */
export function awayWords({ since, until, code, message }: ForgeAway): string {
  const again = until === null ? 'it is asked again at every tick' : `it is asked again from ${until} on`;
  return `away since ${since}; ${again}, and nothing is lost meanwhile. ${code}: ${message}`;
}
