import { addMs, type Clock, type Timestamp, timestampOf } from '@caloron/types';

/** The machine's clock: milliseconds, UTC. */
export const systemClock: Clock = { now: () => timestampOf(Date.now()) };

/** A clock that stands still until `advance` moves it by `ms` milliseconds; for tests and replays. */
export function fixedClock(at: Timestamp): Clock & { advance(ms: number): void } {
  let current = at;
  return {
    now: () => current,
    advance(ms) {
      current = addMs(current, ms);
    },
  };
}
