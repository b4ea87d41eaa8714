/** How often the time is looked at, in milliseconds. */
const LOOK_MS = 500;

/** Milliseconds between two looks beyond which this process, or the whole machine, stood still. */
const GAP_MS = 2500;

/** Milliseconds this process has been awake: what it slept through, stopped or with its machine, is not its agent's silence. */
export interface AwakeTime {
  now(): number;
  close(): void;
}

/** Counts from zero by `monotonic`, in milliseconds, which no clock change moves. */
export function createAwakeTime(monotonic: () => number): AwakeTime {
  let last = monotonic();
  let awake = 0;
  function look(): number {
    const at = monotonic();
    const passed = at - last;
    awake += passed > GAP_MS ? LOOK_MS : passed;
    last = at;
    return awake;
  }
  const timer = setInterval(look, LOOK_MS);
  timer.unref();
  return { now: look, close: () => clearInterval(timer) };
}
