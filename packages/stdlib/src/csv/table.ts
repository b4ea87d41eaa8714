import { BOOL, list, NULL, record, TEXT, union } from '@caloron/noether/stage';
import { CsvError, parse } from 'csv-parse/sync';
import { stringify } from 'csv-stringify/sync';
import { z } from 'zod';

import { StdlibError } from '../errors.ts';
import { defineStage, original } from '../kit.ts';
import { compareText, mapOf, TextMap } from '../shape.ts';

/** What parts the fields of a line: anything but what quotes them or ends the line. */
const Delimiter = z.string().regex(/^[^"\r\n]+$/u, 'expected a delimiter without quotes and line ends');

/** Fields a table may have in all its rows: a short row is as wide as the header, and a long header makes every row so. */
const MAX_FIELDS = 10_000_000;

function requireBearable(stage: string, rows: number, columns: number): void {
  if (rows * columns > MAX_FIELDS)
    throw new StdlibError('STDLIB_RESULT_TOO_LARGE', { stage, limit: MAX_FIELDS });
}

/** A row as the library gives it when asked for the line it came from. */
interface RawRow {
  readonly record: readonly string[];
  readonly raw: string;
}

function rows(text: string, delimiter: string): readonly (readonly string[])[] {
  try {
    const options = {
      delimiter,
      bom: true,
      raw: true,
      relax_column_count: true,
      relax_quotes: true,
      skip_empty_lines: true,
    };
    const read = parse(text, options) as unknown as readonly RawRow[];
    return read
      .filter(({ record, raw }) => record.length > 1 || raw.trim() !== '')
      .map(({ record }) => record);
  } catch (cause) {
    const line = cause instanceof CsvError && typeof cause['lines'] === 'number' ? cause['lines'] : null;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new StdlibError('STDLIB_CSV_INVALID', { line, reason }, { cause });
  }
}

/**
 * `csv_parse`: quoted fields may hold delimiters, quotes and line ends. Without a header the fields are `col0`, `col1`, …; a
 * short line is filled with empty texts, what a long one has more is dropped, an empty one is no row. Throws STDLIB_CSV_INVALID,
 * STDLIB_RESULT_TOO_LARGE.
 */
export const csvParse = original(
  defineStage({
    name: 'csv_parse',
    description: 'Reads rows from a CSV text.',
    effects: ['Pure'],
    input: z.object({
      text: z.string(),
      delimiter: Delimiter.nullish(),
      has_header: z.boolean().nullish(),
    }),
    output: z.array(TextMap),
    examples: [
      {
        input: { text: 'a,b\n1,2\n3\n' },
        output: [
          { a: '1', b: '2' },
          { a: '3', b: '' },
        ],
      },
      {
        input: { text: 'name;note\nAda;"x; ""y""\nz"\n', delimiter: ';' },
        output: [{ name: 'Ada', note: 'x; "y"\nz' }],
      },
      { input: { text: '1,2\n', has_header: false }, output: [{ col0: '1', col1: '2' }] },
      { input: { text: '' }, output: [] },
    ],
    tags: ['csv', 'conversion'],
    run: ({ text, delimiter, has_header }) => {
      const [first = [], ...rest] = rows(text, delimiter ?? ',');
      const headed = has_header ?? true;
      const names = headed ? first : first.map((_, i) => `col${i}`);
      const table = headed || first.length === 0 ? rest : [first, ...rest];
      requireBearable('csv_parse', table.length, names.length);
      return table.map((row) => Object.fromEntries(names.map((name, i) => [name, row[i] ?? ''])));
    },
  }),
  {
    input: record({ text: TEXT, delimiter: union([NULL, TEXT]), has_header: union([NULL, BOOL]) }),
    output: list(mapOf(TEXT)),
    effects: [{ effect: 'Fallible' }, { effect: 'Pure' }],
  },
);

/** `csv_write`: a header of every field of every row, sorted; fields are quoted where they must be. No line feed at the end. Throws STDLIB_RESULT_TOO_LARGE. */
export const csvWrite = original(
  defineStage({
    name: 'csv_write',
    description: 'Gives rows as CSV text with a header.',
    effects: ['Pure'],
    input: z.object({ records: z.array(TextMap), delimiter: Delimiter.nullish() }),
    output: z.string(),
    examples: [
      { input: { records: [{ b: '2', a: '1' }] }, output: 'a,b\n1,2' },
      { input: { records: [{ a: 'x,"y"' }, { b: 'z' }] }, output: 'a,b\n"x,""y""",\n,z' },
      { input: { records: [], delimiter: ';' }, output: '' },
    ],
    tags: ['csv', 'conversion'],
    run: ({ records, delimiter }) => {
      const names = [...new Set(records.flatMap((row) => Object.keys(row)))].sort(compareText);
      if (names.length === 0) return '';
      requireBearable('csv_write', records.length, names.length);
      const table = records.map((row) => names.map((name) => (Object.hasOwn(row, name) ? row[name] : '')));
      const text = stringify([names, ...table], {
        delimiter: delimiter ?? ',',
        // An empty line is no row: one lone empty field must be seen.
        quoted_empty: names.length === 1,
        // A quote or line end anywhere, white space at an end: such fields come back as they were.
        quoted_match: /["\r\n]|^\s|\s$|^\uFEFF/u,
      });
      return text.slice(0, -1);
    },
  }),
  {
    input: record({ records: list(mapOf(TEXT)), delimiter: union([NULL, TEXT]) }),
  },
);
