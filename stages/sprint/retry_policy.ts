import { addMs, timestampOf, toTimestamp, type ActionError, type Timestamp } from '@caloron/types';

/** Times a retryable action is tried in all. */
const LIMIT = 5;
/** A forge that is still finding out whether a pull request merges is asked this often in all, this many milliseconds apart. */
const MERGE_LIMIT = 20;
const MERGE_DELAY_MS = 2_000;
/** The delay after the first failure; doubled by each further one up to the longest. */
const FIRST_DELAY_MS = 10_000;
const LONGEST_DELAY_MS = 300_000;

/** When a failed action is tried again; null when it is not. `attempts` counts the one that failed; `reset_at` is when a rate limit ends. */
export function nextAttempt(
  error: ActionError,
  attempts: number,
  now: Timestamp,
  reset_at: string | null,
): Timestamp | null {
  if (!error.retryable) return null;
  if (error.code === 'MERGE_NOT_KNOWN_YET') {
    return attempts < MERGE_LIMIT ? addMs(now, MERGE_DELAY_MS) : null;
  }
  if (attempts >= LIMIT) return null;
  const backoff = addMs(now, Math.min(FIRST_DELAY_MS * 2 ** (attempts - 1), LONGEST_DELAY_MS));
  const reset = reset_at === null ? undefined : toTimestamp(reset_at);
  return reset !== undefined && reset > backoff ? reset : backoff;
}

/** When the limit of a rate-limit error ends: its details' `reset_at` as text or as seconds since 1970; null for any other error. */
export function resetOf(error: unknown): Timestamp | null {
  if (typeof error !== 'object' || error === null || !('details' in error)) return null;
  const { details } = error;
  if (typeof details !== 'object' || details === null || !('reset_at' in details)) return null;
  const { reset_at } = details;
  if (typeof reset_at === 'string') return toTimestamp(reset_at) ?? null;
  return typeof reset_at === 'number' ? timestampOf(reset_at * 1_000) : null;
}
