import { join } from 'node:path';

import { addMs } from '@caloron/types';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { Pruned, Store } from './api.ts';
import { openDatabase } from './database.ts';
import { migrationsFor } from './schema.ts';
import { createSlotPruner } from './slot-pruning.ts';
import { createSlots } from './slots.ts';
import type { Database } from './sql.ts';
import { openStore } from './store.ts';
import { actionOf, commitOf, T0, tempDir, testClock, uuid } from './testing/fixtures.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 1_440 * MINUTE_MS;
const JOB = { scheduler_id: 's', job: 'tick' };
const slotAt = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;

let dir: string;
let remove: () => void;
let path: string;
beforeEach(() => {
  ({ dir, remove } = tempDir());
  path = join(dir, 'a.db');
});
afterEach(() => remove());

async function pruned(store: Store): Promise<readonly Pruned[]> {
  const batches: Pruned[] = [];
  for await (const batch of store.prune()) batches.push(batch);
  return batches;
}

/** Rows as an old database has them, written at once. */
function fill(sql: string): void {
  const raw = openDatabase(path, migrationsFor(uuid));
  raw.db.exec(sql);
  raw.close();
}

const rowsOf = (from: string): number => {
  const raw = openDatabase(path, migrationsFor(uuid));
  const { rows } = raw.db.prepare(`SELECT count(*) AS rows FROM ${from}`).get() as { rows: number };
  raw.close();
  return rows;
};

/** A year of a job that is fired each minute, up to T0. */
const minutes = (count: number, job = 'tick'): string =>
  `WITH RECURSIVE m(i) AS (SELECT ${count - 1} UNION ALL SELECT i - 1 FROM m WHERE i > 0)
   INSERT INTO job_slots (scheduler_id, job, slot, run_id, status, at)
   SELECT 's', '${job}', strftime('%Y-%m-%dT%H:%M:00Z', '${T0}', '-' || i || ' minutes'), 'r' || i, 'ok', strftime('%Y-%m-%dT%H:%M:00.000Z', '${T0}', '-' || i || ' minutes') FROM m;`;

describe('a slot', () => {
  it('fires once for ever, whatever three schedulers claim and delete and wherever their clocks go', async () => {
    const databases: readonly Database[] = [0, 1, 2].map(() =>
      openDatabase(path, migrationsFor(uuid), { synchronous: 'NORMAL' }),
    );
    const step = fc.record({
      who: fc.nat(2),
      what: fc.oneof(
        { weight: 5, arbitrary: fc.constant('claim' as const) },
        { weight: 2, arbitrary: fc.constantFrom('prune' as const, 'skip' as const, 'event' as const) },
        { weight: 1, arbitrary: fc.constant('leave open' as const) },
      ),
      minute: fc.nat(12),
      clock: fc.integer({ min: -10, max: 20 }),
    });
    let round = 0;
    try {
      await fc.assert(
        fc.asyncProperty(fc.array(fc.array(step, { maxLength: 6 }), { maxLength: 14 }), async (turns) => {
          const scheduler_id = `s${(round += 1)}`;
          const of = { scheduler_id, job: 'tick' };
          const clocks = databases.map(() => testClock());
          const slots = databases.map((database, i) => createSlots(database, clocks[i]!));
          const fired: string[] = [];
          let latest = '';
          const claim = async (who: number, slot: string, ends: boolean): Promise<void> => {
            if (!(await slots[who]!.claim({ ...of, slot, run_id: `${who}` }))) return;
            fired.push(slot);
            if (ends) await slots[who]!.note({ ...of, slot, run_id: `${who}` }, 'ok', null);
          };
          for (const turn of turns)
            await Promise.all(
              turn.map(({ who, what, minute, clock }) => {
                clocks[who]!.advance(clock * MINUTE_MS);
                const now = clocks[who]!.now();
                const slot = slotAt(Date.parse(now) - minute * MINUTE_MS);
                if (what === 'event') return claim(who, `event:${minute}`, true);
                if (what === 'skip') return slots[who]!.note({ ...of, slot }, 'skipped', 'busy');
                if (what !== 'prune') return claim(who, slot, what === 'claim');
                const cut = addMs(now, -5 * MINUTE_MS);
                const bounds = { cut, newest_kept: 2, newest_most: 6, batch: 3 };
                return createSlotPruner(databases[who]!).prune(of, bounds);
              }),
            );
          expect(new Set(fired).size).toBe(fired.length);
          for (const slot of fired.toReversed()) {
            expect(await slots[0]!.claim({ ...of, slot, run_id: 'again' })).toBe(false);
            if (slot > latest && !slot.startsWith('event')) latest = slot;
          }
          // What is later than all that was fired or skipped is fired: a mark stops no slot to come.
          const known = slots[0]!.latest(of) ?? T0;
          const next = slotAt(Date.parse(known > latest ? known : latest) + MINUTE_MS);
          expect(await slots[1]!.claim({ ...of, slot: next, run_id: 'next' })).toBe(true);
        }),
        { numRuns: 120 },
      );
    } finally {
      for (const database of databases) database.close();
    }
  });

  it('that was deleted is over: a clock put back fires it no more, nor is it told as skipped', async () => {
    fill(minutes(20_000));
    const clock = testClock();
    const store = openStore(path, { clock, uuid });
    try {
      await pruned(store);
      const old = slotAt(Date.parse(T0) - 12_000 * MINUTE_MS);
      const over = store.slots.over(JOB).slot;
      expect(over).toBe(slotAt(Date.parse(T0) - 10_000 * MINUTE_MS));
      expect(old < (over ?? '')).toBe(true);

      clock.advance(-12_000 * MINUTE_MS);

      expect(await store.slots.claim({ ...JOB, slot: old, run_id: 'r' })).toBe(false);
      await store.slots.note({ ...JOB, slot: old }, 'skipped', 'missed');
      expect(rowsOf(`job_slots WHERE slot = '${old}'`)).toBe(0);
      expect(await store.slots.claim({ ...JOB, job: 'other', slot: old, run_id: 'r' })).toBe(true);
    } finally {
      store.close();
    }
  });

  it('of an event that was deleted is over, and the job goes on behind the newest', async () => {
    fill(
      `WITH RECURSIVE m(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM m WHERE i < 300)
       INSERT INTO job_slots (scheduler_id, job, slot, run_id, status, at) SELECT 's', 'tick', 'event:' || i, 'r' || i, 'ok', '2025-01-01T00:00:00.000Z' FROM m;`,
    );
    const store = openStore(path, { clock: testClock(), uuid });
    try {
      expect(store.slots.lastEvent(JOB)).toBe(300);
      await pruned(store);

      expect(rowsOf('job_slots')).toBe(100);
      expect(store.slots.over(JOB)).toEqual({ slot: null, seq: 200 });
      expect(await store.slots.claim({ ...JOB, slot: 'event:9', run_id: 'r' })).toBe(false);
      expect(await store.slots.claim({ ...JOB, slot: 'event:301', run_id: 'r' })).toBe(true);
      expect(store.slots.lastEvent(JOB)).toBe(301);
    } finally {
      store.close();
    }
  });

  it('that has not ended stays, and so do the newest hundred of a job that is fired once a month', async () => {
    const months = `WITH RECURSIVE m(i) AS (SELECT 149 UNION ALL SELECT i - 1 FROM m WHERE i > 0)
      INSERT INTO job_slots (scheduler_id, job, slot, run_id, status, at) SELECT 's', 'retro', strftime('%Y-%m-01T00:00:00Z', '${T0}', '-' || i || ' months'), 'r', iif(i = 140, 'fired', 'ok'), '${T0}' FROM m;`;
    fill(months);
    const store = openStore(path, { clock: testClock(), uuid });
    try {
      await pruned(store);
      expect(rowsOf('job_slots')).toBe(101);
      expect(store.slots.open({ scheduler_id: 's' })).toHaveLength(1);
    } finally {
      store.close();
    }
  });

  it('of a clock that was ahead for an hour stops nothing that comes after it', async () => {
    fill(`${minutes(12_000)}
      INSERT INTO job_slots (scheduler_id, job, slot, run_id, status, at) VALUES ('s', 'tick', '2030-01-01T00:00:00Z', 'r', 'ok', '2030-01-01T00:00:00.000Z');`);
    const clock = testClock('2030-01-01T01:00:00.000Z');
    const store = openStore(path, { clock, uuid });
    try {
      await pruned(store);
      const next = slotAt(Date.parse(T0) + MINUTE_MS);
      expect(await store.slots.claim({ ...JOB, slot: next, run_id: 'r' })).toBe(true);
    } finally {
      store.close();
    }
  });
});

describe('a database', () => {
  it('of before keeps its slots, is bounded, and fires nothing of it again', async () => {
    const before = openDatabase(path, migrationsFor(uuid).slice(0, 7));
    before.db.exec(minutes(30_000));
    before.close();
    const store = openStore(path, { clock: testClock(), uuid });
    try {
      expect(store.slots.latest(JOB)).toBe(slotAt(Date.parse(T0)));
      const batches = await pruned(store);

      expect(Math.max(...batches.map(({ rows }) => rows))).toBe(500);
      expect(rowsOf('job_slots')).toBe(10_000);
      const any = slotAt(Date.parse(T0) - 29_999 * MINUTE_MS);
      expect(await store.slots.claim({ ...JOB, slot: any, run_id: 'r' })).toBe(false);
      expect((await pruned(store)).every(({ rows }) => rows === 0)).toBe(true);
    } finally {
      store.close();
    }
  });

  it('keeps the runs of thirty days with their steps, a hundred of each composition for a year, and none of them for ever', async () => {
    const run = (count: number, composition: string, days: number, status = 'ok'): string =>
      `WITH RECURSIVE m(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM m WHERE i < ${count})
       INSERT INTO runs (run_id, composition_id, graph, started_at, input_hash, labels, status)
       SELECT '${composition}-${days}-${status}-' || i, '${composition}', 'g.json', '${addMs(T0, -days * DAY_MS)}', 'h', '{}', '${status}' FROM m;`;
    fill(`${run(2, 'rare', 400)}${run(3, 'rare', 200)}${run(700, 'often', 40)}${run(1, 'often', 40, 'running')}${run(150, 'often', 3)}${run(1, 'quick', 2, 'running')}
      INSERT INTO run_steps (run_id, path, stage_id, stage_name, attempt, started_at, duration_ms, status, input_hash)
      SELECT run_id, 'root', 's', 's', j.value, started_at, 1, 'ok', 'h' FROM runs, json_each('[1,2,3]') j;
      WITH RECURSIVE m(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM m WHERE i < 10007)
      INSERT INTO runs (run_id, composition_id, graph, started_at, input_hash, labels, status)
      SELECT 'q' || i, 'quick', 'g.json', '${T0}', 'h', '{}', 'ok' FROM m;`);
    const store = openStore(path, { clock: testClock(), uuid });
    try {
      const batches = await pruned(store);

      expect(Math.max(...batches.map(({ rows }) => rows))).toBe(500);
      expect(rowsOf(`runs WHERE composition_id = 'rare'`)).toBe(3);
      expect(rowsOf(`runs WHERE composition_id = 'often'`)).toBe(150);
      // The one that goes on stays, though more than ten thousand are newer.
      expect(rowsOf(`runs WHERE composition_id = 'quick'`)).toBe(10_001);
      expect(rowsOf('run_steps')).toBe(3 * (3 + 150 + 1));
      expect(store.runs.get('rare-200-ok-1')?.steps).toHaveLength(3);
      expect(store.runs.get('quick-2-running-1')?.run.status).toBe('running');
    } finally {
      store.close();
    }
  });

  it('keeps deliveries that wait and those of thirty days, and events of sprints for ever', async () => {
    const clock = testClock();
    const store = openStore(path, { clock, uuid });
    try {
      const run = store.forRun({ run_id: 'r', lease: null });
      const hooks = [1, 2, 3].map((n) => actionOf(n, null));
      await run.state.commit(commitOf({ actions: [actionOf(9)], puts: { other: 1 } }));
      await run.outbox.intend(hooks);
      for (const { action_id } of hooks.slice(0, 2)) {
        await run.outbox.start(action_id);
        await run.outbox.succeed(action_id, {});
      }
      const knock = { kind: 'forge.delivered', sprint_id: null, payload: {} };
      await store.events.append([1, 2].map((n) => ({ ...knock, event_id: `knock:${n}` })));
      const before = store.events.lastSeq();
      clock.advance(31 * DAY_MS);
      await run.outbox.start(hooks[1]!.action_id);

      await pruned(store);

      expect(store.outboxRows(null).map(({ status }) => status)).toEqual(['pending']);
      expect(store.outboxRows('s1')).toHaveLength(1);
      // The newest row stays: the end of the log never goes back.
      expect(store.events.lastSeq()).toBe(before);
      expect(
        store.events
          .read({ after: 0 })
          .map(({ kind }) => kind)
          .toSorted(),
      ).toEqual(['forge.delivered', 'kv.put', 'kv.put', 'kv.put', 'outbox.intended']);
      expect((await store.rebuildKv({ check_only: true })).differing).toEqual([]);
      expect(() => fill("DELETE FROM events WHERE kind = 'kv.put'")).toThrow('append-only');
    } finally {
      store.close();
    }
  });
});
