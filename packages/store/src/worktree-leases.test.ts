import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { Store } from './api.ts';
import { openStore } from './store.ts';
import type { WorktreeLease } from './worktree-leases.ts';

let dir: string;
const opened: Store[] = [];

function open(path = join(dir, 'a.db')): Store {
  let n = 0;
  const clock = { now: () => '2026-04-14T08:30:00.000Z' };
  const store = openStore(path, { clock, uuid: () => `uuid-${(n += 1)}` });
  opened.push(store);
  return store;
}

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'caloron-worktree-leases-'));
});
afterEach(() => {
  for (const store of opened.splice(0)) store.close();
  rmSync(dir, { recursive: true, force: true });
});

const RANGE = { first: 20_000, last: 20_029 };
const wish = (name: string, count: number | null, taken: readonly number[] = []) => ({
  worktree: `/home/worktrees/s1/${name}`,
  sprint_id: 's1',
  task_id: 't1',
  role: 'author' as const,
  ports: count === null ? null : { ...RANGE, count },
  taken,
  cache_dir: null,
  preparing: null,
});
const firstOf = async (leased: Promise<WorktreeLease | null>): Promise<number | null | undefined> =>
  (await leased)?.port_first;

describe('what worktrees hold', () => {
  it('is a block of ports of their own, the same as long as they hold it', async () => {
    const { worktreeLeases: leases } = open();

    expect(await firstOf(leases.lease(wish('a', 10)))).toBe(20_000);
    expect(await firstOf(leases.lease(wish('b', 10)))).toBe(20_010);
    expect(await firstOf(leases.lease(wish('a', 10)))).toBe(20_000);
    expect(await firstOf(leases.lease(wish('c', null)))).toBeNull();
    expect(await firstOf(leases.lease(wish('d', 11)))).toBeUndefined();
    expect(await leases.release('/home/worktrees/s1/a')).toBe(true);
    expect(await leases.release('/home/worktrees/s1/a')).toBe(false);
    expect(await firstOf(leases.lease(wish('e', 4)))).toBe(20_000);
    expect(await firstOf(leases.lease(wish('d', 7)))).toBe(20_020);
    expect(leases.list().map(({ worktree }) => worktree.at(-1))).toEqual(['b', 'c', 'd', 'e']);
  });

  it('leaves out ports that others were found to use, also when it is held already', async () => {
    const { worktreeLeases: leases } = open();

    expect(await firstOf(leases.lease(wish('a', 10, [20_003, 20_004])))).toBe(20_005);
    expect(await firstOf(leases.lease(wish('a', 10, [20_015])))).toBe(20_005);
    expect(await firstOf(leases.lease(wish('a', 10, [20_014])))).toBe(20_000);
    expect(await firstOf(leases.lease(wish('b', 10)))).toBe(20_010);
  });

  it('is found again by the next process, and whose preparation was under way', async () => {
    const first = open();
    await first.worktreeLeases.lease({ ...wish('a', 5), preparing: 'p-1' });
    await first.worktreeLeases.lease({ ...wish('a', 5), preparing: 'p-2' });

    const { worktreeLeases: leases } = open();
    expect(leases.get('/home/worktrees/s1/a')).toMatchObject({ port_first: 20_000, preparing: 'p-1' });
    await leases.preparing('/home/worktrees/s1/a', null);
    expect(first.worktreeLeases.get('/home/worktrees/s1/a')).toMatchObject({ preparing: null });
  });

  it('never overlaps, whatever is leased, found in use and released by two processes at once', async () => {
    const names = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
    const step = fc.oneof(
      fc.record({
        name: names,
        count: fc.integer({ min: 1, max: 12 }),
        taken: fc.array(fc.integer({ min: 20_000, max: 20_029 }), { maxLength: 3 }),
      }),
      fc.record({ name: names }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const path = join(mkdtempSync(join(dir, 'run-')), 'a.db');
        const stores = [open(path), open(path)];
        await Promise.all(
          steps.map(async (each, at) => {
            const leases = stores[at % 2]?.worktreeLeases;
            if (!('count' in each)) return leases?.release(`/home/worktrees/s1/${each.name}`);
            const given = await leases?.lease(wish(each.name, each.count, each.taken));
            if (given?.port_first === null || given?.port_first === undefined) return undefined;
            const { port_first } = given;
            expect(each.taken.some((port) => port >= port_first && port < port_first + each.count)).toBe(
              false,
            );
            return undefined;
          }),
        );
        const ports =
          stores[0]?.worktreeLeases
            .list()
            .flatMap(({ port_first, port_count }) =>
              Array.from({ length: port_count ?? 0 }, (_, n) => (port_first ?? 0) + n),
            ) ?? [];
        expect(new Set(ports).size).toBe(ports.length);
        for (const port of ports) expect(port >= RANGE.first && port <= RANGE.last).toBe(true);
        for (const store of stores) store.close();
      }),
      { numRuns: 25 },
    );
  });
});
