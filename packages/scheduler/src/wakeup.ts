import type { LogRow, Store } from '@caloron/store';
import { Id, keys, Timestamp } from '@caloron/types';
import { z } from 'zod';

import type { JobConfig } from './config.ts';
import type { JobOutcome } from './job.ts';
import { endsSprint } from './ended-sprint.ts';
import { DELIVERED } from './inbound.ts';

/** How often the log is asked for new rows: an agent's report is acted on within this many milliseconds. */
export const WAKE_INTERVAL_MS = 200;

/** Whether a job is for an event: not for one of another sprint than its input's, nor for a delivery of another repository. */
function isFor(job: JobConfig, row: LogRow): boolean {
  if (row.kind === DELIVERED) {
    const [own, repo] = [repoOf(job.input), repoOf(row.payload)];
    return own === undefined || own === repo;
  }
  const sprint = sprintOf(job.input);
  return sprint === undefined || row.sprint_id === null || row.sprint_id === sprint;
}

/**
 * The newest event after `after` that fires the job and is of none of the kinds in `but`; undefined without one. The end of a sprint fires a
 * job whose input is the active sprint by itself, after what came before it.
 */
export function wakingEvent(
  store: Store,
  job: JobConfig,
  after: number,
  but: readonly string[] = [],
): { readonly seq: number; readonly kind: string } | undefined {
  if (job.on.length === 0) return undefined;
  const rows = store.events.read({ after, kinds: job.on });
  const waking = rows.filter((row) => !but.includes(row.kind) && isFor(job, row));
  const end = waking.findIndex((row) => endsSprint(job, row));
  return end < 0 ? waking.at(-1) : waking[Math.max(0, end - 1)];
}

/**
 * How far a run consumed the log. It worked for one sprint: an event of another one that arrived meanwhile, as the start of
 * the next sprint, fires the job again, though the run read the log beyond it. So does a delivery that arrived meanwhile: the run may
 * have asked the forge before. So does the end of another sprint that the job has not been fired for yet (after `consumed`), and of its own where
 * the run did not go well.
 */
export function consumedBy(
  store: Store,
  job: JobConfig,
  run: {
    readonly input: unknown;
    readonly before: number;
    readonly consumed_seq: number | null;
    readonly consumed?: number;
    readonly status?: JobOutcome['status'];
  },
): number {
  const { before, consumed_seq, consumed = before, status = 'ok' } = run;
  if (consumed_seq === null) {
    const own = status === 'ok' ? sprintOf(run.input) : undefined;
    const left = store.events
      .read({ after: consumed, kinds: job.on })
      .find((row) => row.seq <= before && endsSprint(job, row) && row.sprint_id !== own);
    return left === undefined ? before : left.seq - 1;
  }
  const sprint = job.input_key === null ? undefined : sprintOf(run.input);
  const isLeft = (row: LogRow): boolean =>
    row.kind === DELIVERED ? isFor(job, row) : sprint !== undefined && isForeign(row, sprint);
  const left = store.events
    .read({ after: before, kinds: job.on })
    .find((row) => row.seq <= consumed_seq && isLeft(row));
  return left === undefined ? consumed_seq : left.seq - 1;
}

/** What of a sprint's state says when it has to be looked at again. */
const Waiting = z.object({
  tasks: z.record(
    z.string(),
    z.object({
      retry_at: Timestamp.nullish(),
      provider_limit: z.object({ until: Timestamp.nullable() }).nullish(),
    }),
  ),
});

/**
 * When something of the sprint that a job works for falls due: an action or an agent that is tried again, a provider that serves again.
 * Undefined without one after `now`: what is due already was there for the run that has just ended.
 */
export async function nextDue(store: Store, input: unknown, now: Timestamp): Promise<Timestamp | undefined> {
  const sprint_id = sprintOf(input);
  if (sprint_id === undefined || !Id.safeParse(sprint_id).success) return undefined;
  const stored = (await store.kv.get(keys.state(sprint_id)))?.value;
  const tasks = Object.values(Waiting.safeParse(stored).data?.tasks ?? {});
  const due = [
    ...store.outboxRows(sprint_id).flatMap(({ status, next_at }) => (status === 'failed' ? [next_at] : [])),
    ...tasks.flatMap(({ retry_at, provider_limit }) => [retry_at, provider_limit?.until]),
  ];
  let first: Timestamp | undefined;
  for (const at of due)
    if (typeof at === 'string' && at > now && (first === undefined || at < first)) first = at;
  return first;
}

const isForeign = ({ sprint_id }: LogRow, sprint: string): boolean =>
  sprint_id !== null && sprint_id !== sprint;

/** The repository a value names, in one case: forges tell names apart without it. */
function repoOf(value: unknown): string | undefined {
  const { repo } = (value ?? {}) as { readonly repo?: unknown };
  return typeof repo === 'string' ? repo.toLowerCase() : undefined;
}

/** Whether some job works for a repository: its input names it, or the active sprint does. */
export async function watchesRepo(
  store: Pick<Store, 'kv'>,
  jobs: readonly JobConfig[],
  repo: string,
): Promise<boolean> {
  const wanted = repo.toLowerCase();
  const listening = jobs.filter(({ enabled, on }) => enabled && on.includes(DELIVERED));
  if (listening.some(({ input }) => repoOf(input) === wanted)) return true;
  const found = await Promise.all(
    listening.flatMap(({ input_key }) => (input_key === null ? [] : [store.kv.get(input_key)])),
  );
  return found.some((row) => repoOf(row?.value) === wanted);
}

function sprintOf(input: unknown): string | undefined {
  if (input === null || typeof input !== 'object') return undefined;
  const { sprint_id } = input as { readonly sprint_id?: unknown };
  return typeof sprint_id === 'string' ? sprint_id : undefined;
}
