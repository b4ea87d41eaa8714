import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

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

  it('are listed newest first, by composition, and found by a prefix', async () => {
    for (const [id, composition] of [
      ['aa1', 'c1'],
      ['ab2', 'c2'],
      ['ab3', 'c1'],
    ] as const) {
      await store.runs.runStarted(begun(id, composition));
    }
    const ids = (query?: Parameters<typeof store.runs.list>[0]) =>
      store.runs.list(query).map(({ run_id }) => run_id);

    expect(ids()).toEqual(['ab3', 'ab2', 'aa1']);
    expect(ids({ composition_id: 'c1' })).toEqual(['ab3', 'aa1']);
    expect(ids({ limit: 1 })).toEqual(['ab3']);
    expect(store.runs.get('aa')?.run.run_id).toBe('aa1');
    expect(store.runs.get('ab')?.run.run_id).toBe('ab3');
    expect([store.runs.get('b'), store.runs.get(''), store.runs.get('%')]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
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

  it('never fail a run while the database is locked', async () => {
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
