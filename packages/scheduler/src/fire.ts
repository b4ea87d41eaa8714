import type { Logger } from '@caloron/capabilities/logger';
import { type Clock, epochMs, type Random } from '@caloron/types';

import { LATE_MS } from './calendar.ts';
import type { Fire, JobState } from './job-state.ts';
import { type JobOutcome, runJob } from './job.ts';
import type { Metrics } from './metrics.ts';
import { recorded } from './recorded.ts';
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
  /** What could not be recorded is tried once more and then left; the same as `signal` when absent. */
  readonly ending?: AbortSignal | undefined;
  /** Tells endpoints how runs ended; absent tells none. */
  readonly webhooks?: Pick<Webhooks, 'tell'> | undefined;
  /** Counts what happens. */
  readonly metrics?: Pick<Metrics, 'ran'> | undefined;
  /** How soon a write that failed is tried again, milliseconds; 5,000 unless told. */
  readonly retry_ms?: number | undefined;
  /** Holds what cannot be recorded now. */
  readonly waiting?: Set<object> | undefined;
}

/** Makes a fire: claims its slot, runs the job, records and tells how it ended. Null where another process has the slot. */
export type MakeFire = (state: JobState, fire: Fire) => Promise<JobOutcome | null>;

/** Makes the fires of a scheduler. */
export function createFires(deps: FireDeps): MakeFire {
  const { scheduler_id, runtime, clock, random, signal, webhooks, metrics, logger } = deps;
  const { store } = runtime;
  const recording = {
    logger,
    signal: deps.ending ?? signal,
    waiting: deps.waiting,
    ...(deps.retry_ms === undefined ? {} : { retry_ms: deps.retry_ms }),
  };

  /** Whether the slot is ours. What failed may have been written all the same. */
  const claim = (at: SlotOf, run_id: string): Promise<boolean> => {
    const facts = { job: at.job, slot: at.slot };
    const message = 'slot could not be claimed, and is not fired yet';
    return recorded(
      async (attempt) =>
        (await store.slots.claim({ ...at, run_id, owner: ownProcess() })) ||
        (attempt > 1 && store.slots.open(at).some((row) => row.slot === at.slot && row.run_id === run_id)),
      { ...recording, facts, message, patience_ms: LATE_MS },
    );
  };

  /** Does it now; where it fails, goes on trying beside other fires, for as long as the process lives. */
  const settle = async (write: () => Promise<void>, facts: object): Promise<void> => {
    try {
      await write();
    } catch (error) {
      const message = 'how a slot ended could not be recorded';
      logger.error({ ...facts, err: error }, message);
      void recorded(write, { ...recording, facts: { ...facts }, message }).catch((last: unknown) =>
        logger.error({ ...facts, err: last }, `${message}: it is fired again at the next start`),
      );
    }
  };

  return async (state, { slot, cause, makes_up_for = [] }) => {
    const { job } = state;
    const { webhook } = job;
    const run_id = random.uuid();
    const at = { scheduler_id, job: job.name, slot };
    if (!(await claim(at, run_id))) return null;
    const cut_off = async (): Promise<void> => {
      for (const other of makes_up_for) await store.slots.note({ ...at, slot: other }, 'failed', CUT_OFF);
    };
    await settle(cut_off, { job: job.name, slots: makes_up_for });

    const fired_at = firedAt(slot, clock);
    const late_ms = cause === 'cron' ? epochMs(clock.now()) - epochMs(slot) : null;
    const before = lastSeq(deps, state);
    const outcome = await runJob(runtime, job, { run_id, slot, cause, signal });
    state.last = outcome;
    if (cause !== 'manual' && wasInterrupted(outcome, signal)) {
      // The slot stays fired: with its process it is cut off, and the next scheduler makes it again and tells how it ended.
      const { composition_id, duration_ms } = outcome;
      const facts = { job: job.name, run_id, composition_id, slot, cause, duration_ms };
      logger.warn(facts, 'job interrupted; it is made again at the next start');
      return outcome;
    }
    await lookAhead(deps, state, outcome, before);
    let told = webhook === null || outcome.status === 'skipped';
    const end = async (): Promise<void> => {
      // Before the slot is settled: a crash in between makes the run again, and loses no webhook.
      if (!told && webhook !== null)
        await webhooks?.tell(webhook, { scheduler_id, slot, run_id, payload: payloadOf(outcome, fired_at) });
      told = true;
      await store.slots.note({ ...at, run_id }, outcome.status, outcome.error?.message ?? outcome.reason);
    };
    await settle(end, { job: job.name, slot, run_id });
    report(logger, outcome, slot, cause);
    metrics?.ran(outcome, cause, late_ms);
    return outcome;
  };
}

/** Whether a run ended as its process does, and not by itself. */
function wasInterrupted({ error }: JobOutcome, signal: AbortSignal): boolean {
  return signal.aborted && error?.code === 'GRAPH_RUN_ABORTED';
}

interface SlotOf {
  readonly scheduler_id: string;
  readonly job: string;
  readonly slot: string;
}

/** Where the log ends; how far the job has consumed it where that cannot be read. */
function lastSeq({ runtime, logger }: FireDeps, { job, consumed }: JobState): number {
  try {
    return runtime.store.events.lastSeq();
  } catch (error) {
    logger.error({ job: job.name, err: error }, 'the end of the log could not be read');
    return consumed;
  }
}

/** How far the run consumed the log, and when the job is run again besides its slots. */
async function lookAhead(
  deps: FireDeps,
  state: JobState,
  outcome: JobOutcome,
  before: number,
): Promise<void> {
  const { runtime, logger } = deps;
  const { run_id } = outcome;
  try {
    const consumed = consumedBy(runtime.store, state.job, {
      ...outcome,
      before,
      consumed: state.consumed,
    });
    state.consumed = Math.max(state.consumed, consumed);
    state.again = outcome.lease_taken
      ? { slot: `again:${run_id}`, at_ms: performance.now() + LEASE_RETRY_MS }
      : await dueAgain(deps, run_id, outcome);
  } catch (error) {
    state.again = null;
    logger.error({ job: state.job.name, err: error }, 'what falls due could not be read');
  }
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
  const { job, run_id, composition_id, duration_ms, error, reason, hint } = outcome;
  const fields = { job, run_id, composition_id, slot, cause, duration_ms };
  if (outcome.status === 'failed') logger.error({ ...fields, error, next: hint }, 'job failed');
  else if (outcome.status === 'skipped') logger.info({ ...fields, reason }, 'job skipped');
  else logger.info(fields, 'job done');
}
