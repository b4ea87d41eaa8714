import { type Clock, epochMs, type Timestamp } from '@caloron/types';

/** How often the shell looks whether it was there all the time, in milliseconds. */
const LOOK_MS = 1000;

/** Milliseconds by which a look may be late, and by which the clock may have moved against the machine's own time, without a gap. */
const GAP_MS = 3000;

/** Whether this shell has been there to hear its agents. */
export interface Listening {
  /** Since when it has been, without a gap: its start, or the end of the last time at which it stood still or the clock was changed. */
  since(): Timestamp;
  /** When what says it was sent then was heard: now, or when the last gap began for what was under way in it. */
  heard(sent_at: Timestamp | null): Timestamp;
  close(): void;
}

/**
 * Notices that the machine slept, that this process was stopped, or that the clock was set: then no agent could be heard for a
 * while, and the silence is not theirs. `monotonic` gives milliseconds that no clock change moves; it stands still or goes on
 * while the machine sleeps.
 */
export function createListening(clock: Clock, monotonic: () => number): Listening {
  let since = clock.now();
  let gap_from = since;
  let last = { now: since, wall: epochMs(since), at: monotonic() };
  function look(): Timestamp {
    const now = clock.now();
    const next = { now, wall: epochMs(now), at: monotonic() };
    const passed_ms = next.at - last.at;
    const moved_ms = next.wall - last.wall - passed_ms;
    if (passed_ms > LOOK_MS + GAP_MS || Math.abs(moved_ms) > GAP_MS) {
      gap_from = last.now;
      since = now;
    }
    last = next;
    return now;
  }
  const timer = setInterval(look, LOOK_MS);
  timer.unref();
  return {
    since() {
      // Asked right after a gap, before the timer has come round.
      look();
      return since;
    },
    heard(sent_at) {
      const now = look();
      return sent_at !== null && sent_at < since ? gap_from : now;
    },
    close: () => clearInterval(timer),
  };
}
