import type { Logger } from '@caloron/capabilities/logger';
import { type Clock, epochMs, type Random, timestampOf } from '@caloron/types';

import { LATE_MS, lookAtClock } from './calendar.ts';
import type { JobConfig, SchedulerConfig } from './config.ts';
import { cutOff, owedAfterLease, runsElsewhere } from './cut-off.ts';
import { createFires } from './fire.ts';
import { DELIVERED } from './inbound.ts';
import { changeJob, createJobState, type Fire, type JobState } from './job-state.ts';
import type { JobOutcome } from './job.ts';
import type { Metrics } from './metrics.ts';
import { startPruning } from './pruning.ts';
import { recorded } from './recorded.ts';
import type { Runtime } from './runtime.ts';
import { WAKE_INTERVAL_MS, wakingEvent } from './wakeup.ts';
import type { Webhooks } from './webhooks.ts';

/** A forge tells of one change in several deliveries, and of a busy repository in many: they make at most one run in this time. */
const DELIVERY_GAP_MS = 2_000;

/** How often fires of processes that died are looked for. */
const CUT_OFF_INTERVAL_MS = 5_000;

/** A run that was interrupted and does not end within this is left behind: its process ends anyway. */
const INTERRUPTED_MS = 3_000;

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
  readonly metrics?: Pick<Metrics, 'ran' | 'skipped'> | undefined;
  /** How soon a write that failed is tried again, milliseconds; 5,000 unless told. */
  readonly retry_ms?: number | undefined;
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
  /** How many slots cannot be claimed or recorded now, as the database is locked, full or faulty. */
  unrecorded(): number;
  /** Goes on with other jobs. Runs that are under way end as they began. */
  reload(jobs: readonly JobConfig[]): void;
  /** Stops firing and lets runs finish; those still going after `grace_ms` are interrupted. */
  stop(grace_ms: number): Promise<void>;
}

/** Starts every enabled job: by cron, and at once when an event of its `on` kinds arrives; arrivals during a run give one more run. */
export function startScheduler(deps: SchedulerDeps): Scheduler {
  const { config, runtime, logger, clock, random } = deps;
  const { scheduler_id } = config;
  const { store } = runtime;
  const stopping = new AbortController();
  const states = new Map<string, JobState>();
  const ending = new AbortController();
  const signals = { signal: stopping.signal, ending: ending.signal };
  const waiting = new Set<object>();
  const makeFire = createFires({ ...deps, scheduler_id, ...signals, waiting });
  let open = true;

  const active = (): readonly JobState[] => [...states.values()].filter((state) => state.active);
  const now = (): number => epochMs(clock.now());

  /** Starts a fire unless one is running: true when it was started. */
  const begin = (state: JobState, fire: Fire): boolean => {
    if (!open || state.running !== null) return false;
    state.running = makeFire(state, fire)
      .then(() => undefined)
      .catch((error: unknown) =>
        logger.error({ job: state.job.name, slot: fire.slot, err: error }, 'job could not be recorded'),
      )
      .finally(() => {
        state.running = null;
      });
    return true;
  };

  const skip = ({ job }: JobState, slot: string, reason: string): void => {
    const facts = { job: job.name, slot, reason };
    logger.warn(facts, 'slot skipped');
    deps.metrics?.skipped(job.name);
    const message = 'slot that was skipped could not be recorded';
    const { retry_ms } = deps;
    const how = { logger, facts, message, signal: ending.signal, waiting, patience_ms: LATE_MS };
    void recorded(() => store.slots.note({ scheduler_id, job: job.name, slot }, 'skipped', reason), {
      ...how,
      ...(retry_ms !== undefined && { retry_ms }),
    }).catch((error: unknown) => logger.error({ ...facts, err: error }, message));
  };

  /** Why a slot cannot be fired now; null when it can. */
  const busy = ({ job, running }: JobState, slot: string): string | null => {
    if (running !== null) return 'the job was still running';
    return runsElsewhere(store, scheduler_id, job.name, slot)
      ? 'the job was still running in another process'
      : null;
  };

  const onSlot = (state: JobState, fire: Fire): void => {
    const reason = busy(state, fire.slot);
    if (reason === null && state.queued === null) return void begin(state, fire);
    if (state.job.overlap === 'skip') return skip(state, fire.slot, reason ?? 'an earlier slot was waiting');
    if (state.queued !== null)
      skip(state, state.queued.slot, `${reason ?? 'the job was still running'}, and a later slot came`);
    state.queued = fire;
  };

  /** Slots: those that are due by the calendar, those whose jitter has passed, and the one that waited for a run to end. */
  const lookAtSlots = (state: JobState, now_ms: number): void => {
    const found = lookAtClock(state, now_ms);
    if (found !== null && found.skipped !== null) skip(state, found.skipped.slot, found.skipped.reason);
    if (found !== null && found.fire !== null) {
      const { within_ms, ...fire } = found.fire;
      state.delayed = [...state.delayed, { ...fire, at_ms: now_ms + random.fraction() * within_ms }];
    }
    const due = state.delayed.filter(({ at_ms }) => at_ms <= now_ms);
    if (due.length > 0) state.delayed = state.delayed.filter(({ at_ms }) => at_ms > now_ms);
    for (const fire of due) onSlot(state, fire);
    const { queued } = state;
    if (queued !== null && busy(state, queued.slot) === null) {
      state.queued = null;
      begin(state, queued);
    }
  };

  let looked = 0;
  const lookAtEvents = (): void => {
    const last = store.events.lastSeq();
    const quiet = last === looked;
    looked = last;
    for (const state of active()) {
      if (state.running !== null) continue;
      if (state.again !== null && performance.now() >= state.again.at_ms) {
        begin(state, { slot: state.again.slot, cause: 'again' });
        continue;
      }
      if (state.job.on.length === 0) continue;
      if (quiet && state.consumed >= last) continue;
      const in_gap = performance.now() < state.gap_until_ms;
      const found = wakingEvent(store, state.job, state.consumed, in_gap ? [DELIVERED] : []);
      // A claimed slot never fires again, so what was found is consumed even when another scheduler has it.
      if (found !== undefined && begin(state, { slot: `event:${found.seq}`, cause: found.kind })) {
        state.consumed = found.seq;
        if (found.kind === DELIVERED) state.gap_until_ms = performance.now() + DELIVERY_GAP_MS;
      } else if (found === undefined && !in_gap) state.consumed = Math.max(state.consumed, last);
    }
  };

  let cut_off_at = performance.now();
  /** A fire that was cut off by the death of its process left its slot as `fired`: it is made again. */
  const resume = (at_start: boolean): void => {
    cut_off_at = performance.now() + CUT_OFF_INTERVAL_MS;
    for (const [name, fire] of cutOff(store, scheduler_id, at_start)) {
      const state = states.get(name);
      if (state?.active === true) begin(state, fire);
    }
  };

  /** A run that found its lease taken is made again, also by the scheduler after the one that it found it under. */
  const owe = (state: JobState): void => {
    const slot = owedAfterLease(store, scheduler_id, state.job.name);
    if (slot !== null) state.again = { slot, at_ms: performance.now() };
  };

  /** Where a clock was ahead for so long that what it fired was deleted since, nothing fires until it is reached. */
  const warnOfMark = (job: string): void => {
    const { slot } = store.slots.over({ scheduler_id, job });
    if (slot !== null && epochMs(slot) > now() + LATE_MS)
      logger.warn({ job, until: slot }, 'job fires no slot until then: was the clock ahead? (decision 30)');
  };

  /** Takes a job out. A run that is under way ends; what waits is not fired. */
  const takeOut = (state: JobState): void => {
    const { delayed, queued, job } = state;
    for (const { slot } of [...delayed, ...(queued === null ? [] : [queued])])
      skip(state, slot, 'its job was taken out of the config, or disabled');
    Object.assign(state, { active: false, delayed: [], queued: null, again: null });
    logger.info({ job: job.name }, 'job is not scheduled any more');
  };

  const schedule = (jobs: readonly JobConfig[]): void => {
    const wanted = new Map(jobs.filter(({ enabled }) => enabled).map((job) => [job.name, job]));
    for (const state of active()) if (!wanted.has(state.job.name)) takeOut(state);
    for (const [name, job] of wanted) {
      const known = states.get(name);
      const state = known ?? createJobState(store, job, scheduler_id, now());
      if (known === undefined) warnOfMark(name);
      else changeJob(known, job, now());
      states.set(name, state);
      logger.info({ job: name, cron: job.cron, next: nextAt(state) }, 'job scheduled');
    }
  };

  /** What one job, or one look, meets stops no other. */
  const guarded = (look: () => void, facts: object): void => {
    try {
      look();
    } catch (error) {
      logger.error({ ...facts, err: error }, 'slots and events could not be looked at');
    }
  };
  let timer: NodeJS.Timeout | undefined;
  const look = (): void => {
    const now_ms = now();
    if (performance.now() >= cut_off_at) guarded(() => resume(false), {});
    for (const state of active()) guarded(() => lookAtSlots(state, now_ms), { job: state.job.name });
    guarded(lookAtEvents, {});
    if (open) timer = setTimeout(look, untilNext(active(), now()));
  };

  schedule(config.jobs);
  guarded(() => resume(true), {});
  for (const state of active()) guarded(() => owe(state), { job: state.job.name });
  look();
  const endPruning = startPruning({ store, logger });

  return {
    jobs: () => active().map(statusOf),
    unrecorded: () => waiting.size,
    reload: schedule,
    stop: async (grace_ms) => {
      open = false;
      clearTimeout(timer);
      ending.abort();
      const runs = Promise.all([...states.values()].map(({ running }) => running ?? Promise.resolve()));
      const interrupt = setTimeout(() => stopping.abort(), grace_ms);
      const { promise: late, resolve } = Promise.withResolvers<void>();
      const leave = setTimeout(() => {
        logger.warn({}, 'runs that were interrupted have not ended; they are left behind');
        resolve();
      }, grace_ms + INTERRUPTED_MS);
      await Promise.race([runs, late]);
      await endPruning();
      clearTimeout(interrupt);
      clearTimeout(leave);
    },
  };
}

/** How long nothing of the calendar is due, at most until events are looked at again; milliseconds. */
function untilNext(states: readonly JobState[], now_ms: number): number {
  let soonest = now_ms + WAKE_INTERVAL_MS;
  for (const { next_ms, delayed } of states) {
    if (next_ms !== null && next_ms < soonest) soonest = next_ms;
    for (const { at_ms } of delayed) if (at_ms < soonest) soonest = at_ms;
  }
  return Math.max(1, soonest - now_ms);
}

function nextAt({ next_ms }: JobState): string | null {
  return next_ms === null ? null : timestampOf(next_ms);
}

function statusOf(state: JobState): JobStatus {
  const { job, running, last } = state;
  return {
    name: job.name,
    cron: job.cron,
    running: running !== null,
    next_at: nextAt(state),
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
  };
}
