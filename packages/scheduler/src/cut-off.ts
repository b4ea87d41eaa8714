import type { Store } from '@caloron/store';

import type { Fire } from './job-state.ts';
import { ownProcess, runProcess } from './run-process.ts';

/** Whether the process that fires a slot lives; null where this machine cannot tell. */
function lives(owner: string | null): boolean | null {
  return owner === null ? null : (runProcess({ process: owner })?.alive ?? null);
}

/** Whether another process that lives runs the job for another slot. */
export function runsElsewhere(store: Store, scheduler_id: string, job: string, slot: string): boolean {
  return store.slots
    .open({ scheduler_id, job })
    .some((row) => row.slot !== slot && row.owner !== ownProcess() && lives(row.owner) === true);
}

/**
 * The fires that make up for those that were cut off by the death of their process, one for each job. At the start of a
 * scheduler, what nobody can tell of counts as cut off: a container that starts again sees other processes than before.
 */
export function cutOff(store: Store, scheduler_id: string, at_start: boolean): ReadonlyMap<string, Fire> {
  const fires = new Map<string, Fire>();
  for (const { job, slot, run_id, owner } of store.slots.open({ scheduler_id })) {
    if (owner === ownProcess()) continue;
    const alive = lives(owner);
    if (alive === true || (alive === null && !at_start)) continue;
    const makes_up_for = [...(fires.get(job)?.makes_up_for ?? []), slot];
    // The latest names it: whoever finds the same makes the same fire, and one of them has it.
    fires.set(job, { slot: `resume:${run_id ?? slot}`, cause: 'resume', makes_up_for });
  }
  return fires;
}

/** Of a job's newest slots the first that a run was made for is looked for: those that were skipped lie between. */
const NEWEST = 5;

/**
 * The slot of the run that a job still owes, as its latest found the lease of its graph taken and the scheduler ended before it was made again;
 * null where it owes none. What was skipped for another reason waits for its next slot.
 */
export function owedAfterLease(store: Store, scheduler_id: string, job: string): string | null {
  const latest = store.slots
    .list({ job, limit: NEWEST })
    .find((row) => row.scheduler_id === scheduler_id && row.run_id !== null);
  if (latest === undefined || latest.run_id === null || latest.status !== 'skipped') return null;
  const run = store.runs.get(latest.run_id)?.run;
  return run?.status === 'skipped' && run.error === null ? `again:${latest.run_id}` : null;
}
