import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { Store } from './api.ts';
import { memoryStore, type testClock } from './testing/fixtures.ts';

let store: Store;
let clock: ReturnType<typeof testClock>;
beforeEach(() => {
  ({ store, clock } = memoryStore());
});
afterEach(() => store.close());

describe('leases', () => {
  it('are held by one until they expire, and each grant has a higher fence', async () => {
    const a = await store.leases.acquire('tick:s1', 'a', 1000);
    const refused = await store.leases.acquire('tick:s1', 'b', 1000);
    clock.advance(1000);
    const b = await store.leases.acquire('tick:s1', 'b', 1000);

    expect(a).toEqual({ name: 'tick:s1', holder: 'a', fence: 1 });
    expect(refused).toBeNull();
    expect(b).toEqual({ name: 'tick:s1', holder: 'b', fence: 2 });
  });

  it('go on by renewal and not past a takeover', async () => {
    const a = (await store.leases.acquire('l', 'a', 1000))!;
    clock.advance(900);

    expect(await store.leases.renew(a, 1000)).toBe(true);
    clock.advance(900);
    expect(await store.leases.acquire('l', 'b', 1000)).toBeNull();
    clock.advance(100);
    expect(await store.leases.acquire('l', 'b', 1000)).not.toBeNull();
    expect(await store.leases.renew(a, 1000)).toBe(false);
  });

  it('are free after release and keep their fence for ever', async () => {
    const a = (await store.leases.acquire('l', 'a', 1000))!;
    await store.leases.release(a);
    await store.leases.release(a);

    expect(await store.leases.renew(a, 1000)).toBe(false);
    expect(await store.leases.acquire('l', 'a', 1000)).toEqual({ name: 'l', holder: 'a', fence: 2 });
  });

  it('are not released by a holder that lost them', async () => {
    const a = (await store.leases.acquire('l', 'a', 1000))!;
    clock.advance(1000);
    await store.leases.acquire('l', 'b', 1000);

    await store.leases.release(a);

    expect(await store.leases.acquire('l', 'c', 1000)).toBeNull();
  });
});

describe('a run that lost its lease', () => {
  it.each([
    ['expiry', async () => clock.advance(1000)],
    ['release', () => store.leases.release({ name: 'l', holder: 'a', fence: 1 })],
  ])('writes nothing after %s', async (_what, lose) => {
    const lease = (await store.leases.acquire('l', 'a', 1000))!;
    const run = store.forRun({ run_id: 'a', lease });
    await run.kv.put('k', 1);

    await lose();

    const fenced = { code: 'STORE_FENCED', details: { lease: 'l', fence: 1 } };
    await expect(run.kv.put('k', 2)).rejects.toMatchObject(fenced);
    await expect(run.kv.delete('k')).rejects.toMatchObject(fenced);
    expect(await run.kv.get('k')).toEqual({ value: 1, rev: 1 });
  });
});
