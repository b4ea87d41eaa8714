import type { Cron } from './cron.ts';

const MINUTE_MS = 60_000;

/** So many slots are counted one by one; a job of each minute passes them in a week. */
const COUNTED = 10_000;

/** What was due between two looks at the clock. */
export interface PassedSlots {
  /** The latest slot that is due, milliseconds since 1970. */
  readonly newest: number;
  /** Those before it, which nothing fired; null where it is the only one. */
  readonly earlier: { readonly first: number; readonly last: number; readonly count: number } | null;
}

/** The slots in (after, now]; null without one. More than `COUNTED` earlier ones are counted as so many. */
export function passedSlots(cron: Cron, after_ms: number, now_ms: number): PassedSlots | null {
  const first = cron.next(after_ms);
  if (first === null || first > now_ms) return null;
  const newest = newestSlot(cron, first, now_ms);
  if (newest === first) return { newest, earlier: null };
  let last = first;
  let count = 1;
  for (let at = cron.next(first); at !== null && at < newest && count < COUNTED; at = cron.next(at)) {
    last = at;
    count += 1;
  }
  return { newest, earlier: { first, last, count } };
}

/** From ever longer ago, so that a year of minutes is not walked through. */
function newestSlot(cron: Cron, first: number, now_ms: number): number {
  let begin = first;
  for (let back = MINUTE_MS; now_ms - back > first; back *= 2) {
    const found = cron.next(now_ms - back);
    if (found !== null && found <= now_ms) {
      begin = found;
      break;
    }
  }
  let newest = begin;
  for (let at = cron.next(begin); at !== null && at <= now_ms; at = cron.next(at)) newest = at;
  return newest;
}

/** A slot as it is named: its instant, whole seconds. */
export function slotName(slot_ms: number): string {
  return new Date(slot_ms).toISOString().replace('.000Z', 'Z');
}
