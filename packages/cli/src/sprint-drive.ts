import { basename, join } from 'node:path';

import { readConfig } from '@caloron/scheduler/config';
import { createCron } from '@caloron/scheduler/cron';
import type { RunRow, Store } from '@caloron/store';
import {
  type DagState,
  epochMs,
  keys,
  minutesBetween,
  Timestamp,
  type Timestamp as Instant,
  timestampOf,
} from '@caloron/types';
import { createColors } from 'picocolors';

import { factsOfRun } from './noether/run-facts.ts';
import type { Io } from './output.ts';
import { knownServices } from './services.ts';
import { spanWords } from './time-words.ts';
import { oneLine } from './width.ts';

/** A tick that is due is not missed yet so many minutes later. */
const LATE_M = 4;
/** A tick that lasts longer than so many minutes hangs: they take seconds. */
const HANGS_M = 5;
/** So many of the latest ticks are looked at. */
const LATEST = 50;

/** Whether ticks drive a sprint: each of them moves it on. */
export interface Drive {
  /** When the latest tick began; null before the first. */
  readonly last_tick_at: Instant | null;
  /** `silent`: none has begun though one was due; `failed`: the latest did not go well; `hangs`: one does not end. Null where all is well, or the sprint is over. */
  readonly problem: 'silent' | 'failed' | 'hangs' | null;
  /** Since when. */
  readonly since: Instant | null;
  /** Why the latest tick did not go well. */
  readonly reason: string | null;
  /** The tick that failed or hangs. */
  readonly run_id: string | null;
}

const isTick = ({ graph }: { readonly graph: string }): boolean => basename(graph, '.json') === 'sprint_tick';

/** When a tick is due after an instant: by the home's scheduler.json, else within the minute. */
export function dueAfter(home: string, after: Instant): Instant {
  const minute = timestampOf(epochMs(after) + 60_000);
  try {
    const { jobs } = readConfig(join(home, 'scheduler.json'), home);
    const job = jobs.find((one) => one.enabled && isTick(one));
    if (job === undefined) return minute;
    const next = createCron(job.cron, job.timezone).next(epochMs(after));
    return next === null ? minute : timestampOf(next);
  } catch {
    // What is wrong with the file is told by doctor.
    return minute;
  }
}

/** Whether ticks drive a sprint, as the traces of their runs tell it. */
export async function driveOf(
  { runs, kv }: Pick<Store, 'runs' | 'kv'>,
  { sprint_id, status }: Pick<DagState, 'sprint_id' | 'status'>,
  now: Instant,
  due: (after: Instant) => Instant,
): Promise<Drive> {
  const of_sprint = { graph: 'sprint_tick', labels: { sprint: sprint_id }, limit: LATEST } as const;
  const ticks = runs.list(of_sprint).map(factsOfRun);
  const last_tick_at = ticks[0]?.started_at ?? null;
  const well: Drive = { last_tick_at, problem: null, since: null, reason: null, run_id: null };
  if (status === 'completed' || status === 'cancelled') return well;

  // Asked for by itself: while it holds the lease, others are skipped every two seconds.
  const running = runs.list({ ...of_sprint, status: 'running' }).map(factsOfRun);
  const going = running.findLast((one) => one.status === 'running');
  if (going !== undefined && minutesBetween(going.started_at, now) > HANGS_M)
    return { ...well, problem: 'hangs', since: going.started_at, run_id: going.run_id };

  const started = Timestamp.safeParse((await kv.get(keys.startedAt(sprint_id)))?.value).data;
  const last = last_tick_at ?? started ?? null;
  if (last !== null && minutesBetween(due(last), now) > LATE_M)
    return { ...well, problem: 'silent', since: last };

  // One that found the lease taken says nothing of how ticks go.
  const ended = ticks.filter((one) => one.status !== 'running' && one.status !== 'skipped');
  const [latest] = ended;
  if (latest === undefined || latest.status === 'ok') return well;
  const others = ended.findIndex((one) => one.status === 'ok');
  const first = ended[(others < 0 ? ended.length : others) - 1];
  const since = first?.started_at ?? latest.started_at;
  return { ...well, problem: 'failed', since, reason: reasonOf(latest), run_id: latest.run_id };
}

function reasonOf({ error }: Pick<RunRow, 'error'>): string {
  return error === undefined || error === null
    ? 'its process ended before it did'
    : `${error.message} [${error.code}]`;
}

/** What drives a sprint no more, since when, and the next step, in a sentence each; undefined while all is well. */
export function driveWords(
  { problem, since, reason, run_id }: Drive,
  now: Instant,
  place: { readonly home: string; readonly home_flag: string },
): { readonly what: string; readonly why: string | null; readonly next: string } | undefined {
  if (problem === null || since === null) return undefined;
  const { home, home_flag } = place;
  const span = spanWords(since, now);
  const log = knownServices(home).find(({ name }) => name === 'noether-scheduler')?.log;
  const trace = run_id === null ? '' : `./noether trace ${run_id.slice(0, 8)}${home_flag}`;
  if (problem === 'hangs') {
    const again = `end its process, then ./caloron up${home_flag}`;
    return { what: `a tick goes on for ${span} and does not end`, why: null, next: `${trace}; ${again}` };
  }
  if (problem === 'failed') return { what: `ticks fail for ${span}`, why: reason, next: trace };
  const up = log === undefined ? `./caloron up${home_flag}` : `the scheduler runs and makes none: see ${log}`;
  return { what: `no tick has run for ${span}`, why: null, next: up };
}

/** The lines of `caloron status`: that nothing moves the sprint, as loud as the terminal allows, why, and the next step. */
export function driveLines(
  io: Pick<Io, 'terminal'>,
  drive: Drive,
  now: Instant,
  place: { readonly home: string; readonly home_flag: string },
): readonly string[] {
  const words = driveWords(drive, now, place);
  if (words === undefined) return [];
  const paint = createColors(io.terminal?.colours === true);
  const why = words.why === null ? [] : [oneLine(`  ${words.why}`)];
  const loud = paint.bold(paint.yellow('NOT DRIVEN'));
  return [`${loud}: ${words.what}: nothing is polled, started or merged`, ...why, `  next: ${words.next}`];
}
