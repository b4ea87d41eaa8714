import { nearest } from '@caloron/noether';
import { epochMs } from '@caloron/types';

import type { SchedulerConfig } from './config.ts';
import { SchedulerError } from './errors.ts';
import { createFires, type FireDeps } from './fire.ts';
import { createJobState } from './job-state.ts';
import type { JobOutcome } from './job.ts';

/** Fires one job now, as its slot would, whether it is enabled or not; its webhook is told. Throws SCHEDULER_JOB_UNKNOWN. */
export async function runOnce(
  config: SchedulerConfig,
  name: string,
  deps: Omit<FireDeps, 'scheduler_id'>,
): Promise<JobOutcome | null> {
  const job = config.jobs.find((known) => known.name === name);
  const { scheduler_id } = config;
  if (job === undefined) {
    const names = config.jobs.map((known) => known.name);
    const [close] = nearest(name, names);
    const hint = close === undefined ? `jobs are ${names.join(', ') || 'none'}` : `did you mean ${close}?`;
    throw new SchedulerError('SCHEDULER_JOB_UNKNOWN', { name, path: config.path }, { hint });
  }
  const { runtime, clock, random } = deps;
  const state = createJobState(runtime.store, job, scheduler_id, epochMs(clock.now()));
  const fire = createFires({ ...deps, scheduler_id });
  return fire(state, { slot: `manual:${random.uuid()}`, cause: 'manual' });
}
