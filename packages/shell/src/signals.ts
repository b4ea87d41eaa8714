import { setTimeout as delay } from 'node:timers/promises';

/** How often a group that should end is looked at, in milliseconds. */
const LOOK_MS = 25;

/** How long the kernel may take to end a killed process, in milliseconds. */
const KILLED_MS = 10_000;

/** Sends a signal to a process (`pid` > 0) or a group (`-pgid`); false when there is nobody left. */
export function signal(pid: number, name: 'SIGTERM' | 'SIGKILL'): boolean {
  try {
    return process.kill(pid, name);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false;
    throw error;
  }
}

/** Waits until `members` finds nobody; false when `timeout_ms` went by first. */
export async function gone(members: () => readonly unknown[], timeout_ms: number): Promise<boolean> {
  const deadline = performance.now() + timeout_ms;
  while (members().length > 0) {
    if (performance.now() >= deadline) return false;
    await delay(LOOK_MS);
  }
  return true;
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
  for (const { pid } of members()) signal(pid, 'SIGKILL');
  return gone(members, KILLED_MS);
}
