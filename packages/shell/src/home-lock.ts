import { readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

import type { Leases } from '@caloron/noether';
import { z } from 'zod';

import { ShellError } from './errors.ts';
import { bootId, isAlive, pidNamespace, statOf } from '@caloron/capabilities/process-identity';

/** Who serves a home. */
const Holder = z.object({
  pid: z.number().int().positive(),
  start_ticks: z.string().nullable(),
  boot_id: z.string(),
  pid_ns: z.string(),
});
type Holder = z.infer<typeof Holder>;

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
  const me: Holder = {
    pid: process.pid,
    start_ticks: statOf(process.pid)?.start_ticks ?? null,
    boot_id: bootId(),
    pid_ns: pidNamespace(),
  };
  const lease = await taking(leases, uuid());
  try {
    const holder = readHolder(file);
    if (holder !== undefined && holds(holder, file))
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
      const holder = readHolder(file);
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

function readHolder(file: string): Holder | undefined {
  try {
    return Holder.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    // No file, or one that was never finished: nobody holds the home.
    return undefined;
  }
}

function holds(holder: Holder, file: string): boolean {
  if (holder.boot_id !== bootId()) return false;
  if (holder.pid_ns === pidNamespace()) return isAlive(holder);
  // Another container's process cannot be seen: its touch can.
  const age_ms = performance.timeOrigin + performance.now() - statSync(file).mtimeMs;
  return age_ms < UNSEEN_MS;
}

function touch(file: string): void {
  const seconds = (performance.timeOrigin + performance.now()) / 1000;
  try {
    utimesSync(file, seconds, seconds);
  } catch {
    // Removed by hand: the next shell may start, and this one keeps its port.
  }
}
