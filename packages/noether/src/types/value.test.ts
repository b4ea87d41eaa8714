import { describe, expect, it } from 'vitest';

import type { Json } from '../ports.ts';
import { literalType } from './literal.ts';
import type { NType, Refinement } from './ntype.ts';
import { isSubtype } from './subtype.ts';
import { brokenRefinement, display, valueMismatch } from './value.ts';

const text: NType = { kind: 'Text' };
const number: NType = { kind: 'Number' };
const nothing: NType = { kind: 'Null' };
const refined = (base: NType, refinement: Refinement): NType => ({
  kind: 'Refined',
  value: { base, refinement },
});
const percent = refined(number, { kind: 'Range', min: 0, max: 100 });
const filled = refined(text, { kind: 'NonEmpty' });
const color = refined(text, { kind: 'OneOf', options: ['red', 'blue'] });
const record = (value: { readonly [field: string]: NType }): NType => ({ kind: 'Record', value });
const list = (value: NType): NType => ({ kind: 'List', value });

describe('a refinement', () => {
  it.each<[string, Json, NType, string]>([
    ['at the top', 101, percent, '(Range(0..=100)): value 101 above maximum 100'],
    ['below it', -1, percent, '(Range(0..=100)): value -1 below minimum 0'],
    ['of another kind of value', 'x', percent, '(Range(0..=100)): Range requires a Number, got string'],
    [
      'in a field',
      { a: { b: '' } },
      record({ a: record({ b: filled }) }),
      '(NonEmpty) at `a.b`: string is empty',
    ],
    ['in a list', [1, 2, 300], list(percent), '(Range(0..=100)) at `[2]`: value 300 above maximum 100'],
    [
      'in records of a list',
      { rows: [{ c: 'red' }, { c: 'green' }] },
      record({ rows: list(record({ c: color })) }),
      '(OneOf["red", "blue"]) at `rows[1].c`: value "green" is not one of the allowed options',
    ],
    [
      'in a map',
      { x: 5, y: 500 },
      { kind: 'Map', value: { key: text, value: percent } },
      '(Range(0..=100)) at `y`: value 500 above maximum 100',
    ],
    [
      'on the keys of a map',
      { green: 1 },
      { kind: 'Map', value: { key: color, value: number } },
      '(OneOf["red", "blue"]) at `green`: value "green" is not one of the allowed options',
    ],
    ['in a union', '', { kind: 'Union', value: [nothing, filled] }, '(NonEmpty): string is empty'],
    [
      'in an optional field',
      { a: 200 },
      record({ a: { kind: 'Union', value: [nothing, percent] } }),
      '(Range(0..=100)) at `a`: value 200 above maximum 100',
    ],
    [
      'in an open record',
      { a: '' },
      { kind: 'RecordWith', value: { fields: { a: filled }, rest: 'R' } },
      '(NonEmpty) at `a`: string is empty',
    ],
    ['in a stream', [''], { kind: 'Stream', value: filled }, '(NonEmpty) at `[0]`: string is empty'],
    [
      'around another',
      7,
      refined(percent, { kind: 'OneOf', options: [1, 2] }),
      '(OneOf[1, 2]): value 7 is not one of the allowed options',
    ],
    [
      'below another',
      7,
      refined(refined(number, { kind: 'Range', max: 5 }), { kind: 'OneOf', options: [7] }),
      '(Range(..=5)): value 7 above maximum 5',
    ],
    [
      'of a list as a whole',
      { a: [] },
      record({ a: refined(list(text), { kind: 'NonEmpty' }) }),
      '(NonEmpty) at `a`: array is empty',
    ],
  ])('%s is broken', (_name, value, type, broken) => {
    expect(brokenRefinement(value, type)).toBe(broken);
  });

  it.each<[string, Json, NType]>([
    ['of an absent field', {}, record({ a: percent })],
    ['of a variant another stands in for', 'x', { kind: 'Union', value: [color, filled] }],
    ['of a value of another shape', { a: 1 }, record({ a: list(percent) })],
    ['of null in a union', null, { kind: 'Union', value: [nothing, filled] }],
    ['of what holds', { rows: [{ c: 'red' }] }, record({ rows: list(record({ c: color })) })],
  ])('%s is not', (_name, value, type) => {
    expect(brokenRefinement(value, type)).toBeNull();
  });
});

describe('a value', () => {
  it.each<[Json, NType, string, string]>([
    [{ a: [1, 'x'] }, record({ a: list(number) }), 'a[1]', 'Number'],
    [
      { a: { b: 101 } },
      record({ a: { kind: 'Map', value: { key: text, value: percent } } }),
      'a.b',
      'Range(0..=100)',
    ],
    [{}, record({ a: text }), 'a', 'Text'],
    [{ a: 1 }, { kind: 'Map', value: { key: color, value: number } }, 'a', 'OneOf["red", "blue"]'],
    [1, { kind: 'Union', value: [text, nothing] }, '', 'Text | Null'],
    [[], { kind: 'VNode' }, '', 'VNode'],
  ])('%j is not of the type %j, and says where', (value, type, path, expected) => {
    expect(valueMismatch(value, type)).toMatchObject({
      path,
      ...(expected !== 'Text | Null' && { expected }),
    });
  });

  it.each<[Json, NType]>([
    [{ a: 1, more: true }, record({ a: number })],
    [{}, record({ a: { kind: 'Union', value: [nothing, text] }, b: { kind: 'Any' } })],
    ['aGk=', { kind: 'Bytes' }],
    [{ tag: 'div' }, { kind: 'VNode' }],
    [null, { kind: 'Var', value: 'T' }],
    [[[1]], { kind: 'Stream', value: list(number) }],
  ])('%j is of the type %j', (value, type) => {
    expect(valueMismatch(value, type)).toBeNull();
  });

  it('that is known fits where it lies, however large it is', () => {
    const row = { c: 'red', n: 1 };
    const rows = literalType({ rows: Array.from({ length: 2000 }, (_, i) => ({ ...row, n: i % 100 })) });

    expect(isSubtype(literalType(row), record({ c: color, n: percent }))).toBe(true);
    expect(isSubtype(rows, record({ rows: list(record({ c: color, n: percent })) }))).toBe(true);
    expect(isSubtype(rows, record({ rows: list(record({ c: number })) }))).toBe(false);
    expect(display(rows)).toBe('Record { rows: List<Record { c: Text, n: Number }> }');
  });
});
