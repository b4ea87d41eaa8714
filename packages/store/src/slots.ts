import { addMs, type Clock, type Timestamp } from '@caloron/types';
import { z } from 'zod';

import type { Deliveries } from './api.ts';
import type { JobSlots } from './job-slots.ts';
import { parseRow } from './json.ts';
import type { Log } from './log.ts';
import type { Database } from './sql.ts';

const Row = z.strictObject({
  scheduler_id: z.string(),
  job: z.string(),
  slot: z.string(),
  run_id: z.string().nullable(),
  status: z.string(),
  reason: z.string().nullable(),
  at: z.string(),
});
const OpenRow = z.strictObject({
  job: z.string(),
  slot: z.string(),
  run_id: z.string().nullable(),
  owner: z.string().nullable(),
});
const OPEN = "SELECT job, slot, run_id, owner FROM job_slots WHERE scheduler_id = ? AND status = 'fired'";
const Latest = z.strictObject({ slot: z.string().nullable() });
const Seq = z.strictObject({ seq: z.number().nullable() });
const Mark = z.strictObject({ slot: z.string().nullable(), seq: z.number().nullable() });
const COLUMNS = 'SELECT scheduler_id, job, slot, run_id, status, reason, at FROM job_slots';

/** True unless the job's marks say that the slot is over; parameters: scheduler_id, job, slot of the calendar, seq of the log. */
const NOT_OVER =
  'NOT EXISTS (SELECT 1 FROM job_marks WHERE scheduler_id = ? AND job = ? AND (slot >= ? OR seq >= ?))';

const EVENT_SLOT = /^event:(\d+)$/;

/** What of a slot is compared with the marks: a slot of the calendar begins with its year, one of an event names a row of the log. */
export function markOf(slot: string): { readonly slot: string | null; readonly seq: number | null } {
  const seq = EVENT_SLOT.exec(slot)?.[1];
  return { slot: /^\d/.test(slot) ? slot : null, seq: seq === undefined ? null : Number(seq) };
}

/** Job slots: each fires once, for ever. */
export function createSlots(database: Database, clock: Clock): JobSlots {
  const { db } = database;
  const claim = db.prepare(
    `INSERT INTO job_slots (scheduler_id, job, slot, run_id, status, at, owner) SELECT ?, ?, ?, ?, 'fired', ?, ? WHERE ${NOT_OVER} ON CONFLICT DO NOTHING`,
  );
  const skip = db.prepare(
    `INSERT INTO job_slots (scheduler_id, job, slot, status, reason, at) SELECT ?, ?, ?, 'skipped', ?, ? WHERE ${NOT_OVER} ON CONFLICT DO NOTHING`,
  );
  const skipOwn = db.prepare(
    "UPDATE job_slots SET status = 'skipped', reason = ?, at = ? WHERE scheduler_id = ? AND job = ? AND slot = ? AND run_id = ?",
  );
  const note = db.prepare(
    `INSERT INTO job_slots (scheduler_id, job, slot, status, reason, at) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET status = excluded.status, reason = excluded.reason, at = excluded.at`,
  );
  // Slots of the calendar begin with a year, those of events, people and repetitions with a word.
  const latest = db.prepare(
    "SELECT max(slot) AS slot FROM job_slots WHERE scheduler_id = ? AND job = ? AND slot >= '0' AND slot < ':'",
  );
  const fired = db.prepare(
    "SELECT max(CAST(substr(slot, 7) AS INTEGER)) AS seq FROM job_slots WHERE scheduler_id = ? AND job = ? AND slot >= 'event:' AND slot < 'event;'",
  );
  const marks = db.prepare('SELECT slot, seq FROM job_marks WHERE scheduler_id = ? AND job = ?');
  const open = db.prepare(`${OPEN} ORDER BY n`);
  const openOfJob = db.prepare(`${OPEN} AND job = ? ORDER BY n`);
  const all = db.prepare(`${COLUMNS} ORDER BY n DESC LIMIT ?`);
  const ofJob = db.prepare(`${COLUMNS} WHERE job = ? ORDER BY n DESC LIMIT ?`);

  const over: JobSlots['over'] = ({ scheduler_id, job }) => {
    const row = marks.get(scheduler_id, job);
    return row === undefined ? { slot: null, seq: null } : Mark.parse(row);
  };
  const markedBy = (scheduler_id: string, job: string, name: string) => {
    const { slot, seq } = markOf(name);
    return [scheduler_id, job, slot, seq] as const;
  };

  return {
    claim: ({ scheduler_id, job, slot, run_id, owner = null }) =>
      database.write(() => {
        const row = [scheduler_id, job, slot, run_id, clock.now(), owner];
        return claim.run(...row, ...markedBy(scheduler_id, job, slot)).changes === 1;
      }),
    latest: (of) => Latest.parse(latest.get(of.scheduler_id, of.job)).slot ?? over(of).slot,
    lastEvent: (of) => Math.max(Seq.parse(fired.get(of.scheduler_id, of.job)).seq ?? 0, over(of).seq ?? 0),
    over,
    open: ({ scheduler_id, job }) =>
      (job === undefined ? open.all(scheduler_id) : openOfJob.all(scheduler_id, job)).map((row) =>
        parseRow(OpenRow, row, 'job_slots', ''),
      ),
    note: ({ scheduler_id, job, slot, run_id }, status, reason) =>
      database.write(() => {
        // A slot another scheduler fired stays fired.
        if (status === 'skipped' && run_id !== undefined) {
          skipOwn.run(reason, clock.now(), scheduler_id, job, slot, run_id);
        } else if (status === 'skipped')
          skip.run(scheduler_id, job, slot, reason, clock.now(), ...markedBy(scheduler_id, job, slot));
        else note.run(scheduler_id, job, slot, status, reason, clock.now());
      }),
    list: ({ job, limit }) =>
      (job === undefined ? all.all(limit) : ofJob.all(job, limit)).map((row) =>
        parseRow(Row, row, 'job_slots', ''),
      ),
  };
}

/** How long an id is known: GitHub sends a delivery again for three days. */
const DELIVERY_KEPT_MS = 7 * 24 * 60 * 60_000;

/** Old ids are looked for once in this many milliseconds. */
const SWEEP_MS = 60 * 60_000;

/** Ids of webhook deliveries: each is handled once. */
export function createDeliveries(database: Database, log: Pick<Log, 'add'>, clock: Clock): Deliveries {
  const insert = database.db.prepare(
    'INSERT INTO deliveries (delivery_id, at) VALUES (?, ?) ON CONFLICT DO NOTHING',
  );
  const forget = database.db.prepare('DELETE FROM deliveries WHERE at < ?');
  let swept_at: Timestamp | undefined;
  const sweep = (now: Timestamp): void => {
    if (swept_at !== undefined && addMs(swept_at, SWEEP_MS) > now) return;
    forget.run(addMs(now, -DELIVERY_KEPT_MS));
    swept_at = now;
  };
  const claim = (delivery_id: string, now: Timestamp): boolean => insert.run(delivery_id, now).changes === 1;
  return {
    claim: (delivery_id) => database.write(() => claim(delivery_id, clock.now())),
    accept: (delivery_id, row) =>
      database.write(() => {
        const now = clock.now();
        sweep(now);
        if (!claim(delivery_id, now)) return false;
        if (row !== null) log.add(row);
        return true;
      }),
  };
}
