import { z } from 'zod';

import { markOf } from './slots.ts';
import type { Database } from './sql.ts';

/** One job of one scheduler. */
export interface JobOf {
  readonly scheduler_id: string;
  readonly job: string;
}

/** How many rows of a job stay. */
export interface SlotBounds {
  /** Older ones may go (RFC 3339). */
  readonly cut: string;
  /** So many newest stay whatever their age. */
  readonly newest_kept: number;
  /** No more newest ones stay. */
  readonly newest_most: number;
  /** Rows of one transaction. */
  readonly batch: number;
}

const Job = z.strictObject({ scheduler_id: z.string(), job: z.string() });
const Slot = z.strictObject({ slot: z.string() });
const Place = z.strictObject({ n: z.number() });
const Gone = z.strictObject({ n: z.number(), slot: z.string() });
type Gone = z.infer<typeof Gone>;

const OF_JOB = 'FROM job_slots WHERE scheduler_id = ? AND job = ?';
const CALENDAR = `${OF_JOB} AND slot >= '0' AND slot < ':'`;
/** The condition is that of the index job_slots_aside. */
const ASIDE = `${OF_JOB} AND slot >= ':'`;

/** The settled slots of jobs, and their deletion. */
export interface SlotPruner {
  /** Every job that has slots, looked up one by one. */
  jobs(): Generator<JobOf>;
  /**
   * Deletes a batch and, in the same transaction, marks that nothing fires there any more. Slots of the calendar go by their own time,
   * the oldest first, so that a mark is never later than what is kept; the others as they were recorded. What has not ended stays.
   */
  prune(job: JobOf, bounds: SlotBounds): Promise<number>;
}

/** Deletes settled slots. */
export function createSlotPruner({ db, write }: Database): SlotPruner {
  const next = db.prepare(
    'SELECT scheduler_id, job FROM job_slots WHERE (scheduler_id, job) > (?, ?) ORDER BY scheduler_id, job LIMIT 1',
  );
  const slotAt = db.prepare(`SELECT slot ${CALENDAR} ORDER BY slot DESC LIMIT 1 OFFSET ?`);
  const placeAt = db.prepare(`SELECT n ${ASIDE} ORDER BY n DESC LIMIT 1 OFFSET ?`);
  const calendar = db.prepare(
    `SELECT n, slot ${CALENDAR} AND slot < ? AND status <> 'fired' ORDER BY slot LIMIT ?`,
  );
  const aside = db.prepare(
    `SELECT n, slot FROM (SELECT n, slot, at ${ASIDE} AND status <> 'fired' ORDER BY n LIMIT ?) WHERE n < ? OR (n < ? AND at < ?)`,
  );
  const remove = db.prepare("DELETE FROM job_slots WHERE n = ? AND status <> 'fired'");
  const mark = db.prepare(
    `INSERT INTO job_marks (scheduler_id, job, slot, seq) VALUES (?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET slot = nullif(max(coalesce(slot, ''), coalesce(excluded.slot, '')), ''),
     seq = nullif(max(coalesce(seq, -1), coalesce(excluded.seq, -1)), -1)`,
  );

  function* jobs(): Generator<JobOf> {
    for (let found = next.get('', ''); found !== undefined;) {
      const job = Job.parse(found);
      yield job;
      found = next.get(job.scheduler_id, job.job);
    }
  }

  const oldest = ({ scheduler_id, job }: JobOf, bounds: SlotBounds): readonly Gone[] => {
    const { cut, newest_kept, newest_most, batch } = bounds;
    const slotOf = (offset: number): string => {
      const row = slotAt.get(scheduler_id, job, offset);
      return row === undefined ? '' : Slot.parse(row).slot;
    };
    const placeOf = (offset: number): number => {
      const row = placeAt.get(scheduler_id, job, offset);
      return row === undefined ? -1 : Place.parse(row).n;
    };
    const kept = slotOf(newest_kept - 1);
    const most = slotOf(newest_most - 1);
    const by_age = kept < cut ? kept : cut;
    const slots = calendar.all(scheduler_id, job, most > by_age ? most : by_age, batch);
    const room = batch - slots.length;
    if (room === 0) return slots.map((row) => Gone.parse(row));
    const places = [placeOf(newest_most - 1), placeOf(newest_kept - 1)];
    return [...slots, ...aside.all(scheduler_id, job, room, ...places, cut)].map((row) => Gone.parse(row));
  };

  const prune = (of: JobOf, bounds: SlotBounds): Promise<number> => {
    const found = oldest(of, bounds);
    if (found.length === 0) return Promise.resolve(0);
    return write(() => {
      let rows = 0;
      let slot: string | null = null;
      let seq: number | null = null;
      for (const gone of found) {
        rows += remove.run(gone.n).changes;
        const marked = markOf(gone.slot);
        if (marked.slot !== null && (slot === null || marked.slot > slot)) slot = marked.slot;
        if (marked.seq !== null && (seq === null || marked.seq > seq)) seq = marked.seq;
      }
      if (slot !== null || seq !== null) mark.run(of.scheduler_id, of.job, slot, seq);
      return rows;
    });
  };
  return { jobs, prune };
}
