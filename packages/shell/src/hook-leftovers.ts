import { readFileSync } from 'node:fs';

import { everyTagged, taggedProcesses } from '@caloron/capabilities/process-identity';
import type { Store } from '@caloron/store';

import { isBelow } from './git/confined.ts';
import type { ShellPaths } from './paths.ts';
import { killAll } from './signals.ts';

/** What hooks are known by. */
type Known = Pick<Store, 'processes' | 'worktreeLeases'>;

/**
 * Ends the hooks of a home that nobody waits for: after_create carries the tag of a process that is not there yet, before_remove that of
 * one which has ended, as does what an agent left. Gives how many hooks were ended.
 */
export async function endHooksOf(
  { worktrees }: Pick<ShellPaths, 'worktrees'>,
  store: Known,
): Promise<number> {
  const found = new Set<string>();
  const hooks = new Set<string>();
  const preparing = new Map(
    store.worktreeLeases.list().map(({ preparing: process_id, worktree }) => [process_id, worktree]),
  );
  for (const { pid, process_id } of everyTagged()) {
    // An agent that calls us carries its own tag, and so do we then.
    if (pid === process.pid) continue;
    const row = store.processes.get(process_id);
    const over = row?.state === 'exited' || row?.state === 'lost';
    const worktree = over ? row?.worktree : preparing.get(process_id);
    // A database that was copied, or whose home was moved, knows hooks of another home.
    if (worktree === undefined || !isBelow(worktrees, worktree)) continue;
    found.add(process_id);
    // The harness of a hook says so in its command line.
    if (commandOf(pid).endsWith('\0hook\0')) hooks.add(process_id);
  }
  await killAll(() => taggedProcesses(found).filter(({ pid }) => pid !== process.pid));
  return hooks.size;
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    // Gone, or another user's.
    return '';
  }
}
