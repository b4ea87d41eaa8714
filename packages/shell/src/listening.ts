import { type Clock, epochMs, type Timestamp } from '@caloron/types';

/** How often the shell looks whether it was there all the time, in milliseconds. */
const LOOK_MS = 1000;

/** Milliseconds by which a look may be late, and by which the clock may have moved against the machine's own time, without a gap. */
const GAP_MS = 3000;

/** Whether this shell has been there to hear its agents. */
export interface Listening {
  /** Since when it has been, without a gap: its start, or the end of the last time at which it stood still or the clock was changed. */
  since(): Timestamp;
  close(): void;
}

/**
 * Notices that the machine slept, that this process was stopped, or that the clock was set: then no agent could be heard for a
 * while, and the silence is not theirs. `monotonic` gives milliseconds that no clock change moves; it stands still or goes on
 * while the machine sleeps.
 */
export function createListening(clock: Clock, monotonic: () => number): Listening {
  let since = clock.now();
  let last = { wall: epochMs(since), at: monotonic() };
  function look(): void {
    const now = clock.now();
    const next = { wall: epochMs(now), at: monotonic() };
    const passed_ms = next.at - last.at;
    const moved_ms = next.wall - last.wall - passed_ms;
    if (passed_ms > LOOK_MS + GAP_MS || Math.abs(moved_ms) > GAP_MS) since = now;
    last = next;
  }
  const timer = setInterval(look, LOOK_MS);
  timer.unref();
  return {
    since() {
      // Asked right after a gap, before the timer has come round.
      look();
      return since;
    },
    close: () => clearInterval(timer),
  };
}
