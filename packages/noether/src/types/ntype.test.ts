import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { canonicalJson } from '../canonical.ts';
import { hasVariables, isSubtype, mismatch } from './subtype.ts';
import { NType } from './ntype.ts';
import { show } from './show.ts';
import { compareTypes, sameType, union } from './union.ts';

const text: NType = { kind: 'Text' };
const number: NType = { kind: 'Number' };
const nothing: NType = { kind: 'Null' };
const range: NType = {
  kind: 'Refined',
  value: { base: number, refinement: { kind: 'Range', min: 0, max: 100 } },
};

/** Each kind as its wire JSON and as people read it, in the total order. */
const KINDS: readonly (readonly [NType, string])[] = [
  [{ kind: 'Any' }, 'Any'],
  [{ kind: 'Bool' }, 'Bool'],
  [{ kind: 'Bytes' }, 'Bytes'],
  [{ kind: 'List', value: text }, 'List<Text>'],
  [{ kind: 'Map', value: { key: text, value: number } }, 'Map<Text, Number>'],
  [{ kind: 'Null' }, 'Null'],
  [{ kind: 'Number' }, 'Number'],
  [{ kind: 'Record', value: { b: text, a: number } }, 'Record { a: Number, b: Text }'],
  [{ kind: 'Stream', value: text }, 'Stream<Text>'],
  [{ kind: 'Text' }, 'Text'],
  [{ kind: 'Union', value: [text, nothing] }, 'Text | Null'],
  [{ kind: 'VNode' }, 'VNode'],
  [{ kind: 'Var', value: 'T' }, '<T>'],
  [{ kind: 'RecordWith', value: { fields: { a: text }, rest: 'R' } }, 'Record { a: Text, ...<R> }'],
  [range, 'Number | Range(0..=100)'],
];

const { type } = fc.letrec<{ type: NType }>((tie) => ({
  type: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.constantFrom<NType>(
      ...(['Any', 'Bool', 'Bytes', 'Null', 'Number', 'Text', 'VNode'] as const).map((kind) => ({ kind })),
    ),
    fc.record({ kind: fc.constantFrom('List', 'Stream'), value: tie('type') }),
    fc.record({ kind: fc.constant('Map'), value: fc.record({ key: tie('type'), value: tie('type') }) }),
    fc.record({
      kind: fc.constant('Record'),
      value: fc.dictionary(fc.constantFrom('a', 'b', '__proto__', '1'), tie('type')),
    }),
    fc.record({ kind: fc.constant('Union'), value: fc.array(tie('type'), { maxLength: 3 }) }),
    fc.record({ kind: fc.constant('Var'), value: fc.constantFrom('T', 'U') }),
    fc.record({
      kind: fc.constant('RecordWith'),
      value: fc.record({
        fields: fc.dictionary(fc.constantFrom('a', 'b'), tie('type')),
        rest: fc.constant('R'),
      }),
    }),
    fc.record({
      kind: fc.constant('Refined'),
      value: fc.record({
        base: tie('type'),
        refinement: fc.oneof(
          fc.record(
            {
              kind: fc.constant('Range'),
              min: fc.integer(),
              max: fc.double({ noNaN: true, noDefaultInfinity: true }),
            },
            { requiredKeys: ['kind'] },
          ),
          fc.record({
            kind: fc.constant('OneOf'),
            options: fc.array(fc.oneof(fc.integer(), fc.string()), { maxLength: 2 }),
          }),
          fc.record({ kind: fc.constant('NonEmpty') }),
        ),
      }),
    }),
  ) as fc.Arbitrary<NType>,
}));

describe('the fifteen kinds', () => {
  it('are fifteen', () => {
    expect(new Set(KINDS.map(([{ kind }]) => kind)).size).toBe(15);
  });

  it.each(KINDS)('%j reads as %s', (kind, shown) => {
    expect(NType.parse(JSON.parse(JSON.stringify(kind)))).toEqual(kind);
    expect(show(kind)).toBe(shown);
  });

  it('stand in their order', () => {
    const shuffled = KINDS.map(([kind]) => kind).toReversed();

    expect(shuffled.toSorted(compareTypes)).toEqual(KINDS.map(([kind]) => kind));
  });

  it('lose keys that say nothing', () => {
    expect(NType.parse({ kind: 'Text', value: null, note: 'x' })).toEqual({ kind: 'Text' });
    expect(NType.parse({ kind: 'List', value: { kind: 'Text', x: 1 }, y: 2 })).toEqual({
      kind: 'List',
      value: text,
    });
  });

  it('of any nesting read back as they were', () => {
    fc.assert(
      fc.property(type, (any) => {
        expect(canonicalJson(NType.parse(JSON.parse(JSON.stringify(any))))).toBe(canonicalJson(any));
      }),
    );
  });

  it.each<[unknown, string]>([
    [{ kind: 'Range' }, 'Range(..)'],
    [{ kind: 'Range', min: 0 }, 'Range(0..)'],
    [{ kind: 'Range', max: 1.5 }, 'Range(..=1.5)'],
    [{ kind: 'Range', min: null, max: 2 }, 'Range(..=2)'],
    [{ kind: 'OneOf', options: ['a', 1, null] }, 'OneOf["a", 1, null]'],
    [{ kind: 'NonEmpty' }, 'NonEmpty'],
  ])('refined by %j show it', (refinement, shown) => {
    expect(show(NType.parse({ kind: 'Refined', value: { base: text, refinement } }))).toBe(`Text | ${shown}`);
  });
});

describe('a union', () => {
  it('is flat, sorted and without doubles', () => {
    expect(show(union([text, union([number, nothing]), text]))).toBe('Null | Number | Text');
    expect(union([])).toEqual(nothing);
    expect(union([text, text])).toEqual(text);
  });

  it('is the same whatever the order of its types', () => {
    fc.assert(
      fc.property(fc.array(type, { maxLength: 4 }), (types) => {
        expect(canonicalJson(union(types.toReversed()))).toBe(canonicalJson(union(types)));
      }),
    );
  });

  it('as stored keeps its order, and is the same type in another', () => {
    const stored = NType.parse({ kind: 'Union', value: [text, nothing] });
    const other: NType = { kind: 'Union', value: [nothing, text] };

    expect(show(stored)).toBe('Text | Null');
    expect(isSubtype(stored, other) && isSubtype(other, stored)).toBe(true);
  });

  it('is ordered totally', () => {
    fc.assert(
      fc.property(type, type, type, (a, b, c) => {
        expect(Math.sign(compareTypes(a, b))).toBe(-Math.sign(compareTypes(b, a)) + 0);
        expect(sameType(a, b)).toBe(compareTypes(a, b) === 0);
        if (compareTypes(a, b) <= 0 && compareTypes(b, c) <= 0)
          expect(compareTypes(a, c)).toBeLessThanOrEqual(0);
      }),
    );
  });
});

describe('a subtype', () => {
  it('is every type of itself, copied or not', () => {
    fc.assert(
      fc.property(type, (any) => {
        const copy = structuredClone(any);

        expect(mismatch(any, any)).toBeNull();
        expect(mismatch(copy, any)).toBeNull();
      }),
    );
  });

  it('goes through where no variable, no Any and no field that may be absent stands between', () => {
    const row = (value: { readonly [field: string]: NType }): NType => ({ kind: 'Record', value });
    const pool: readonly NType[] = [
      ...KINDS.map(([kind]) => kind).filter((kind) => kind.kind !== 'Any' && !hasVariables(kind)),
      union([text, number]),
      union([text, number, nothing]),
      union([nothing, range]),
      row({}),
      row({ a: number }),
      row({ a: range }),
      row({ a: union([number, text]), b: union([text, number]) }),
      { kind: 'List', value: union([text, number]) },
      { kind: 'List', value: range },
      { kind: 'List', value: number },
      { kind: 'Refined', value: { base: number, refinement: { kind: 'OneOf', options: [1, 2] } } },
    ];
    const fits = (a: NType, b: NType): boolean => isSubtype(a, b);
    let found = 0;
    for (const a of pool)
      for (const b of pool.filter((sup) => fits(a, sup)))
        for (const c of pool.filter((sup) => fits(b, sup))) {
          found += 1;

          expect([show(a), show(b), show(c), fits(a, c)]).toEqual([show(a), show(b), show(c), true]);
        }

    expect(found).toBeGreaterThan(pool.length * 2);
  });

  it('is a refined type of a union that holds it, and of the refined union of its values', () => {
    const optional = union([nothing, range]);

    expect(isSubtype(range, optional)).toBe(true);
    expect(isSubtype(optional, optional)).toBe(true);
    expect(isSubtype(number, range)).toBe(false);
    expect(mismatch(range, range, { compat: true })).toBeNull();
    expect(mismatch(range, optional, { compat: true })).not.toBeNull();
  });

  it.each<[string, NType, NType, string]>([
    [
      'a missing field',
      { kind: 'Record', value: {} },
      { kind: 'Record', value: { a: text } },
      'missing required field `a`',
    ],
    [
      'a field deep inside',
      { kind: 'List', value: { kind: 'Record', value: { a: number } } },
      { kind: 'List', value: { kind: 'Record', value: { a: text } } },
      'List element: field `a`: expected Text, got Number',
    ],
    [
      'a stream',
      { kind: 'Stream', value: text },
      { kind: 'Stream', value: number },
      'Stream element: expected Number, got Text',
    ],
    [
      'a union',
      text,
      { kind: 'Union', value: [number, nothing] },
      'type Text is not covered by the expected union',
    ],
    [
      'a key of a map',
      { kind: 'Map', value: { key: text, value: text } },
      { kind: 'Map', value: { key: number, value: text } },
      'map key type: expected Number, got Text',
    ],
  ])('says where %s does not fit', (_name, sub, sup, reason) => {
    expect(mismatch(sub, sup)).toBe(reason);
  });
});
