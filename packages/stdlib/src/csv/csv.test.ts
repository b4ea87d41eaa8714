import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { answer } from '../testing/answer.ts';
import { csvParse, csvWrite } from './table.ts';

const field = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('', ' ', '"', ',', '\n', '\r\n', '\ufeff'),
);

describe('CSV', () => {
  it('read is what was written', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(field, { minLength: 1, maxLength: 4 }),
        fc.array(fc.array(field, { minLength: 4, maxLength: 4 }), { minLength: 1, maxLength: 4 }),
        fc.constantFrom(',', ';', '\t', '||'),
        (names, table, delimiter) => {
          const records = table.map((row) =>
            Object.fromEntries(names.map((name, i) => [name, row[i] ?? ''])),
          );
          const text = answer(csvWrite, { records, delimiter });

          expect(answer(csvParse, { text, delimiter })).toEqual(records);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('keeps quotes within a field that is not quoted, a byte order mark it drops', () => {
    expect(answer(csvParse, { text: '\ufeffa,b\r\n1 "x",2\r\n   \r\n3,4,5' })).toEqual([
      { a: '1 "x"', b: '2' },
      { a: '3', b: '4' },
    ]);
  });

  it('keeps columns of any name', () => {
    const [row] = answer(csvParse, { text: '__proto__,constructor\n1,2' }) as readonly object[];

    expect(Object.entries(row ?? {})).toEqual([
      ['__proto__', '1'],
      ['constructor', '2'],
    ]);
  });

  it('that ends within quotes is refused with its line', () => {
    expect(() => answer(csvParse, { text: 'a\n"x' })).toThrow(
      expect.objectContaining({ code: 'STDLIB_CSV_INVALID', details: expect.objectContaining({ line: 2 }) }),
    );
  });

  it('of short rows under a wide header is refused before it fills the memory', () => {
    const names = Array.from({ length: 10_000 }, (_, i) => `c${i}`);
    const text = `${names.join(',')}\n${'x\n'.repeat(2_000)}`;
    const records = names.map((name) => ({ [name]: 'x' }));

    for (const make of [() => answer(csvParse, { text }), () => answer(csvWrite, { records })])
      expect(make).toThrow(expect.objectContaining({ code: 'STDLIB_RESULT_TOO_LARGE' }));
  });
});
