import { setTimeout as delay } from 'node:timers/promises';

import type { Clock, Timer } from '@caloron/types';

/** The machine's timers. */
export function createTimer(clock: Clock): Timer {
  return {
    async sleep(ms, signal) {
      try {
        await delay(ms, undefined, signal === undefined ? {} : { signal });
      } catch (error) {
        signal?.throwIfAborted();
        throw error;
      }
      return clock.now();
    },
  };
}
