import type { LogRow, Store } from '@caloron/store';
import { keys } from '@caloron/types';
import { z } from 'zod';

import type { JobConfig } from './config.ts';

/** Told once of each sprint that is over. */
const ENDED = 'sprint.completed';

const EVENT_SLOT = /^event:(\d+)$/;
const REPEATED_SLOT = /^(?:again|resume):(.+)$/;

/** Slots that are looked at for the run that another one repeats. */
const SLOTS = 1_000;

const Ended = z.object({ repo: z.string() });

/** A sprint that is over, as a graph's input. */
export interface EndedSprint {
  readonly sprint_id: string;
  readonly repo?: string;
}

/**
 * Whether an event is the end of a sprint that a job is fired for on its own: its input is the active sprint, which is the next one as soon as
 * that has begun, and no run for that one makes up for it.
 */
export function endsSprint(job: Pick<JobConfig, 'input_key'>, { kind, sprint_id }: LogRow): boolean {
  return kind === ENDED && sprint_id !== null && job.input_key === keys.activeSprint;
}

/** The sprint whose end a slot is fired for, also one that repeats what was cut off or found its lease taken; undefined for every other. */
export function endedSprint(
  store: Pick<Store, 'slots' | 'events'>,
  job: Pick<JobConfig, 'name' | 'input_key'>,
  slot: string,
): EndedSprint | undefined {
  if (job.input_key !== keys.activeSprint) return undefined;
  const seq = Number(EVENT_SLOT.exec(firstSlot(store, job.name, slot))?.[1] ?? Number.NaN);
  if (Number.isNaN(seq)) return undefined;
  const [row] = store.events.read({ after: seq - 1, kinds: [ENDED], limit: 1 });
  if (row === undefined || row.seq !== seq || row.sprint_id === null) return undefined;
  const { sprint_id } = row;
  const told = Ended.safeParse(row.payload);
  return told.success ? { sprint_id, repo: told.data.repo } : { sprint_id };
}

/** The slot that was fired first, where others repeat it. */
function firstSlot({ slots }: Pick<Store, 'slots'>, job: string, slot: string): string {
  let first = slot;
  const seen = new Set<string>();
  for (;;) {
    const run_id = REPEATED_SLOT.exec(first)?.[1];
    if (run_id === undefined || seen.has(run_id)) return first;
    seen.add(run_id);
    const before = slots.list({ job, limit: SLOTS }).find((row) => row.run_id === run_id);
    if (before === undefined) return first;
    first = before.slot;
  }
}
