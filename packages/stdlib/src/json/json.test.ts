import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { answer } from '../testing/answer.ts';
import { jsonMerge } from './merge.ts';
import { jsonPath } from './path.ts';
import { toNumber, toText } from './scalar.ts';
import { jsonSchemaValidate } from './schema.ts';
import { parseJson, toJson } from './text.ts';
import { yamlParse, yamlWrite } from './yaml.ts';

/** Values as graphs carry them. */
const values = fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.parse(JSON.stringify(value)) as unknown);

function failure(call: () => unknown): { code?: unknown; details?: unknown } {
  try {
    call();
  } catch (error) {
    return error as object;
  }
  return {};
}

describe('JSON', () => {
  it('read is what was written, key order aside', () => {
    fc.assert(
      fc.property(values, (value) => {
        expect(answer(parseJson, answer(toJson, value))).toEqual(value);
      }),
    );
  });

  it('written does not depend on the order of keys', () => {
    expect(answer(toJson, { b: 1, a: { d: 1, c: 2 } })).toBe(answer(toText, { a: { c: 2, d: 1 }, b: 1 }));
  });

  it('keeps keys of any name', () => {
    const text = '{"__proto__":{"a":1},"constructor":null}';

    expect(answer(toJson, answer(parseJson, text))).toBe(text);
  });

  it.each([
    ['{"a": 1,\n "b": }', { line: 2, column: 7, expected: 'a value' }],
    ['', { line: 1, column: 1, expected: 'a value' }],
    ['[1, 1e999]', { line: 1, column: 5, expected: 'a number below 1.8e308' }],
    ['["\\ud800"]', { line: 1, column: 2, expected: 'a text without unpaired surrogates' }],
    ['{"\\udc00": 1}', { line: 1, column: 2, expected: 'a text without unpaired surrogates' }],
    [`\n${'['.repeat(10_000)}`, { line: 2, column: 513, expected: 'at most 512 levels of nesting' }],
    [
      `${'{"a":'.repeat(600)}1${'}'.repeat(600)}`,
      { line: 1, column: 2561, expected: 'at most 512 levels of nesting' },
    ],
  ])('is refused with its place: %#', (text, details) => {
    expect(failure(() => answer(parseJson, text))).toMatchObject({ code: 'STDLIB_JSON_INVALID', details });
  });

  it('of ten megabytes is read', () => {
    const text = JSON.stringify(
      Array.from({ length: 200_000 }, (_, i) => ({ id: i, name: `item "${i}" [{` })),
    );

    expect((answer(parseJson, text) as readonly unknown[]).length).toBe(200_000);
  });
});

describe('to_number', () => {
  it('reads every number as it is written', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (number) => {
        expect(answer(toNumber, String(number))).toBe(number === 0 ? 0 : number);
      }),
    );
  });

  it.each(['', ' 1', '1 ', '0x10', '1_000', 'NaN', 'Infinity', '1e999', '--1', '.', 'e5'])(
    'refuses "%s"',
    (text) => {
      expect(failure(() => answer(toNumber, text)).code).toBe('STDLIB_NUMBER_INVALID');
    },
  );
});

describe('json_merge', () => {
  it('with nothing, or with itself, changes nothing', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), values), (value) => {
        const base = JSON.parse(JSON.stringify(value)) as unknown;

        expect(answer(jsonMerge, { base, patch: {} })).toEqual(base);
        expect(answer(jsonMerge, { base, patch: base })).toEqual(base);
        expect(answer(jsonMerge, { base: {}, patch: base })).toEqual(base);
      }),
    );
  });

  it('never reaches a prototype', () => {
    const patch = JSON.parse('{"__proto__": {"polluted": true}}') as object;
    const merged = answer(jsonMerge, { base: { a: 1 }, patch });

    expect(Object.keys(merged as object)).toEqual(['a', '__proto__']);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});

describe('json_path', () => {
  it.each([
    ['$.a', 'there is no field `a`'],
    ['$[3]', 'there is no element 3'],
    ['$[-1]', '`-1` is no position of a list'],
    ['$[0', 'expected `]` after `[`'],
    ['$.constructor', 'there is no field `constructor`'],
    ['$[0].x', 'there is no field `x`'],
  ])('refuses %s', (path, reason) => {
    expect(failure(() => answer(jsonPath, { data: [1], path }))).toMatchObject({
      code: 'STDLIB_PATH_INVALID',
      details: { reason },
    });
  });

  it('finds every element of every list', () => {
    fc.assert(
      fc.property(fc.array(values, { minLength: 1 }), fc.nat(), (items, n) => {
        const at = n % items.length;

        expect(answer(jsonPath, { data: { list: items }, path: `$.list[${at}]` })).toEqual(items[at]);
      }),
    );
  });
});

describe('json_schema_validate', () => {
  const check = (schema: unknown, data: unknown): unknown => answer(jsonSchemaValidate, { schema, data });

  it('follows references within the schema and checks formats', () => {
    const schema = {
      $defs: { mail: { type: 'string', format: 'email' } },
      type: 'array',
      items: { $ref: '#/$defs/mail' },
    };

    expect(check(schema, ['a@b.org'])).toEqual({ valid: true, errors: [] });
    expect(check(schema, ['a'])).toEqual({ valid: false, errors: ['/0 must match format "email"'] });
  });

  it.each(['http://json-schema.org/draft-07/schema#', 'https://json-schema.org/draft/2019-09/schema'])(
    'reads the dialect %s',
    ($schema) => {
      expect(check({ $schema, type: 'integer' }, 1.5)).toEqual({
        valid: false,
        errors: ['/ must be integer'],
      });
    },
  );

  it.each([
    ['a number', 7],
    ['an unknown type', { type: 'strange' }],
    ['a reference to elsewhere', { $ref: 'https://example.org/schema.json' }],
    ['a pattern of another kind', { pattern: '(?=a)' }],
    ['an endless reference', { $ref: '#' }],
  ])('refuses %s as a schema', (_, schema) => {
    expect(failure(() => check(schema, { a: 1 })).code).toBe('STDLIB_SCHEMA_INVALID');
  });

  it('runs patterns in time linear in the text', () => {
    expect(check({ pattern: '^(a+)+$' }, `${'a'.repeat(50_000)}b`)).toMatchObject({ valid: false });
  });

  it('accepts what a schema made from the value asks for', () => {
    fc.assert(
      fc.property(values, (value) => {
        expect(check({ const: value }, value)).toEqual({ valid: true, errors: [] });
      }),
      { numRuns: 25 },
    );
  });
});

describe('YAML', () => {
  it('read is what was written', () => {
    fc.assert(
      fc.property(values, (value) => {
        expect(answer(yamlParse, answer(yamlWrite, value))).toEqual(value);
      }),
    );
  });

  it.each([
    'a: [1',
    'a: 1\na: 2',
    '- .inf',
    `a: &a [x]\nb: &b [${'*a,'.repeat(99)}]\nc: &c [${'*b,'.repeat(99)}]\nd: [${'*c,'.repeat(99)}]`,
    '&a [*a]',
    '['.repeat(20_000),
    'a: {b: 1, "b": 2}',
    '? a\n: 1\n? a\n: 2',
  ])('is refused: %#', (text) => {
    expect(failure(() => answer(yamlParse, text)).code).toBe('STDLIB_YAML_INVALID');
  });

  it('of many keys takes time linear in the text', () => {
    const text = Array.from({ length: 50_000 }, (_, i) => `k${i}: 1`).join('\n');
    // Of the processor's time: how busy the machine is is no matter.
    const start = process.cpuUsage();

    expect(Object.keys(answer(yamlParse, text) as object)).toHaveLength(50_000);
    const { user, system } = process.cpuUsage(start);
    expect((user + system) / 1_000).toBeLessThan(10_000);
  });
});
