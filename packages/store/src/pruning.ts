import { addMs, type Clock } from '@caloron/types';
import { z } from 'zod';

import type { Pruned } from './api.ts';
import { createSlotPruner } from './slot-pruning.ts';
import type { Database } from './sql.ts';

const DAY_MS = 24 * 60 * 60_000;

/** What is older may go: nobody looks for the slots and runs of last month one by one. */
const KEPT_MS = 30 * DAY_MS;

/** Whatever their age, so many newest rows of a job, a composition or a kind stay: what fires once a month is still seen. */
const NEWEST_KEPT = 100;

/** More newest rows than these do not stay, whatever their age: a job of each minute makes as many in a week. */
const NEWEST_MOST = 10_000;

/** After so long a run goes, though it is among the newest of its composition: each edit of a graph is another composition. */
const RUN_KEPT_MS = 365 * DAY_MS;

/** Rows of one transaction: it holds the database for a few milliseconds. */
const BATCH = 500;

/** So many of the oldest are looked through for a batch: some of them may have to stay, as they have not ended. */
const LOOKED_AT = 2 * BATCH;

/** Kinds of log rows that belong to no sprint and that nothing is rebuilt from: they have woken a job, or tell of a delivery. */
const PASSING_KINDS: readonly string[] = [
  'forge.delivered',
  ...['intended', 'started', 'done', 'failed', 'dead', 'postponed'].map((word) => `outbox.${word}`),
];

const Place = z.strictObject({ n: z.number() });
const Composition = z.strictObject({ composition_id: z.string() });
const Victim = z.strictObject({ n: z.number(), run_id: z.string() });

/** Deletes in one transaction as many rows as a batch has. */
type Batch = () => Promise<number>;

/**
 * Deletes what grows with time alone, one small transaction at a time: settled slots, traces of runs, deliveries that are over, log
 * rows of no sprint that have done their work, and limits of tokens that are gone. Events of sprints, keys, tasks and processes stay.
 */
export async function* prunePass(database: Database, clock: Clock): AsyncGenerator<Pruned> {
  const cut = addMs(clock.now(), -KEPT_MS);
  const slots = createSlotPruner(database);
  const bounds = { cut, newest_kept: NEWEST_KEPT, newest_most: NEWEST_MOST, batch: BATCH };
  for (const job of slots.jobs()) yield* emptied('job_slots', () => slots.prune(job, bounds));
  const runs = runPruner(database, cut, addMs(clock.now(), -RUN_KEPT_MS));
  for (const id of runs.compositions()) yield* emptied('runs', () => runs.prune(id));
  yield* emptied('outbox', outboxPruner(database, cut));
  const log = logPruner(database, cut);
  for (const kind of PASSING_KINDS) yield* emptied('events', () => log(kind));
  const budgets = database.db.prepare('DELETE FROM forge_budgets WHERE at < ?');
  yield { table: 'forge_budgets', rows: await database.write(() => budgets.run(cut).changes) };
}

/** Batches until one is not full; the caller has its turn after each. */
async function* emptied(table: Pruned['table'], batch: Batch): AsyncGenerator<Pruned> {
  for (;;) {
    const rows = await batch();
    yield { table, rows };
    if (rows < BATCH) return;
  }
}

/** Traces of runs: their steps first, so that a batch is small however many steps a run has. */
function runPruner({ db, write }: Database, cut: string, oldest: string) {
  const next = db.prepare(
    'SELECT composition_id FROM runs WHERE composition_id > ? ORDER BY composition_id LIMIT 1',
  );
  const place = db.prepare('SELECT n FROM runs WHERE composition_id = ? ORDER BY n DESC LIMIT 1 OFFSET ?');
  // Only the oldest are looked at: their order is that of their beginning wherever no clock was put back.
  const victims = db.prepare(
    `SELECT n, run_id FROM (SELECT n, run_id, started_at, status FROM runs WHERE composition_id = ? ORDER BY n LIMIT ${LOOKED_AT})
     WHERE (n < ? OR (n < ? AND started_at < ?) OR started_at < ?) AND (status <> 'running' OR started_at < ?) ORDER BY n LIMIT ${BATCH}`,
  );
  const steps = db.prepare(
    'DELETE FROM run_steps WHERE n IN (SELECT n FROM run_steps WHERE run_id = ? LIMIT ?)',
  );
  const run = db.prepare('DELETE FROM runs WHERE n = ?');
  const placeOf = (id: string, offset: number): number => {
    const found = place.get(id, offset);
    return found === undefined ? -1 : Place.parse(found).n;
  };

  function* compositions(): Generator<string> {
    for (let found = next.get(''); found !== undefined;) {
      const id = Composition.parse(found).composition_id;
      yield id;
      found = next.get(id);
    }
  }
  const prune = (id: string): Promise<number> => {
    const bounds = [placeOf(id, NEWEST_MOST - 1), placeOf(id, NEWEST_KEPT - 1), cut, oldest, cut];
    const found = victims.all(id, ...bounds).map((row) => Victim.parse(row));
    if (found.length === 0) return Promise.resolve(0);
    return write(() => {
      let rows = 0;
      for (const { n, run_id } of found) {
        rows += steps.run(run_id, BATCH - rows).changes;
        if (rows >= BATCH) break;
        rows += run.run(n).changes;
        if (rows >= BATCH) break;
      }
      return rows;
    });
  };
  return { compositions, prune };
}

/** Deliveries of webhooks that are over; what is due or tried again stays. */
function outboxPruner({ db, write }: Database, cut: string): Batch {
  const place = db.prepare('SELECT n FROM outbox WHERE sprint_id IS NULL ORDER BY n DESC LIMIT 1 OFFSET ?');
  const over = db.prepare(
    `DELETE FROM outbox WHERE n IN (SELECT n FROM (SELECT n, status, coalesce(started_at, next_at) AS at FROM outbox WHERE sprint_id IS NULL ORDER BY n LIMIT ${LOOKED_AT})
     WHERE status IN ('done', 'dead') AND (at < ? OR n < ?) LIMIT ${BATCH})`,
  );
  return () => {
    const most = place.get(NEWEST_MOST - 1);
    return write(() => over.run(cut, most === undefined ? -1 : Place.parse(most).n).changes);
  };
}

/** Rows of the log that have done their work. The newest of all stays: the log's end never goes back. */
function logPruner({ db, write }: Database, cut: string): (kind: string) => Promise<number> {
  const place = db.prepare(
    'SELECT seq AS n FROM events WHERE sprint_id IS NULL AND kind = ? ORDER BY seq DESC LIMIT 1 OFFSET ?',
  );
  const passed = db.prepare(
    `DELETE FROM events WHERE seq IN (SELECT seq FROM (SELECT seq, at FROM events WHERE sprint_id IS NULL AND kind = ? ORDER BY seq LIMIT ${BATCH})
     WHERE (at < ? OR seq < ?) AND seq < (SELECT max(seq) FROM events))`,
  );
  return (kind) => {
    const most = place.get(kind, NEWEST_MOST - 1);
    return write(() => passed.run(kind, cut, most === undefined ? -1 : Place.parse(most).n).changes);
  };
}
