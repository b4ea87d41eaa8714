import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

import type { JobOutcome } from './job.ts';
import type { JobStatus } from './scheduler.ts';
import type { Attempt } from './webhook-queue.ts';

/** Seconds: a tick takes milliseconds, a run that asks a model minutes. */
const RUN_BUCKETS = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900];
/** Seconds a fire begins after its slot. */
const LATE_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 60];
/** Seconds of an attempt; it is given up after 15. */
const WEBHOOK_BUCKETS = [0.01, 0.05, 0.1, 0.5, 1, 5, 15];

/** What `GET /metrics` tells. */
export interface Metrics {
  /** Counts a run; `late_ms` is how long after its slot it began, null for one without a slot. */
  ran(
    outcome: Pick<JobOutcome, 'job' | 'status' | 'duration_ms'>,
    cause: string,
    late_ms: number | null,
  ): void;
  /** Counts a look at the clock that left a job's slot out, or several it had missed. */
  skipped(job: string): void;
  /** Counts an attempt to deliver a webhook. */
  told(attempt: Pick<Attempt, 'job' | 'result' | 'duration_ms'>): void;
  /** In the text format of Prometheus. */
  text(): Promise<string>;
  readonly content_type: string;
}

/** What is asked at each reading. */
export interface MetricsDeps {
  readonly jobs: () => readonly JobStatus[];
  /** Slots that cannot be claimed or recorded now; none when absent. */
  readonly unrecorded?: (() => number) | undefined;
  /** Deliveries of webhooks that are not over. */
  readonly waiting: () => Promise<number>;
}

/** Makes the metrics of a scheduler, those of its process beside them. */
export function createMetrics({ jobs, unrecorded, waiting }: MetricsDeps): Metrics {
  const registers = [new Registry()];
  const [registry = new Registry()] = registers;
  collectDefaultMetrics({ register: registry });
  const runs = new Counter({
    name: 'noether_scheduler_runs_total',
    help: 'Runs that ended, by job, by what fired them and by how they ended: ok, failed or skipped.',
    labelNames: ['job', 'cause', 'status'],
    registers,
  });
  const durations = new Histogram({
    name: 'noether_scheduler_run_duration_seconds',
    help: 'How long runs took.',
    labelNames: ['job', 'status'],
    buckets: RUN_BUCKETS,
    registers,
  });
  const lateness = new Histogram({
    name: 'noether_scheduler_lateness_seconds',
    help: 'How long after their slot runs began.',
    buckets: LATE_BUCKETS,
    registers,
  });
  const skips = new Counter({
    name: 'noether_scheduler_slots_skipped_total',
    help: 'Slots that were not fired, by job; what was missed at once counts as one.',
    labelNames: ['job'],
    registers,
  });
  gauge('noether_scheduler_jobs', 'Jobs that are enabled.', () => jobs().length);
  gauge(
    'noether_scheduler_jobs_running',
    'Jobs that run now.',
    () => jobs().filter(({ running }) => running).length,
  );
  gauge(
    'noether_scheduler_slots_unrecorded',
    'Slots that cannot be claimed or recorded now.',
    () => unrecorded?.() ?? 0,
  );
  gauge('noether_scheduler_webhooks_waiting', 'Deliveries of the outbox that are not over.', waiting);
  const attempts = new Counter({
    name: 'noether_scheduler_webhook_attempts_total',
    help: 'Attempts to deliver webhooks, by how they ended: sent, retried (failed, tried again) or dead (failed for good).',
    labelNames: ['job', 'result'],
    registers,
  });
  const attemptDurations = new Histogram({
    name: 'noether_scheduler_webhook_duration_seconds',
    help: 'How long attempts to deliver webhooks took.',
    buckets: WEBHOOK_BUCKETS,
    registers,
  });

  function gauge(name: string, help: string, read: () => number | Promise<number>): void {
    void new Gauge({
      name,
      help,
      registers,
      async collect() {
        try {
          this.set(await read());
        } catch {
          // What cannot be read is left out: the others are wanted most when the database is not well.
          this.remove();
        }
      },
    });
  }

  return {
    ran: ({ job, status, duration_ms }, cause, late_ms) => {
      runs.inc({ job, cause: causeOf(cause), status });
      durations.observe({ job, status }, duration_ms / 1000);
      if (late_ms !== null) lateness.observe(Math.max(0, late_ms) / 1000);
    },
    skipped: (job) => skips.inc({ job }),
    told: ({ job, result, duration_ms }) => {
      attempts.inc({ job, result });
      attemptDurations.observe(duration_ms / 1000);
    },
    text: () => registry.metrics(),
    content_type: registry.contentType,
  };
}

/** Kinds of events are as many as programs make: they count as one cause. */
function causeOf(cause: string): string {
  return /^[a-z]+$/u.test(cause) ? cause : 'event';
}
