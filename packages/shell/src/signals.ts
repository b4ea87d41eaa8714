import { setTimeout as delay } from 'node:timers/promises';

import { runs, statOf } from '@caloron/capabilities/process-identity';

/** How often a group that should end is looked at, in milliseconds. */
const LOOK_MS = 25;

/** How often all processes of the machine are searched for further members while known ones live, in milliseconds. */
const SEARCH_MS = 250;

/** How long the kernel may take to end a killed process, in milliseconds. */
const KILLED_MS = 10_000;

/**
 * Sends a signal to a process (`pid` > 0) or a group (`-pgid`); false when there is nobody left. One that took another user's
 * rights gets none: it survives, and keeps nobody else from being ended.
 */
export function signal(pid: number, name: 'SIGTERM' | 'SIGKILL'): boolean {
  try {
    return process.kill(pid, name);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false;
    if (error instanceof Error && 'code' in error && error.code === 'EPERM') return true;
    throw error;
  }
}

/** Waits until `members` finds nobody; false when `timeout_ms` went by first. Between searches only those found are looked at. */
export async function gone(
  members: () => readonly { readonly pid: number }[],
  timeout_ms: number,
): Promise<boolean> {
  const deadline = performance.now() + timeout_ms;
  for (let found = members(); found.length > 0; found = members()) {
    const search_at = performance.now() + SEARCH_MS;
    do {
      if (performance.now() >= deadline) return members().length === 0;
      await delay(LOOK_MS);
    } while (performance.now() < search_at && found.some(({ pid }) => lives(pid)));
  }
  return true;
}

function lives(pid: number): boolean {
  const stat = statOf(pid);
  return stat !== undefined && runs(stat);
}

/**
 * Asks a process group to end and waits `grace_ms` for its members; then kills whoever is left of them and of `others`. False
 * when someone survives that.
 */
export async function endGroup(
  pgid: number,
  members: () => readonly { readonly pid: number }[],
  others: () => readonly { readonly pid: number }[],
  grace_ms: number,
): Promise<boolean> {
  signal(-pgid, 'SIGTERM');
  if (await gone(members, grace_ms)) return true;
  return killAll(() => [...members(), ...others()]);
}

/** Kills every process that `members` finds, until it finds none; false when someone survives. */
export async function killAll(members: () => readonly { readonly pid: number }[]): Promise<boolean> {
  const deadline = performance.now() + KILLED_MS;
  for (let found = members(); found.length > 0; found = members()) {
    // Each time anew: one that forks and ends is another process whenever it is looked at.
    for (const { pid } of found) signal(pid, 'SIGKILL');
    const search_at = performance.now() + SEARCH_MS;
    while (performance.now() < search_at && found.some(({ pid }) => lives(pid))) await delay(LOOK_MS);
    if (performance.now() >= deadline) return members().length === 0;
  }
  return true;
}
