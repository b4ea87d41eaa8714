import type { Logger } from '@caloron/capabilities/logger';
import { type Clock, epochMs, type Random } from '@caloron/types';

import type { Fire, JobState } from './job-state.ts';
import { type JobOutcome, runJob } from './job.ts';
import type { Metrics } from './metrics.ts';
import { ownProcess } from './run-process.ts';
import type { Runtime } from './runtime.ts';
import { consumedBy, nextDue } from './wakeup.ts';
import { firedAt, payloadOf, type Webhooks } from './webhooks.ts';

/** How soon a run that found its lease taken is made again: a dead holder's lease runs out after 30 s. */
const LEASE_RETRY_MS = 2_000;

const CUT_OFF = 'its process ended before it did; it was made again';

/** What fires are made with. */
export interface FireDeps {
  readonly scheduler_id: string;
  readonly runtime: Runtime;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
  /** Interrupts runs. */
  readonly signal: AbortSignal;
  /** Tells endpoints how runs ended; absent tells none. */
  readonly webhooks?: Pick<Webhooks, 'tell'> | undefined;
  /** Counts what happens. */
  readonly metrics?: Pick<Metrics, 'ran'> | undefined;
}

/** Makes a fire: claims its slot, runs the job, records and tells how it ended. Null where another process has the slot. */
export type MakeFire = (state: JobState, fire: Fire) => Promise<JobOutcome | null>;

/** Makes the fires of a scheduler. */
export function createFires(deps: FireDeps): MakeFire {
  const { scheduler_id, runtime, clock, random, signal, webhooks, metrics } = deps;
  const { store } = runtime;

  return async (state, { slot, cause, makes_up_for = [] }) => {
    const { job } = state;
    const run_id = random.uuid();
    const at = { scheduler_id, job: job.name, slot };
    if (!(await store.slots.claim({ ...at, run_id, owner: ownProcess() }))) return null;
    for (const cut_off of makes_up_for) await store.slots.note({ ...at, slot: cut_off }, 'failed', CUT_OFF);

    const fired_at = firedAt(slot, clock);
    const late_ms = cause === 'cron' ? epochMs(clock.now()) - epochMs(slot) : null;
    const before = store.events.lastSeq();
    const outcome = await runJob(runtime, job, { run_id, slot, cause, signal });
    state.last = outcome;
    state.consumed = Math.max(state.consumed, consumedBy(store, job, { ...outcome, before }));
    state.again = outcome.lease_taken
      ? { slot: `again:${run_id}`, at_ms: performance.now() + LEASE_RETRY_MS }
      : await dueAgain(deps, run_id, outcome);
    // Before the slot is settled: a crash in between makes the run again, and loses no webhook.
    if (job.webhook !== null && outcome.status !== 'skipped')
      await webhooks?.tell(job.webhook, {
        scheduler_id,
        slot,
        run_id,
        payload: payloadOf(outcome, fired_at),
      });
    await store.slots.note({ ...at, run_id }, outcome.status, outcome.error?.message ?? outcome.reason);
    report(deps.logger, outcome, slot, cause);
    metrics?.ran(outcome, cause, late_ms);
    return outcome;
  };
}

/** What falls due is not left to the next slot. */
async function dueAgain(
  { runtime, clock }: FireDeps,
  run_id: string,
  { input, consumed_seq }: Pick<JobOutcome, 'input' | 'consumed_seq'>,
): Promise<JobState['again']> {
  // Of what works through a sprint's log, as ticks do; a report of it is not due again.
  if (consumed_seq === null) return null;
  const now = clock.now();
  const due = await nextDue(runtime.store, input, now);
  if (due === undefined) return null;
  return { slot: `due:${run_id}`, at_ms: performance.now() + epochMs(due) - epochMs(now) };
}

function report(logger: Logger, outcome: JobOutcome, slot: string, cause: string): void {
  const { job, run_id, composition_id, duration_ms, error, reason } = outcome;
  const fields = { job, run_id, composition_id, slot, cause, duration_ms };
  if (outcome.status === 'failed') logger.error({ ...fields, error }, 'job failed');
  else if (outcome.status === 'skipped') logger.info({ ...fields, reason }, 'job skipped');
  else logger.info(fields, 'job done');
}
