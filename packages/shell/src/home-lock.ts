import { rmSync, utimesSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

import { thisProcess } from '@caloron/capabilities/process-identity';
import type { Leases } from '@caloron/noether';

import { ShellError } from './errors.ts';
import { holderIn, holds, LockHolder } from './lock-holder.ts';

/** A home as held by this process. */
export interface HomeLock {
  release(): void;
}

/** How often the holder touches its file, and after how long without it a holder that cannot be seen counts as gone. */
const TOUCH_MS = 10_000;
const UNSEEN_MS = 30_000;

/** How long the one moment of taking a home may be held, and waited for. */
const TAKING_MS = 5000;

/**
 * Makes this process the only shell of a home. A holder that died, however, leaves nothing to wait for: its pid and start time
 * tell. Throws SHELL_ALREADY_RUNNING.
 */
export async function lockHome(options: {
  readonly home: string;
  readonly file: string;
  readonly leases: Leases;
  readonly uuid: () => string;
}): Promise<HomeLock> {
  const { home, file, leases, uuid } = options;
  const me = thisProcess();
  const lease = await taking(leases, uuid());
  try {
    const holder = holderIn(file, LockHolder);
    if (holder !== undefined && holds(holder, file, UNSEEN_MS))
      throw new ShellError('SHELL_ALREADY_RUNNING', { home, pid: holder.pid });
    writeFileSync(file, JSON.stringify(me), { mode: 0o600 });
  } finally {
    if (lease !== null) await leases.release(lease);
  }
  const timer = setInterval(() => touch(file), TOUCH_MS);
  timer.unref();
  return {
    release() {
      clearInterval(timer);
      const holder = holderIn(file, LockHolder);
      if (holder?.pid === me.pid && holder.start_ticks === me.start_ticks) rmSync(file, { force: true });
    },
  };
}

/** Two shells that start at once look at the file one after the other; one that died while looking is waited for. */
async function taking(leases: Leases, holder: string): Promise<Awaited<ReturnType<Leases['acquire']>>> {
  const deadline = performance.now() + 2 * TAKING_MS;
  for (;;) {
    const lease = await leases.acquire('shell:start', holder, TAKING_MS);
    if (lease !== null || performance.now() > deadline) return lease;
    await delay(50);
  }
}

function touch(file: string): void {
  const seconds = (performance.timeOrigin + performance.now()) / 1000;
  try {
    utimesSync(file, seconds, seconds);
  } catch {
    // Removed by hand: the next shell may start, and this one keeps its port.
  }
}
