import {
  everyTagged,
  groupMembers,
  type ProcessStat,
  type Tagged,
  taggedProcesses,
} from '@caloron/capabilities/process-identity';
import type { Logger } from '@caloron/capabilities/logger';

import { isBelow } from './git/confined.ts';
import { gone, killAll, signal } from './signals.ts';

/** Processes that an agent started and that run without their harness: its CLI, what that started, in or out of its group. */
export function leftoversOf(process_id: string): readonly Tagged[] {
  return taggedProcesses(new Set([process_id]));
}

/**
 * Ends what carries an agent's tag, and the groups such processes lead: SIGTERM, after `grace_ms` SIGKILL. False when
 * somebody survives that.
 */
export async function endLeftovers(process_id: string, grace_ms: number): Promise<boolean> {
  const groups = new Set<number>();
  const members = (): readonly ProcessStat[] => {
    const tagged = leftoversOf(process_id);
    // A child that cleaned its environment is still in the group its parent leads.
    for (const { pid, pgid } of tagged) if (pid === pgid) groups.add(pgid);
    return [...tagged, ...[...groups].flatMap((pgid) => groupMembers(pgid))];
  };
  for (const { pid } of new Map(members().map((stat) => [stat.pid, stat])).values()) signal(pid, 'SIGTERM');
  return (await gone(members, grace_ms)) || killAll(members);
}

/**
 * Tells of processes in this home's worktrees whose tag the database does not know: a row was lost, or the database is not
 * the one they were started from. They are left alone: who they belong to cannot be told, and they may be at work.
 */
export function reportStrays(worktrees: string, known: (process_id: string) => boolean, log: Logger): void {
  for (const { pid, process_id, cwd } of everyTagged()) {
    if (cwd === null || !isBelow(worktrees, cwd) || known(process_id)) continue;
    log.warn(
      { pid, process_id, cwd },
      'a process works in a worktree that no record names; it is left alone: end it by hand if it is not wanted',
    );
  }
}
