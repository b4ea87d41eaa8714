import type { Store } from '@caloron/store';

import type { JobConfig } from './config.ts';
import { createCron, type Cron } from './cron.ts';
import type { JobOutcome } from './job.ts';

/** A fire to make. */
export interface Fire {
  /** What it is claimed by: once for ever. */
  readonly slot: string;
  readonly cause: string;
  /** Slots that were fired and cut off, which this fire makes up for. */
  readonly makes_up_for?: readonly string[];
}

/** What a scheduler knows of a job between two looks. */
export interface JobState {
  job: JobConfig;
  /** False after the job was taken out of the config or disabled there. */
  active: boolean;
  cron: Cron;
  running: Promise<void> | null;
  /** How far the calendar was looked at, milliseconds since 1970. */
  checked_ms: number;
  /** The next slot; null when none comes. */
  next_ms: number | null;
  /** Slots that wait for their jitter to pass, by the clock. */
  delayed: readonly (Fire & { readonly at_ms: number })[];
  /** The slot that is fired when the run that is under way has ended. */
  queued: Fire | null;
  /** Events up to this seq need no fire. */
  consumed: number;
  /** When the job is run again besides its slots (performance.now()): its graph's lease was taken, or something falls due. */
  again: { readonly slot: string; readonly at_ms: number } | null;
  last: JobOutcome | null;
  /** Until then (performance.now()) deliveries of forges wait. */
  gap_until_ms: number;
}

/** The state of a job that is scheduled from now on. What was due since its last slot is seen at the first look. */
export function createJobState(store: Store, job: JobConfig, scheduler_id: string, now_ms: number): JobState {
  const latest = store.slots.latest({ scheduler_id, job: job.name });
  const since = latest === null ? Number.NaN : Date.parse(latest);
  const checked_ms = Number.isNaN(since) ? now_ms : Math.min(since, now_ms);
  const cron = createCron(job.cron, job.timezone);
  return {
    job,
    active: true,
    cron,
    running: null,
    checked_ms,
    next_ms: cron.next(checked_ms),
    delayed: [],
    queued: null,
    consumed: job.on.length === 0 ? 0 : store.slots.lastEvent({ scheduler_id, job: job.name }),
    again: null,
    last: null,
    gap_until_ms: 0,
  };
}

/** Gives a job other settings. A run that is under way keeps those it began with; a changed calendar counts from now. */
export function changeJob(state: JobState, job: JobConfig, now_ms: number): void {
  const { cron, timezone } = state.job;
  const same = state.active && cron === job.cron && timezone === job.timezone;
  state.job = job;
  state.active = true;
  if (same) return;
  state.cron = createCron(job.cron, job.timezone);
  state.checked_ms = now_ms;
  state.next_ms = state.cron.next(now_ms);
}
