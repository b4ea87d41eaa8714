/** Of a wall-clock second, the part a process tree must compute to count as at work: one second in a minute. A program that only waits, with timers and a spinner, stays below. */
const SHARE = 1 / 60;

/** Milliseconds of processor time that are needed however short the time is: below it /proc counts too coarsely. */
const LEAST_MS = 50;

/** Milliseconds of wall clock after which what was used is forgotten: a trickle does not add up to work. */
const WINDOW_MS = 60_000;

/** Tells whether processes are at work by the processor time they use. */
export interface CpuWatch {
  /** Whether they worked since the last look that found so, or in the last minute. */
  worked(): boolean;
}

/** Watches a growing sum of processor time; both functions give milliseconds, `monotonic` from any start. */
export function createCpuWatch(used: () => number, monotonic: () => number): CpuWatch {
  let from = { used: used(), at: monotonic() };
  return {
    worked() {
      const now = { used: used(), at: monotonic() };
      const cpu_ms = now.used - from.used;
      const wall_ms = now.at - from.at;
      const worked = cpu_ms >= Math.max(LEAST_MS, wall_ms * SHARE);
      // A sum that fell lost an ended process: it is counted from here.
      if (worked || cpu_ms < 0 || wall_ms >= WINDOW_MS) from = now;
      return worked;
    },
  };
}
