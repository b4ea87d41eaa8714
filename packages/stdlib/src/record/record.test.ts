import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { equals } from '../logic/compare.ts';
import { answer } from '../testing/answer.ts';
import { recordEntries, recordFromEntries, recordGet, recordKeys, recordValues } from './fields.ts';
import { markDone, recordMerge, recordOmit, recordPick, recordRename, recordSet } from './shape.ts';

const keys = fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', '1', '01', ''));
const records = fc
  .array(fc.tuple(keys, fc.integer()))
  .map((entries) => Object.fromEntries(entries) as object);
const sorted = (record: unknown): unknown =>
  Object.entries(record as object).sort(([a], [b]) => (a < b ? -1 : 1));

describe('records', () => {
  it('are their entries', () => {
    fc.assert(
      fc.property(records, (record) => {
        const entries = answer(recordEntries, record) as { key: string; value: unknown }[];

        expect(sorted(answer(recordFromEntries, entries))).toEqual(sorted(record));
        expect(answer(recordKeys, record)).toEqual(entries.map(({ key }) => key));
        expect(answer(recordValues, record)).toEqual(entries.map(({ value }) => value));
      }),
    );
  });

  it('are what is picked of them and what is left', () => {
    fc.assert(
      fc.property(records, fc.array(keys), (record, fields) => {
        const left = answer(recordPick, { record, fields });
        const right = answer(recordOmit, { record, fields });

        expect(answer(equals, { left: answer(recordMerge, { left, right }), right: record })).toBe(true);
        expect(Object.keys(left as object).every((key) => fields.includes(key))).toBe(true);
      }),
    );
  });

  it('give back what was set, at any name', () => {
    fc.assert(
      fc.property(records, keys, fc.integer(), (record, field, value) => {
        const set = answer(recordSet, { record, field, value });

        expect(answer(recordGet, { record: set, field })).toBe(value);
        expect(sorted(answer(recordOmit, { record: set, fields: [field] }))).toEqual(
          sorted(answer(recordOmit, { record, fields: [field] })),
        );
      }),
    );
  });

  it('renamed there and back are as they were', () => {
    const record = JSON.parse('{"a": 1, "__proto__": 2}') as object;
    const there = JSON.parse('{"a": "__proto__", "__proto__": "a"}') as object;

    const renamed = answer(recordRename, { record, names: there });

    expect(sorted(renamed)).toEqual([
      ['__proto__', 1],
      ['a', 2],
    ]);
    expect(sorted(answer(recordRename, { record: renamed, names: there }))).toEqual(sorted(record));
  });

  it('are never lists or null', () => {
    for (const input of [[], null, 'x', 1])
      expect(() => answer(markDone, input)).toThrow('expected an object');
  });
});
