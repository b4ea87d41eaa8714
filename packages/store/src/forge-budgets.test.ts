import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { addMs, GITHUB_API, type ForgeAsker, type ForgeLeave, type ForgeRequestKind } from '@caloron/types';
import BetterSqlite3 from 'better-sqlite3';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { Store } from './api.ts';
import { keptOf } from './forge-budgets.ts';
import { openStore } from './store.ts';

const START = '2026-04-14T08:30:00.000Z';
const account = { host: 'https://git.example.org/api/v1', token_id: '0123456789abcdef' };
const minutes = (n: number): number => n * 60_000;

let dir: string;
let now: string;
const opened: Store[] = [];

/** Each store is a process of its own, as far as the database knows. */
function open(): Store {
  const store = openStore(join(dir, 'a.db'), { clock: { now: () => now }, uuid: () => 'db' });
  opened.push(store);
  return store;
}

function ask(
  store: Store,
  who: ForgeAsker = 'tick',
  kind: ForgeRequestKind = 'read',
  whose = account,
): Promise<ForgeLeave> {
  return store.forgeBudgets.reserve(whose, { kind, who });
}

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'caloron-forge-budgets-'));
  now = START;
});
afterEach(() => {
  for (const store of opened.splice(0)) store.close();
  rmSync(dir, { recursive: true, force: true });
});

describe('a limit', () => {
  const told = (remaining: number, limit = 50) => ({ limit, remaining, reset_at: addMs(START, minutes(40)) });

  it('is not known before the host tells of it, and everything is asked', async () => {
    const store = open();
    for (let n = 0; n < 200; n += 1) expect(await ask(store)).toEqual({ ok: true });
    await store.forgeBudgets.answered(account, null, false);

    expect(store.forgeBudgets.list()).toMatchObject([
      { ...account, limit: null, remaining: null, held: null },
    ]);
  });

  it('keeps its last part for people, and is over for them too when nothing is left', async () => {
    const store = open();
    await store.forgeBudgets.answered(account, told(11), false);

    expect(await ask(store)).toEqual({ ok: true });
    expect(await ask(store)).toEqual({
      ok: false,
      hold: 'kept',
      until: addMs(START, minutes(40)),
      limit: 50,
    });
    for (let n = 0; n < 10; n += 1) expect(await ask(store, 'person')).toEqual({ ok: true });
    expect(await ask(store, 'person')).toMatchObject({ ok: false, hold: 'used_up' });
  });

  it.each([
    [null, 0],
    [50, 10],
    [60, 12],
    [1000, 100],
    [5000, 500],
    [15_000, 1500],
  ])('of %s keeps %i', (limit, kept) => {
    expect(keptOf(limit)).toBe(kept);
  });

  it('counts what other processes ask, and what is under way', async () => {
    const [scheduler, cli] = [open(), open()];
    await scheduler.forgeBudgets.answered(account, told(20), false);
    await ask(scheduler);
    await ask(cli);
    // The host has seen the first one only.
    await scheduler.forgeBudgets.answered(account, told(19), false);

    expect(cli.forgeBudgets.list()).toMatchObject([{ remaining: 18, limit: 50, kept: 10, held: null }]);
  });

  it('gets back what an unchanged answer cost', async () => {
    const store = open();
    await store.forgeBudgets.answered(account, told(20), false);
    for (let n = 0; n < 100; n += 1) {
      expect(await ask(store)).toEqual({ ok: true });
      await store.forgeBudgets.answered(account, told(20), true);
    }

    expect(store.forgeBudgets.list()).toMatchObject([{ remaining: 20 }]);
  });

  it('is a new one after its end, known again with the next answer', async () => {
    const store = open();
    await store.forgeBudgets.answered(account, told(0), false);
    expect(await ask(store, 'person')).toMatchObject({ ok: false });

    now = addMs(START, minutes(40));

    expect(store.forgeBudgets.list()).toMatchObject([{ remaining: null, reset_at: null, held: null }]);
    expect(await ask(store)).toEqual({ ok: true });
    const next = { limit: 50, remaining: 49, reset_at: addMs(now, minutes(60)) };
    await store.forgeBudgets.answered(account, next, false);
    expect(store.forgeBudgets.list()).toMatchObject([{ remaining: 49, reset_at: next.reset_at }]);
  });

  it('of a window that is over by then does not count against the new one', async () => {
    const store = open();
    await store.forgeBudgets.answered(account, { ...told(49), reset_at: addMs(START, minutes(60)) }, false);
    await store.forgeBudgets.answered(account, { ...told(0), reset_at: addMs(START, minutes(1)) }, false);

    expect(store.forgeBudgets.list()).toMatchObject([{ remaining: 49 }]);
  });

  it('belongs to one token of one host', async () => {
    const store = open();
    await store.forgeBudgets.answered(account, told(0), false);

    expect(await ask(store, 'tick', 'read', { ...account, token_id: 'f'.repeat(16) })).toEqual({ ok: true });
    expect(await ask(store, 'tick', 'read', { ...account, host: 'http://127.0.0.1:1' })).toEqual({
      ok: true,
    });
  });

  it('is never exceeded by ticks and people together, whatever they do and in which process', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 40 }),
        fc.array(fc.record({ at: fc.nat(1), person: fc.boolean(), free: fc.boolean() }), {
          minLength: 50,
          maxLength: 80,
        }),
        async (limit, asked) => {
          const whose = { host: 'http://127.0.0.1:2', token_id: String(opened.length) };
          const stores = [open(), open()];
          let left = limit;
          const answer = (free: boolean) =>
            stores[0]?.forgeBudgets.answered(whose, { ...told(left, limit) }, free);
          await answer(false);
          for (const { at, person, free } of asked) {
            const store = stores[at] as Store;
            const leave = await ask(store, person ? 'person' : 'tick', 'read', whose);
            if (!leave.ok) {
              expect(left).toBeLessThanOrEqual(person ? 0 : keptOf(limit));
              continue;
            }
            expect(left).toBeGreaterThan(person ? 0 : keptOf(limit));
            if (!free) left -= 1;
            await answer(free);
          }
        },
      ),
      { numRuns: 15 },
    );
  });
});

describe('a host that refuses', () => {
  it('is asked by nobody before its limit ends', async () => {
    const [scheduler, cli] = [open(), open()];
    await scheduler.forgeBudgets.limited(account, 'slow_down', addMs(START, 90_000));

    expect(await ask(cli)).toMatchObject({ ok: false, hold: 'slow_down', until: addMs(START, 90_000) });
    expect(await ask(cli, 'person')).toMatchObject({ ok: false });
    // An answer to what was under way lifts nothing, and a shorter wait does not end the longer one.
    await cli.forgeBudgets.answered(account, null, false);
    await cli.forgeBudgets.limited(account, 'used_up', addMs(START, 1_000));
    now = addMs(START, 89_999);
    expect(await ask(cli)).toMatchObject({ ok: false });
    now = addMs(START, 90_000);
    expect(await ask(cli)).toEqual({ ok: true });
  });
});

describe('a host that fails', () => {
  it('is left alone after the third time in a row, longer each time and at most five minutes', async () => {
    const store = open();
    const rests: (number | null)[] = [];
    for (let n = 0; n < 10; n += 1) {
      await store.forgeBudgets.failed(account);
      const [standing] = store.forgeBudgets.list();
      const until = standing?.held?.until;
      rests.push(until === undefined ? null : (Date.parse(until) - Date.parse(now)) / 1000);
      now = until ?? now;
    }

    expect(rests).toEqual([null, null, 10, 20, 40, 80, 160, 300, 300, 300]);
  });

  it('counts once for all that was under way, and is asked by people all the same', async () => {
    const store = open();
    for (let n = 0; n < 9; n += 1) await store.forgeBudgets.failed(account);

    expect(await ask(store)).toMatchObject({ ok: false, hold: 'outage', until: addMs(START, 10_000) });
    expect(await ask(store, 'person')).toEqual({ ok: true });
  });

  it('is asked again as soon as it answers anybody', async () => {
    const store = open();
    for (let n = 0; n < 3; n += 1) await store.forgeBudgets.failed(account);
    await store.forgeBudgets.answered(account, null, false);

    expect(await ask(store)).toEqual({ ok: true });
    await store.forgeBudgets.failed(account);
    expect(await ask(store)).toEqual({ ok: true });
  });
});

describe('what is made', () => {
  const github = { ...account, host: GITHUB_API };

  it('on github.com is at most 20 in a minute and 450 in an hour, in all processes', async () => {
    const stores = [open(), open()];
    const create = (n: number) => ask(stores[n % 2] as Store, 'person', 'create', github);
    for (let n = 0; n < 20; n += 1) expect(await create(n)).toEqual({ ok: true });

    expect(await create(20)).toMatchObject({ ok: false, hold: 'creates', until: addMs(START, 60_000) });
    expect(await ask(open(), 'tick', 'read', github)).toEqual({ ok: true });
    let made = 20;
    for (let minute = 1; minute < 60; minute += 1) {
      now = addMs(START, minutes(minute));
      for (let n = 0; n < 20; n += 1) made += (await create(n)).ok ? 1 : 0;
    }
    expect(made).toBe(450);
    now = addMs(START, minutes(60));
    expect(await create(0)).toEqual({ ok: true });
  });

  it('elsewhere is not counted', async () => {
    const store = open();

    for (let n = 0; n < 100; n += 1) expect(await ask(store, 'tick', 'create')).toEqual({ ok: true });
  });
});

describe('a damaged row', () => {
  it('is as good as none', async () => {
    const store = open();
    await ask(store);
    const db = new BetterSqlite3(join(dir, 'a.db'));
    db.exec("UPDATE forge_budgets SET hold = 'nonsense', creates = '{'");
    db.close();

    expect(store.forgeBudgets.list()).toEqual([]);
    expect(await ask(store)).toEqual({ ok: true });
  });
});
