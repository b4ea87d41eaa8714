import type { Logger } from '@caloron/capabilities/logger';
import { type Clock, epochMs, type Random } from '@caloron/types';

import type { JobConfig, SchedulerConfig } from './config.ts';
import { startCron, type CronTimer } from './cron.ts';
import { DELIVERED } from './inbound.ts';
import { type JobOutcome, runJob } from './job.ts';
import type { Metrics } from './metrics.ts';
import type { Runtime } from './runtime.ts';
import { consumedBy, consumedSeq, nextDue, WAKE_INTERVAL_MS, wakingEvent } from './wakeup.ts';
import { firedAt, payloadOf, type Webhooks } from './webhooks.ts';

/** How soon a run that found its lease taken is made again: a dead holder's lease runs out after 30 s. */
const LEASE_RETRY_MS = 2_000;

/** A forge tells of one change in several deliveries, and of a busy repository in many: they make at most one run in this time. */
const DELIVERY_GAP_MS = 2_000;

/** What a scheduler needs. */
export interface SchedulerDeps {
  readonly config: SchedulerConfig;
  readonly runtime: Runtime;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
  /** Tells endpoints how runs ended; absent tells none. */
  readonly webhooks?: Pick<Webhooks, 'tell'> | undefined;
  /** Counts what happens. */
  readonly metrics?: Pick<Metrics, 'ran'> | undefined;
}

/** One job as a person looks at it. */
export interface JobStatus {
  readonly name: string;
  readonly cron: string;
  readonly running: boolean;
  readonly next_at: string | null;
  readonly last: Pick<JobOutcome, 'run_id' | 'status' | 'duration_ms' | 'error' | 'reason'> | null;
}

/** A running scheduler. */
export interface Scheduler {
  jobs(): readonly JobStatus[];
  /** Stops firing and lets runs finish; those still going after `grace_ms` are interrupted. */
  stop(grace_ms: number): Promise<void>;
}

interface JobState {
  readonly job: JobConfig;
  cron: CronTimer | null;
  running: Promise<void> | null;
  /** Events up to this seq need no fire. */
  consumed: number;
  /** When the job is run again besides its slots (performance.now()): its graph's lease was taken, or something falls due. */
  again: { readonly slot: string; readonly at_ms: number } | null;
  last: JobOutcome | null;
  /** Until then (performance.now()) deliveries of forges wait. */
  gap_until_ms: number;
}

/** Starts every enabled job: by cron, and at once when an event of its `on` kinds arrives; arrivals during a run give one more run. */
export function startScheduler(deps: SchedulerDeps): Scheduler {
  const { config, runtime, logger, clock, random, webhooks, metrics } = deps;
  const { scheduler_id } = config;
  const { store } = runtime;
  const stopping = new AbortController();
  let open = true;

  const states: JobState[] = config.jobs
    .filter(({ enabled }) => enabled)
    .map((job) => ({
      job,
      cron: null,
      running: null,
      consumed: consumedSeq(store, job, scheduler_id),
      again: null,
      last: null,
      gap_until_ms: 0,
    }));

  const fire = async (state: JobState, slot: string, cause: string): Promise<void> => {
    const { job } = state;
    const run_id = random.uuid();
    const at = { scheduler_id, job: job.name, slot };
    if (!(await store.slots.claim({ ...at, run_id }))) return;

    const fired_at = firedAt(slot, clock);
    const late_ms = cause === 'cron' ? epochMs(clock.now()) - epochMs(slot) : null;
    const before = store.events.lastSeq();
    const outcome = await runJob(runtime, job, { run_id, slot, cause, signal: stopping.signal });
    state.last = outcome;
    state.consumed = Math.max(state.consumed, consumedBy(store, job, { ...outcome, before }));
    const taken = outcome.status === 'skipped' && outcome.composition_id !== null;
    state.again = taken
      ? { slot: `again:${run_id}`, at_ms: performance.now() + LEASE_RETRY_MS }
      : await dueAgain(run_id, outcome);
    // Before the slot is settled: a crash in between makes the run again, and loses no webhook.
    if (job.webhook !== null && outcome.status !== 'skipped')
      await webhooks?.tell(job.webhook, {
        scheduler_id,
        slot,
        run_id,
        payload: payloadOf(outcome, fired_at),
      });
    await store.slots.note({ ...at, run_id }, outcome.status, outcome.error?.message ?? outcome.reason);
    report(outcome, slot, cause);
    metrics?.ran(outcome, cause, late_ms);
  };

  /** What falls due is not left to the next slot. */
  const dueAgain = async (
    run_id: string,
    { input, consumed_seq }: Pick<JobOutcome, 'input' | 'consumed_seq'>,
  ): Promise<JobState['again']> => {
    // Of what works through a sprint's log, as ticks do; a report of it is not due again.
    if (consumed_seq === null) return null;
    const now = clock.now();
    const due = await nextDue(store, input, now);
    if (due === undefined) return null;
    return { slot: `due:${run_id}`, at_ms: performance.now() + epochMs(due) - epochMs(now) };
  };

  const report = (outcome: JobOutcome, slot: string, cause: string): void => {
    const { job, run_id, composition_id, duration_ms, error, reason } = outcome;
    const fields = { job, run_id, composition_id, slot, cause, duration_ms };
    if (outcome.status === 'failed') logger.error({ ...fields, error }, 'job failed');
    else if (outcome.status === 'skipped') logger.info({ ...fields, reason }, 'job skipped');
    else logger.info(fields, 'job done');
  };

  /** Starts a fire unless one is running: true when it was started. */
  const begin = (state: JobState, slot: string, cause: string): boolean => {
    if (!open || state.running !== null) return false;
    state.running = fire(state, slot, cause)
      .catch((error: unknown) =>
        logger.error({ job: state.job.name, slot, err: error }, 'job could not be recorded'),
      )
      .finally(() => {
        state.running = null;
      });
    return true;
  };

  const onSlot = (state: JobState, slot: string): void => {
    if (begin(state, slot, 'cron')) return;
    logger.warn({ job: state.job.name, slot }, 'slot skipped: the job is still running');
    const at = { scheduler_id, job: state.job.name, slot };
    void store.slots
      .note(at, 'skipped', 'the job was still running')
      .catch((error: unknown) => logger.error({ err: error }, 'slot not recorded'));
  };

  let looked = 0;
  const look = (): void => {
    const last = store.events.lastSeq();
    const quiet = last === looked;
    looked = last;
    for (const state of states) {
      if (state.running !== null || state.job.on.length === 0) continue;
      if (state.again !== null && performance.now() >= state.again.at_ms) {
        begin(state, state.again.slot, 'again');
        continue;
      }
      if (quiet && state.consumed >= last) continue;
      const in_gap = performance.now() < state.gap_until_ms;
      const found = wakingEvent(store, state.job, state.consumed, in_gap ? [DELIVERED] : []);
      // A claimed slot never fires again, so what was found is consumed even when another scheduler has it.
      if (found !== undefined && begin(state, `event:${found.seq}`, found.kind)) {
        state.consumed = found.seq;
        if (found.kind === DELIVERED) state.gap_until_ms = performance.now() + DELIVERY_GAP_MS;
      } else if (found === undefined && !in_gap) state.consumed = Math.max(state.consumed, last);
    }
  };

  /** A fire that was cut off by the death of its process left its slot as `fired`: it is made again. */
  const resume = (state: JobState): void => {
    const newest = store.slots
      .list({ job: state.job.name, limit: 1_000 })
      .find((row) => row.scheduler_id === scheduler_id);
    if (newest?.status === 'fired') begin(state, `resume:${newest.run_id ?? newest.slot}`, 'resume');
  };

  for (const state of states) {
    resume(state);
    state.cron = startCron(state.job.cron, state.job.timezone, clock, (slot) => onSlot(state, slot));
    logger.info(
      { job: state.job.name, cron: state.job.cron, next: state.cron.next()?.toISOString() ?? null },
      'job scheduled',
    );
  }
  const timer = setInterval(() => {
    try {
      look();
    } catch (error) {
      logger.error({ err: error }, 'the event log could not be read');
    }
  }, WAKE_INTERVAL_MS);

  return {
    jobs: () =>
      states.map(({ job, cron, running, last }) => ({
        name: job.name,
        cron: job.cron,
        running: running !== null,
        next_at: cron?.next()?.toISOString() ?? null,
        last:
          last === null
            ? null
            : {
                run_id: last.run_id,
                status: last.status,
                duration_ms: last.duration_ms,
                error: last.error,
                reason: last.reason,
              },
      })),
    stop: async (grace_ms) => {
      open = false;
      clearInterval(timer);
      for (const { cron } of states) cron?.stop();
      const interrupt = setTimeout(() => stopping.abort(), grace_ms);
      await Promise.all(states.map(({ running }) => running ?? Promise.resolve()));
      clearTimeout(interrupt);
    },
  };
}
