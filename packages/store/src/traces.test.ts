import { join } from 'node:path';

import type { Json, StepFinished } from '@caloron/noether';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { Store } from './api.ts';
import { openDatabase } from './database.ts';
import { migrationsFor } from './schema.ts';
import { openStore } from './store.ts';
import { T0, tempDir, testClock, uuid } from './testing/fixtures.ts';

let dir: string;
let remove: () => void;
let store: Store;
const clock = testClock();
beforeEach(() => {
  ({ dir, remove } = tempDir());
  store = openStore(join(dir, 'a.db'), { clock, uuid });
});
afterEach(() => {
  store.close();
  remove();
});

const begun = (run_id: string, composition_id = 'c1') => ({
  run_id,
  composition_id,
  graph: 'sprint_tick.json',
  started_at: T0,
  input_hash: 'i',
  labels: { job: 'tick' },
});
const step = {
  run_id: 'aa1',
  path: 'root.stages[0]',
  stage_id: 's',
  stage_name: 'clock_now',
  attempt: 1,
  started_at: T0,
  duration_ms: 0.5,
  status: 'failed' as const,
  input_hash: 'i',
  output_hash: null,
  error: { code: 'STAGE_FAILED', message: 'no' },
};
const ended = {
  run_id: 'aa1',
  finished_at: T0,
  duration_ms: 1.5,
  status: 'failed' as const,
  output_hash: null,
  error: { code: 'STAGE_FAILED', message: 'no', path: 'root.stages[0]' },
};

describe('runs', () => {
  it('are kept with their steps when they fail', async () => {
    await store.runs.runStarted(begun('aa1'));
    expect(store.runs.list()).toEqual([{ ...begun('aa1'), status: 'running' }]);

    await store.runs.stepFinished(step);
    await store.runs.runFinished(ended);

    expect(store.runs.get('aa1')).toEqual({ run: { ...begun('aa1'), ...ended }, steps: [step] });
  });

  it('are listed newest first, by composition, status and graph', async () => {
    for (const [id, composition, graph] of [
      ['aa1', 'c1', '/g/sprint_tick.json'],
      ['ab2', 'c2', '/g/brief.json'],
      ['ab3', 'c1', '/g/other/sprint_tick.json'],
    ] as const) {
      await store.runs.runStarted({ ...begun(id, composition), graph });
    }
    await store.runs.runFinished(ended);
    const ids = (query?: Parameters<typeof store.runs.list>[0]) =>
      store.runs.list(query).map(({ run_id }) => run_id);

    expect(ids()).toEqual(['ab3', 'ab2', 'aa1']);
    expect(ids({ composition_id: 'c1' })).toEqual(['ab3', 'aa1']);
    expect(ids({ composition_id: 'c' })).toEqual(['ab3', 'ab2', 'aa1']);
    expect(ids({ limit: 1 })).toEqual(['ab3']);
    expect(ids({ status: 'failed' })).toEqual(['aa1']);
    expect(ids({ graph: 'sprint_tick' })).toEqual(['ab3', 'aa1']);
    expect(ids({ graph: 'sprint_tick.json', status: 'running' })).toEqual(['ab3']);
    expect(ids({ graph: '/g/brief.json' })).toEqual(['ab2']);
    expect([ids({ graph: 'tick' }), ids({ graph: '%' }), ids({ composition_id: 'c1x' })]).toEqual([
      [],
      [],
      [],
    ]);
  });

  it('are listed by labels and by when they started', async () => {
    const ids = (query: Parameters<typeof store.runs.list>[0]) =>
      store.runs.list(query).map(({ run_id }) => run_id);
    await store.runs.runStarted(begun('aa1'));
    await store.runs.runStarted({
      ...begun('ab4'),
      started_at: '2030-01-01T00:00:00.000Z',
      labels: { sprint: 's-1' },
    });
    expect(ids({ labels: { sprint: 's-1' } })).toEqual(['ab4']);
    expect(ids({ labels: { sprint: 's-1', job: 'tick' } })).toEqual([]);
    expect(ids({ labels: { sprint: 's' } })).toEqual([]);
    expect(ids({ since: '2030-01-01T00:00:00.000Z' })).toEqual(['ab4']);
    expect(ids({ labels: { job: 'tick' }, limit: 5 })).toEqual(['aa1']);
  });

  it('are found by their id or their composition’s, by the beginning of either too', async () => {
    for (const [id, composition] of [
      ['aa1', 'c1'],
      ['ab2', 'c2'],
      ['ab3', 'c1'],
    ] as const) {
      await store.runs.runStarted(begun(id, composition));
    }
    const id = (reference: string) => store.runs.get(reference)?.run.run_id;

    expect(['aa1', 'aa', 'ab2', 'c1', 'c2'].map(id)).toEqual(['aa1', 'aa1', 'ab2', 'ab3', 'ab2']);
    expect(['b', '', '%', 'aa11', 'c1%'].map(id)).toEqual(Array(5).fill(undefined));
  });

  it('that share the beginning of an id are listed instead of guessed', async () => {
    await store.runs.runStarted(begun('ab2', 'c1'));
    await store.runs.runStarted(begun('ab3', 'c2'));
    await store.runs.runStarted(begun('cc', 'c2'));

    const ambiguous = (reference: string, ...candidates: readonly string[]) =>
      expect(() => store.runs.get(reference)).toThrow(
        expect.objectContaining({
          code: 'RUN_AMBIGUOUS',
          details: { reference, candidates: candidates.map((text) => expect.stringContaining(text)) },
        }) as Error,
      );

    ambiguous('ab', 'run ab3', 'run ab2');
    ambiguous('c', 'run cc', 'composition c1', 'composition c2');
  });

  it('keep what their nodes were given and gave where that is recorded', async () => {
    const values: Pick<StepFinished, 'input' | 'output'> = {
      input: JSON.parse('{"text":"\\ud800","__proto__":1,"7":[null]}') as Json,
      output: null,
    };
    await store.runs.runStarted(begun('aa1'));
    await store.runs.stepFinished(step);
    await store.runs.stepFinished({ ...step, attempt: 2, ...values });
    await store.runs.stepFinished({ ...step, attempt: 3, input: 'x'.repeat(300_000) });

    expect(store.runs.get('aa1')?.steps).toEqual([
      step,
      { ...step, attempt: 2, ...values },
      { ...step, attempt: 3, input: { left_out_characters: 300_002 } },
    ]);
  });

  it('of a database from before values were recorded stay readable', async () => {
    const path = join(dir, 'before.db');
    const [first] = migrationsFor(uuid);
    const before = openDatabase(path, first === undefined ? [] : [first]);
    before.db.exec(`
      INSERT INTO runs (run_id, composition_id, graph, started_at, input_hash, labels, status)
        VALUES ('old', 'c', 'g.json', '${T0}', 'i', '{}', 'running');
      INSERT INTO run_steps (run_id, path, stage_id, stage_name, attempt, started_at, duration_ms, status, input_hash)
        VALUES ('old', 'root', 's', 'clock_now', 1, '${T0}', 1, 'ok', 'i');
    `);
    before.close();

    const after = openStore(path, { clock, uuid });
    try {
      await after.runs.stepFinished({ ...step, run_id: 'old', input: 1 });

      const { output: _output, ...failed } = { ...step, run_id: 'old', input: 1, output: null };
      expect(after.runs.get('old')?.steps).toEqual([
        { ...step, run_id: 'old', path: 'root', duration_ms: 1, status: 'ok', error: null },
        failed,
      ]);
    } finally {
      after.close();
    }
  });
});

describe('a trace', () => {
  const other = (): Store => openStore(join(dir, 'a.db'), { clock, uuid });

  it('is on disk whole when the run has ended, and is written while it runs', async () => {
    const reader = other();
    try {
      await store.runs.runStarted(begun('aa1'));
      expect(reader.runs.get('aa1')?.run.status).toBe('running');

      await store.runs.stepFinished(step);
      expect(reader.runs.get('aa1')?.steps).toEqual([]);
      await vi.waitFor(() => expect(reader.runs.get('aa1')?.steps).toEqual([step]), { timeout: 30_000 });

      for (let attempt = 2; attempt <= 501; attempt += 1) await store.runs.stepFinished({ ...step, attempt });
      expect(reader.runs.get('aa1')?.steps.length).toBeGreaterThanOrEqual(400);

      await store.runs.runFinished(ended);
      const found = reader.runs.get('aa1');
      expect(found?.run.status).toBe('failed');
      expect(found?.steps.map(({ attempt }) => attempt)).toEqual(
        Array.from({ length: 501 }, (_, i) => i + 1),
      );
    } finally {
      reader.close();
    }
  });

  it('shows what was not written yet to a reader of the same store', async () => {
    await store.runs.runStarted(begun('aa1'));
    await store.runs.stepFinished(step);

    expect(store.runs.get('aa1')?.steps).toEqual([step]);
  });

  it('is written when the store is closed, and takes nothing afterwards', async () => {
    const writer = other();
    await writer.runs.runStarted(begun('aa1'));
    await writer.runs.stepFinished(step);
    writer.close();
    writer.close();

    expect(store.runs.get('aa1')?.steps).toEqual([step]);
    expect(() => writer.runs.stepFinished(step)).toThrow(
      expect.objectContaining({ code: 'STORE_CLOSED' }) as Error,
    );
  });

  it('waits for a locked database without holding up the run, and its end waits for the trace', async () => {
    const raw = openDatabase(join(dir, 'a.db'), migrationsFor(uuid));
    try {
      raw.db.exec('BEGIN IMMEDIATE');
      await store.runs.runStarted(begun('aa1'));
      await store.runs.stepFinished(step);
      let done = false;
      const finish = Promise.resolve(store.runs.runFinished(ended)).then(() => {
        done = true;
      });
      expect(store.runs.get('aa1')).toBeUndefined();
      expect(done).toBe(false);
      raw.db.exec('COMMIT');
      await finish;
    } finally {
      raw.close();
    }

    expect(store.runs.get('aa1')).toEqual({ run: { ...begun('aa1'), ...ended }, steps: [step] });
  });

  it('with a row that cannot be written keeps the others and says so', async () => {
    const said: unknown[] = [];
    const warned = openStore(join(dir, 'a.db'), { clock, uuid, warn: (facts) => void said.push(facts) });
    try {
      await warned.runs.runStarted(begun('aa1'));
      await warned.runs.stepFinished({ ...step, duration_ms: NaN });
      await warned.runs.stepFinished(step);
      await warned.runs.runFinished(ended);

      expect(warned.runs.get('aa1')?.steps).toEqual([step]);
      expect(said).toEqual([
        { rows: 1, path: warned.path, reason: expect.stringContaining('NOT NULL') as string },
      ]);
    } finally {
      warned.close();
    }
  });

  it('that is lost at the end says so', async () => {
    const said: unknown[] = [];
    const raw = openDatabase(join(dir, 'a.db'), migrationsFor(uuid));
    const warned = openStore(join(dir, 'a.db'), { clock, uuid, warn: (facts) => void said.push(facts) });
    try {
      raw.db.exec('BEGIN IMMEDIATE');
      await warned.runs.stepFinished(step);
      warned.close();

      expect(said).toContainEqual({
        rows: 1,
        path: warned.path,
        reason: expect.stringContaining('locked') as string,
      });
    } finally {
      raw.close();
    }
  });
});

describe('job slots', () => {
  const slot = { scheduler_id: 'main', job: 'tick', slot: '2026-04-14T08:30:00Z' };

  it('fire once for ever, whichever process asks', async () => {
    const other = openStore(join(dir, 'a.db'), { clock, uuid });
    try {
      const won = await Promise.all(
        [store, other, store, other].map((of, i) => of.slots.claim({ ...slot, run_id: `r${i}` })),
      );

      expect(won.filter(Boolean)).toHaveLength(1);
      expect(await other.slots.claim({ ...slot, scheduler_id: 'second', run_id: 'r' })).toBe(true);
    } finally {
      other.close();
    }
  });

  it('say why they did not fire and how they ended', async () => {
    await store.slots.claim({ ...slot, run_id: 'r1' });
    await store.slots.note(slot, 'skipped', 'overlap');
    await store.slots.note(slot, 'failed', 'STAGE_FAILED');
    await store.slots.note({ ...slot, slot: 'later' }, 'skipped', 'overlap');

    expect(await store.slots.claim({ ...slot, slot: 'later', run_id: 'r2' })).toBe(false);
    expect(store.slots.list({ limit: 10 })).toMatchObject([
      { slot: 'later', status: 'skipped', reason: 'overlap', run_id: null },
      { slot: slot.slot, status: 'failed', reason: 'STAGE_FAILED', run_id: 'r1' },
    ]);
    expect(store.slots.list({ job: 'other', limit: 10 })).toEqual([]);
  });
});

describe('deliveries', () => {
  it('are claimed once', async () => {
    expect([await store.deliveries.claim('d'), await store.deliveries.claim('d')]).toEqual([true, false]);
  });

  it('are accepted once, each with its row or none, and forgotten after a week', async () => {
    const row = (id: string) => ({ event_id: id, kind: 'forge.delivered', sprint_id: null, payload: { id } });
    const accept = (id: string): Promise<boolean> => store.deliveries.accept(id, row(id));
    const kinds = (): readonly unknown[] => store.events.read({ after: 0 }).map(({ payload }) => payload);

    expect([await accept('a'), await accept('a')]).toEqual([true, false]);
    expect([await store.deliveries.accept('b', null), await store.deliveries.claim('b')]).toEqual([
      true,
      false,
    ]);
    expect(kinds()).toEqual([{ id: 'a' }]);
    clock.advance(6 * 24 * 60 * 60_000);
    expect(await accept('a')).toBe(false);
    clock.advance(2 * 24 * 60 * 60_000);
    expect(await accept('c')).toBe(true);
    expect(await accept('b')).toBe(true);
  });
});

describe('caches', () => {
  const answer = { etag: '"e"', status: 200, headers: { link: '<x>' }, body: '[]', at: T0 };

  it('give back what was put last', async () => {
    await store.forgeCache.put('k', answer);
    await store.forgeCache.put('k', { ...answer, etag: '"f"' });
    await store.cache.put('s', 'h', { a: [1] });

    expect(await store.forgeCache.get('k')).toEqual({ ...answer, etag: '"f"' });
    expect(await store.cache.get('s', 'h')).toEqual({ a: [1] });
    expect([await store.forgeCache.get('x'), await store.cache.get('s', 'x')]).toEqual([
      undefined,
      undefined,
    ]);
  });

  it('take a damaged row for none', async () => {
    await store.forgeCache.put('k', answer);
    await store.cache.put('s', 'h', 1);
    const raw = openDatabase(join(dir, 'a.db'), migrationsFor(uuid));
    raw.db.exec("UPDATE forge_cache SET answer = '{'; UPDATE stage_output_cache SET output = '{'");
    raw.close();

    expect([await store.forgeCache.get('k'), await store.cache.get('s', 'h')]).toEqual([
      undefined,
      undefined,
    ]);
  });

  it('O4 never fail a run while the database is locked', async () => {
    const raw = openDatabase(join(dir, 'a.db'), migrationsFor(uuid));
    try {
      raw.db.exec('BEGIN IMMEDIATE');

      await store.cache.put('s', 'h', 1);

      expect(await store.cache.get('s', 'h')).toBeUndefined();
    } finally {
      raw.close();
    }
  });

  it('drop the oldest answers', async () => {
    await store.forgeCache.put('first', answer);
    const raw = openDatabase(join(dir, 'a.db'), migrationsFor(uuid));
    raw.db.exec("UPDATE sqlite_sequence SET seq = 5000 WHERE name = 'forge_cache'");
    raw.close();

    await store.forgeCache.put('next', answer);

    expect(await store.forgeCache.get('first')).toBeUndefined();
    expect(await store.forgeCache.get('next')).toEqual(answer);
  });
});
