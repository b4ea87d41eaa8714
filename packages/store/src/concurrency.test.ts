import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { Store } from './api.ts';
import { openDatabase } from './database.ts';
import { migrationsFor } from './schema.ts';
import { openStore } from './store.ts';
import { endChildren, startChild } from './testing/children.ts';
import { tempDir, testClock, uuid } from './testing/fixtures.ts';

/** `pnpm test` has a sample of these tests, `pnpm test:slow` all. */
const SLOW = process.env['CALORON_TEST_SLOW'] === '1';

let { dir, remove } = tempDir();
let stores: Store[] = [];
beforeEach(() => {
  ({ dir, remove } = tempDir());
  stores = [];
});
afterEach(async () => {
  await endChildren();
  for (const store of stores) store.close();
  remove();
});

function open(): Store {
  const store = openStore(join(dir, 'a.db'), { clock: testClock(), uuid });
  stores.push(store);
  return store;
}

describe('several processes', () => {
  it('create one database together and lose no write of any', async () => {
    const names = ['a', 'b', 'c'];

    const children = names.map((name) => startChild('./writer.ts', [join(dir, 'a.db'), name, '40']));
    const codes = await Promise.all(children.map(({ ended }) => ended));

    const store = open();
    const rows = store.events.read({ after: 0, kinds: ['config.*'] });
    expect(codes).toEqual([0, 0, 0]);
    expect(new Set(children.flatMap(({ lines }) => lines))).toEqual(new Set([store.db_id]));
    expect(await store.kv.get('counter')).toEqual({ value: 120, rev: 120 });
    expect(rows).toHaveLength(120);
    expect(new Set(store.events.read({ after: 0 }).map(({ seq }) => seq)).size).toBe(240);
    expect(await store.rebuildKv({ check_only: true })).toEqual({ rows: 1, differing: [] });
  });

  it('see nothing of a transaction whose process was killed inside it', async () => {
    const child = startChild('./torn-writer.ts', [join(dir, 'a.db'), 'hold']);
    await child.printed('holding');
    child.process.kill('SIGKILL');
    await child.ended;

    const store = open();
    const seen = await store.forRun({ run_id: 'r', lease: null }).log.seen('s1', ['torn']);

    expect(seen).toEqual([]);
    expect(await store.kv.put('free', 1)).toEqual({ rev: 1 });
  });

  if (SLOW)
    it('find each commit of a killed process whole or not at all', async () => {
      for (const wait_ms of [30, 60, 90]) {
        const file = join(dir, `${wait_ms}.db`);
        const child = startChild('./torn-writer.ts', [file, 'commit']);
        await child.printed('committing');
        await new Promise((resolve) => setTimeout(resolve, wait_ms));
        child.process.kill('SIGKILL');
        await child.ended;

        const store = openStore(file, { clock: testClock(), uuid });
        stores.push(store);
        const { state, rev, cursors } = await store.forRun({ run_id: 'r', lease: null }).state.load('s1');
        const commits = rev - 1;
        const note = await store.kv.get('caloron:s1:note');

        expect(state.sprint.goal).toBe(commits === 0 ? 'a login form' : `goal ${commits}`);
        expect(cursors.log_seq).toBe(commits);
        expect(note?.value ?? 0).toBe(commits);
        expect(store.outboxRows('s1')).toHaveLength(commits * 2);
        expect(await store.rebuildKv({ check_only: true })).toMatchObject({ differing: [] });
      }
    });

  it('check a database that lost nothing', async () => {
    const child = startChild('./writer.ts', [join(dir, 'a.db'), 'a', '5']);
    await child.ended;

    const database = openDatabase(join(dir, 'a.db'), migrationsFor(uuid));
    const check = database.db.prepare('PRAGMA integrity_check').get();
    database.close();

    expect(check).toEqual({ integrity_check: 'ok' });
  });
});
