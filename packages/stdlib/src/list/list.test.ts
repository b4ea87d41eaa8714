import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { answer } from '../testing/answer.ts';
import { flatten, listConcat } from './combine.ts';
import { groupBy, listDedup, listIndexBy, listUniqueBy } from './group.ts';
import { listContains } from './search.ts';
import { head, listChunk, listRange, listReverse, listSlice, tail, take } from './slice.ts';
import { sort } from './sort.ts';

const values = fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.parse(JSON.stringify(value)) as unknown);
const lists = fc.array(values, { maxLength: 20 });
const text = (items: unknown): readonly string[] =>
  (items as readonly unknown[]).map((item) => JSON.stringify(item));

describe('sort', () => {
  it('gives a permutation in order', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ noNaN: true, noDefaultInfinity: true })), (items) => {
        const sorted = answer(sort, items) as number[];

        expect(sorted).toEqual(items.toSorted((a, b) => a - b));
      }),
    );
  });

  it('gives a permutation even of what has no order', () => {
    fc.assert(
      fc.property(lists, (items) => {
        expect(text(answer(sort, items)).toSorted()).toEqual(text(items).toSorted());
      }),
    );
  });

  it('is stable in both directions', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 3 })), fc.boolean(), (keys, descending) => {
        const items = keys.map((k, i) => ({ k, i }));
        const sorted = answer(sort, { items, key: 'k', descending }) as { k: number; i: number }[];

        for (const [at, item] of sorted.entries()) {
          const next = sorted[at + 1];
          if (!next) break;
          if (item.k === next.k) expect(item.i).toBeLessThan(next.i);
          else expect(item.k < next.k).toBe(!descending);
        }
      }),
    );
  });

  it('orders texts by code points', () => {
    expect(answer(sort, ['😀', '\uffee', 'z', 'é'])).toEqual(['z', 'é', '\uffee', '😀']);
  });
});

describe('lists', () => {
  it('cut into chunks join to the whole', () => {
    fc.assert(
      fc.property(lists, fc.integer({ min: 1, max: 9 }), (items, size) => {
        const chunks = answer(listChunk, { items, size }) as unknown[][];

        expect(answer(flatten, chunks)).toEqual(chunks.flat());
        expect(chunks.flat()).toEqual(items);
        expect(chunks.slice(0, -1).every((chunk) => chunk.length === size)).toBe(true);
      }),
    );
  });

  it('keep what is no list where they are joined', () => {
    expect(answer(flatten, [[1], 2])).toEqual([1, 2]);
  });

  it('are their head and their tail, and any two parts', () => {
    fc.assert(
      fc.property(lists, fc.nat(25), (items, count) => {
        const rest = answer(listSlice, { items, start: count });

        expect(answer(listConcat, { left: answer(take, { items, count }), right: rest })).toEqual(items);
        if (items.length > 0)
          expect([answer(head, items), ...(answer(tail, items) as unknown[])]).toEqual(items);
      }),
    );
  });

  it('reversed twice are as they were', () => {
    fc.assert(
      fc.property(lists, (items) => {
        expect(answer(listReverse, answer(listReverse, items))).toEqual(items);
      }),
    );
  });

  it('without doubles hold each value once', () => {
    fc.assert(
      fc.property(lists, (items) => {
        const once = answer(listDedup, [...items, ...items]) as readonly unknown[];

        expect(answer(listDedup, once)).toEqual(once);
        expect(items.every((item) => answer(listContains, { items: once, item }))).toBe(true);
      }),
    );
  });

  it('grouped hold every item once, under names of any kind', () => {
    const items = ['__proto__', 'constructor', '1', '__proto__'].map((t, n) => ({ t, n }));

    const groups = answer(groupBy, { items, key: 't' }) as Record<string, unknown[]>;
    expect(Object.entries(groups).map(([name, group]) => [name, group.length])).toEqual([
      ['1', 1],
      ['__proto__', 2],
      ['constructor', 1],
    ]);
    expect(Object.keys(answer(listIndexBy, { items, key: 't' }) as object).length).toBe(3);
    expect((answer(listUniqueBy, { items, key: 't' }) as unknown[]).length).toBe(3);
  });

  it.each([
    ['an empty list has no head', () => answer(head, []), 'STDLIB_LIST_EMPTY'],
    ['a range is bounded', () => answer(listRange, { start: 0, end: 1e12 }), 'STDLIB_RESULT_TOO_LARGE'],
  ])('%s', (_, call, code) => {
    expect(call).toThrow(expect.objectContaining({ code }));
  });
});
