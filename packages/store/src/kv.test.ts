import fc from 'fast-check';
import { canonicalJson } from '@caloron/noether';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { openDatabase } from './database.ts';
import { migrationsFor } from './schema.ts';
import { openStore } from './store.ts';
import type { Store } from './api.ts';
import { commitOf, memoryStore, sprintState, tempDir, testClock, uuid } from './testing/fixtures.ts';

let store: Store;
beforeEach(() => {
  ({ store } = memoryStore());
});
afterEach(() => store.close());

/** Any JSON, with the keys that trip objects up. */
const key = fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', '10', '9', 'toJSON', ''));
const { json } = fc.letrec<{ json: unknown }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 4 },
    fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.boolean(),
      fc.constant(null),
    ),
    fc.array(tie('json'), { maxLength: 4 }),
    fc.array(fc.tuple(key, tie('json')), { maxLength: 4 }).map((entries) => Object.fromEntries(entries)),
  ),
}));

function big(changes: Record<string, unknown> = {}): Record<string, unknown> {
  const filler = Object.fromEntries(
    Array.from({ length: 100 }, (_, i) => [`field${i}`, { text: 'x'.repeat(60), list: [i] }]),
  );
  return { ...filler, ...changes };
}

async function payloads(of: Store): Promise<readonly Record<string, unknown>[]> {
  return of.events
    .read({ after: 0, kinds: ['kv.*'] })
    .map(({ payload }) => payload as Record<string, unknown>);
}

describe('kv', () => {
  it('keeps namespaces apart, and the log gives each its own rows', async () => {
    await store.kv.put('k', 'none');
    await store.kv.put('k', 'one', { namespace: 'a:b' });
    await store.kv.put('b:k', 'two', { namespace: 'a' });
    await store.kv.put('caloron:s1:agents', 'mine', { namespace: 'a' });

    expect(await store.kv.get('k', { namespace: 'a:b' })).toEqual({ value: 'one', rev: 1 });
    expect(await store.kv.get('k')).toEqual({ value: 'none', rev: 1 });
    expect(await store.kv.list('', { namespace: 'a' })).toEqual(['b:k', 'caloron:s1:agents']);
    expect(await store.kv.list('')).toEqual(['k']);
    expect(await store.kv.delete('k', { namespace: 'a:b' })).toBe(true);
    expect(await store.kv.get('k')).toEqual({ value: 'none', rev: 1 });
    expect(await store.rebuildKv({ check_only: true })).toEqual({ rows: 4, differing: [] });
  });

  it.each([['a\0b'], ['\ud83d'], ['x'.repeat(129)]])('refuses the namespace %j', async (namespace) => {
    await expect(store.kv.put('k', 1, { namespace })).rejects.toMatchObject({ code: 'STORE_KEY_INVALID' });
  });

  it('gives back any JSON that was put, and the log gives the same bytes', async () => {
    await fc.assert(
      fc.asyncProperty(json, async (value) => {
        await store.kv.put('any', value);

        const found = await store.kv.get('any');

        expect(canonicalJson(found?.value)).toBe(canonicalJson(value));
      }),
      { numRuns: 300 },
    );
    expect(await store.rebuildKv({ check_only: true })).toEqual({ rows: 1, differing: [] });
  });

  it('keeps a member called __proto__ and gives it no power', async () => {
    const value: unknown = JSON.parse('{"__proto__":{"admin":true},"a":1}');

    await store.kv.put('k', value);
    const found = await store.kv.get('k');

    expect(JSON.stringify(found?.value)).toBe('{"__proto__":{"admin":true},"a":1}');
    expect(found?.value).not.toHaveProperty('admin');
  });

  it('tells a stored null from an absent key', async () => {
    await store.kv.put('k', null);

    expect(await store.kv.get('k')).toEqual({ value: null, rev: 1 });
    expect(await store.kv.get('absent')).toBeUndefined();
  });

  it('writes nothing for equal bytes, whatever the order of the members', async () => {
    await store.kv.put('k', { a: 1, b: 2 });
    const before = store.events.lastSeq();

    expect(await store.kv.put('k', { b: 2, a: 1 })).toEqual({ rev: 1 });
    expect(store.events.lastSeq()).toBe(before);
  });

  it('stores a cut emoji as U+FFFD and an escaped backslash as it is', async () => {
    await store.kv.put('k', { cut: 'a\ud83d', kept: '\\ud83d', '\udc00': 1 });

    expect((await store.kv.get('k'))?.value).toEqual({ cut: 'a\ufffd', kept: '\\ud83d', '\ufffd': 1 });
  });

  it.each([
    ['undefined', undefined],
    ['NaN', { a: NaN }],
    ['a bigint', { a: 1n }],
    ['a function', () => 1],
  ])('refuses %s and names the key', async (_what, value) => {
    await expect(store.kv.put('k', value)).rejects.toMatchObject({
      code: 'STORE_VALUE_INVALID',
      details: { key: 'k' },
    });
  });

  it('refuses a cycle', async () => {
    const value: Record<string, unknown> = {};
    value['self'] = value;

    await expect(store.kv.put('k', value)).rejects.toMatchObject({ code: 'STORE_VALUE_INVALID' });
  });

  it.each(['', 'x'.repeat(513), 'half\ud83d'])('refuses the key %j', async (bad) => {
    await expect(store.kv.put(bad, 1)).rejects.toMatchObject({ code: 'STORE_KEY_INVALID' });
  });

  it('takes expect_rev 0 for absent and refuses any other revision than the one there', async () => {
    await store.kv.put('k', 1, { expect_rev: 0 });

    await expect(store.kv.put('k', 2, { expect_rev: 0 })).rejects.toMatchObject({
      code: 'STORE_CONFLICT',
      details: { key: 'k', expected: 0, actual: 1 },
    });
    await expect(store.kv.put('new', 2, { expect_rev: 1 })).rejects.toMatchObject({
      code: 'STORE_CONFLICT',
      details: { actual: 0 },
    });
    expect(await store.kv.put('k', 2, { expect_rev: 1 })).toEqual({ rev: 2 });
  });

  it('deletes, says when there was nothing, and never uses a revision twice', async () => {
    await store.kv.put('k', 1);

    expect(await store.kv.delete('k')).toBe(true);
    expect(await store.kv.delete('k')).toBe(false);
    expect(await store.kv.get('k')).toBeUndefined();
    expect(await store.kv.list('k')).toEqual([]);
    expect(await store.kv.put('k', 1, { expect_rev: 0 })).toEqual({ rev: 3 });
  });

  it('lists exactly the keys with the prefix in byte order', async () => {
    for (const name of ['a%b', 'a_b', 'aab', 'a', 'b', 'é', 'a\u{1f600}', 'a\uffee', 'A'])
      await store.kv.put(name, 1);

    expect(await store.kv.list('a')).toEqual(['a', 'a%b', 'a_b', 'aab', 'a\uffee', 'a\u{1f600}']);
    expect(await store.kv.list('a_')).toEqual(['a_b']);
    expect(await store.kv.list('')).toHaveLength(9);
    expect(await store.kv.list('zz')).toEqual([]);
  });

  it('logs who wrote what in the same transaction', async () => {
    const run = store.forRun({ run_id: 'r1', lease: null });

    await run.kv.put('caloron:s1:note', { a: 1 });

    expect(store.events.read({ after: 0, sprint_id: 's1' })).toMatchObject([
      {
        kind: 'kv.put',
        run_id: 'r1',
        actor: 'caloron',
        sprint_id: 's1',
        target: 'caloron:s1:note',
        payload: { key: 'caloron:s1:note', rev: 1, value: { a: 1 } },
      },
    ]);
  });
});

describe('the log of a large value', () => {
  it('holds patches between snapshots, far smaller than the value', async () => {
    for (let i = 1; i <= 120; i += 1) await store.kv.put('big', big({ n: i }));

    const logged = await payloads(store);

    const whole = logged.flatMap((payload) => ('value' in payload ? [payload['rev']] : []));
    expect(whole).toEqual([1, 50, 100]);
    expect(
      logged.filter((payload) => 'patch' in payload).every((payload) => JSON.stringify(payload).length < 400),
    ).toBe(true);
    expect(await store.rebuildKv({ check_only: true })).toEqual({ rows: 1, differing: [] });
  });

  it('is whole again when most of the value changed', async () => {
    await store.kv.put('big', big());
    await store.kv.put('big', Object.fromEntries(Object.keys(big()).map((name) => [name, 'y'.repeat(70)])));

    expect((await payloads(store)).map((payload) => 'value' in payload)).toEqual([true, true]);
  });

  it('gives the same bytes for any sequence of changes', async () => {
    const change = fc.tuple(
      fc.constantFrom('a', '__proto__', '7', 'field3', 'field4'),
      fc.option(json, { nil: undefined }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 12 }), async (changes) => {
        const members = new Map(Object.entries(big()));
        for (const [name, value] of changes) {
          if (value === undefined) members.delete(name);
          else members.set(name, value);
          await store.kv.put('big', Object.fromEntries(members));
        }
      }),
      { numRuns: 60 },
    );

    expect(await store.rebuildKv({ check_only: true })).toEqual({ rows: 1, differing: [] });
  });
});

describe('a damaged database', () => {
  let dir: string;
  let remove: () => void;
  beforeEach(() => {
    ({ dir, remove } = tempDir());
  });
  afterEach(() => remove());

  async function damaged(sql: string): Promise<Store> {
    const path = `${dir}/a.db`;
    const made = openStore(path, { clock: testClock(), uuid });
    await made.forRun({ run_id: 'r', lease: null }).state.commit(commitOf({ puts: { other: { a: 1 } } }));
    await made.kv.delete('other');
    made.close();
    const raw = openDatabase(path, migrationsFor(uuid));
    raw.db.exec(sql);
    raw.close();
    return openStore(path, { clock: testClock(), uuid });
  }

  it('names the key of a damaged value, and a rebuild heals it from the log', async () => {
    const store = await damaged(`UPDATE kv SET value = '{"v":1,' WHERE key = 'caloron:s1:state'`);
    const run = store.forRun({ run_id: 'r', lease: null });
    try {
      await expect(run.kv.get('caloron:s1:state')).rejects.toMatchObject({
        code: 'STORE_VALUE_INVALID',
        details: { key: 'caloron:s1:state' },
        hint: expect.stringContaining('caloron kv rebuild'),
      });
      await expect(run.state.load('s1')).rejects.toMatchObject({ code: 'STORE_VALUE_INVALID' });

      expect(await store.rebuildKv()).toEqual({ rows: 3, differing: ['caloron:s1:state'] });

      expect((await run.state.load('s1')).state).toEqual(sprintState());
      expect(await store.rebuildKv()).toEqual({ rows: 3, differing: [] });
    } finally {
      store.close();
    }
  });

  it('brings back lost rows and drops rows the log does not know', async () => {
    const store = await damaged(
      `DELETE FROM kv WHERE key = 'caloron:s1:cursors'; INSERT INTO kv VALUES ('', 'smuggled', '1', 1, 1)`,
    );
    try {
      expect(await store.rebuildKv({ check_only: true })).toMatchObject({
        differing: ['caloron:s1:cursors', 'smuggled'],
      });
      expect(await store.kv.get('smuggled')).toBeDefined();

      await store.rebuildKv();

      expect(await store.kv.list('')).toEqual([
        'caloron:s1:agents',
        'caloron:s1:cursors',
        'caloron:s1:state',
      ]);
    } finally {
      store.close();
    }
  });

  it.each([
    [`'{"v":2}'`, /v /],
    [`json_set(value, '$.status', 'paused')`, /status /],
    [`json_set(value, '$.sprint.repo', 5)`, /sprint\.repo /],
  ])('names the path in a state that is %s', async (value, path) => {
    const store = await damaged(`UPDATE kv SET value = ${value} WHERE key = 'caloron:s1:state'`);
    try {
      await expect(store.forRun({ run_id: 'r', lease: null }).state.load('s1')).rejects.toThrow(path);
    } finally {
      store.close();
    }
  });

  it('heals a damaged value by putting a whole new one', async () => {
    const store = await damaged(`UPDATE kv SET value = '{' WHERE key = 'caloron:s1:cursors'`);
    try {
      await store.kv.put('caloron:s1:cursors', big());

      expect(await store.rebuildKv({ check_only: true })).toMatchObject({ differing: [] });
    } finally {
      store.close();
    }
  });
});
