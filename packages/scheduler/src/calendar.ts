import type { Fire, JobState } from './job-state.ts';
import { type PassedSlots, passedSlots, slotName } from './passed-slots.ts';

/** A slot found due within this many milliseconds, or within the jitter of its job, is fired; one that is older was missed. */
export const LATE_MS = 60_000;

/** What a look at the clock has found for a job. */
export interface Found {
  /** The slot to fire, within so many milliseconds from now; null when what was due is too old. */
  readonly fire: (Fire & { readonly within_ms: number }) | null;
  /** What is not fired, and why. */
  readonly skipped: { readonly slot: string; readonly reason: string } | null;
}

/**
 * Looks at the clock for a job: what became due since the last look. A clock put back shows slots again, and their claims keep
 * them from firing twice; one put forward, a machine that slept and a scheduler that was down have missed slots, of which
 * `misfire` says whether the latest is made up for.
 */
export function lookAtClock(state: JobState, now_ms: number): Found | null {
  if (now_ms < state.checked_ms) {
    state.checked_ms = now_ms;
    state.next_ms = state.cron.next(now_ms);
  }
  const { checked_ms, next_ms, cron } = state;
  if (next_ms === null || now_ms < next_ms) return null;
  const passed = passedSlots(cron, checked_ms, now_ms);
  state.checked_ms = now_ms;
  state.next_ms = cron.next(now_ms);
  return passed === null ? null : decide(state, passed, now_ms);
}

function decide({ job }: JobState, { newest, earlier }: PassedSlots, now_ms: number): Found {
  const slot = slotName(newest);
  const jitter_ms = job.jitter_s * 1_000;
  const missed = now_ms - newest > LATE_MS + jitter_ms;
  if (missed && job.misfire === 'skip') {
    const range = { first: earlier?.first ?? newest, last: newest, count: (earlier?.count ?? 0) + 1 };
    return { fire: null, skipped: { slot, reason: missedReason(range) } };
  }
  // Of a jitter that began before a scheduler was there, the rest is left.
  const within_ms = missed ? jitter_ms : Math.max(0, newest + jitter_ms - now_ms);
  return {
    fire: { slot, cause: missed ? 'misfire' : 'cron', within_ms },
    skipped: earlier === null ? null : { slot: slotName(earlier.last), reason: missedReason(earlier) },
  };
}

function missedReason({ first, last, count }: NonNullable<PassedSlots['earlier']>): string {
  if (count === 1) return 'missed: no scheduler looked at the clock then';
  return `missed, with the ${count - 1} before it since ${slotName(first)}: no scheduler looked at the clock until after ${slotName(last)}`;
}
