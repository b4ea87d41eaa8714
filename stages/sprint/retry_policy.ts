import {
  addMs,
  timestampOf,
  toTimestamp,
  type ActionError,
  type EndCause,
  type Timestamp,
} from '@caloron/types';

/** Times a retryable action is tried in all. */
const LIMIT = 5;
/** A forge that is still finding out whether a pull request merges is asked this often in all. */
const MERGE_LIMIT = 20;
/** Milliseconds between two looks at such a merge, by the code that says so: a look is a read, and a refusal was a write. */
const MERGE_DELAYS: ReadonlyMap<string, number> = new Map([
  ['MERGE_NOT_KNOWN_YET', 2_000],
  ['FORGE_MERGE_UNSETTLED', 10_000],
]);
/** The delay after the first failure; doubled by each further one up to the longest. */
const FIRST_DELAY_MS = 10_000;
const LONGEST_DELAY_MS = 300_000;

/** Of a backoff at most this part is left out, so that what failed together does not come back together. */
const JITTER = 0.2;
/** A limit that is over draws everybody at once: milliseconds over which its tasks are spread after it. */
const AFTER_LIMIT_MS = 30_000;
/** What is waited for a quota whose end nobody told, and the longest that is believed of one that was told. */
const UNTOLD_QUOTA_MS = 900_000;
const LONGEST_LIMIT_MS = 31 * 86_400_000;

/** Milliseconds after the n-th failure, from 1: 10 s, doubled by each further one, at most 5 min. */
export function backoffMs(failures: number): number {
  return Math.min(FIRST_DELAY_MS * 2 ** (Math.max(failures, 1) - 1), LONGEST_DELAY_MS);
}

/** When a provider's limit ends that was met at `at`; null when it does not say and is no quota. */
export function limitEnd(cause: Pick<EndCause, 'class' | 'until'>, at: Timestamp): Timestamp | null {
  const told = cause.until === null ? undefined : toTimestamp(cause.until);
  if (told !== undefined) {
    const longest = addMs(at, LONGEST_LIMIT_MS);
    return told > longest ? longest : told;
  }
  return cause.class === 'quota' ? addMs(at, UNTOLD_QUOTA_MS) : null;
}

/**
 * When an agent's run is tried again that ended at `at` as the n-th failure: after its backoff less up to a fifth, and never before `until`.
 * `seed` stands for chance: the same run is always tried again at the same instant.
 */
export function nextRun(failures: number, at: Timestamp, until: Timestamp | null, seed: string): Timestamp {
  const chance = chanceOf(seed);
  const backoff = addMs(at, Math.round(backoffMs(failures) * (1 - JITTER * chance)));
  const after = until === null ? backoff : addMs(until, Math.round(AFTER_LIMIT_MS * chance));
  return after > backoff ? after : backoff;
}

/** A text as a number from 0 to 1, evenly spread. Source: FNV-1a, 32 bits, with the final mix of MurmurHash3. */
function chanceOf(seed: string): number {
  let hash = 0x811c9dc5;
  for (const char of seed) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 0xffffffff;
}

/** Whether a merge whose forge is still finding out is not looked at again; `attempts` counts this look. */
export function isLastLook(attempts: number): boolean {
  return attempts >= MERGE_LIMIT;
}

/** When a failed action is tried again; null when it is not. `attempts` counts the one that failed; `reset_at` is when a rate limit ends. */
export function nextAttempt(
  error: ActionError,
  attempts: number,
  now: Timestamp,
  reset_at: string | null,
): Timestamp | null {
  // The poll brings the head it moved to; where it does not, forge and state disagree, and that may pass.
  if (!error.retryable && error.code !== 'FORGE_HEAD_MOVED') return null;
  const look = MERGE_DELAYS.get(error.code);
  if (look !== undefined) return isLastLook(attempts) ? null : addMs(now, look);
  if (attempts >= LIMIT) return null;
  const backoff = addMs(now, backoffMs(attempts));
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
