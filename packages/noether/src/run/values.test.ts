import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';

import { canonicalJson, contentId } from '../canonical.ts';
import type { Json } from '../ports.ts';
import { fitInput } from '../types/fit-input.ts';
import { takenBy, takenFitted } from './accepts.ts';
import { isSettled, sameValue, settle, unsettled } from './settle.ts';
import { holdsNow, valueHash, valueKey, valueSize } from './value-hash.ts';
import { valueText } from './value-text.ts';

const text = fc.string({ unit: 'grapheme' });
const json = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom<Json>(null, true, false, 0, -0, 1e21, 5e-324),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    text,
    fc.array(tie('value')),
    fc.dictionary(fc.oneof(text, fc.constantFrom('__proto__', 'constructor', '10', '9', '')), tie('value')),
  ),
})).value as fc.Arbitrary<Json>;

describe('a settled value', () => {
  it('equals what was given, shares what was settled, and never changes', () => {
    fc.assert(
      fc.property(json, json, (a, b) => {
        const settled = settle({ a, list: [b] }) as { a: Json; list: Json };
        expect(JSON.stringify(settled)).toBe(JSON.stringify({ a, list: [b] }));
        expect(isSettled(settled)).toBe(true);
        const wider = settle({ ...settled, more: 1 }) as { a: Json; list: Json };
        expect(wider.a).toBe(settled.a);
        expect(wider.list).toBe(settled.list);
        expect(() => Object.assign(settled, { a: 2 })).toThrow(TypeError);
      }),
    );
  });

  it('leaves undefined fields out and the given object alone', () => {
    const given = { a: undefined, b: { c: [1] }, ['__proto__']: 1 };
    const settled = settle(given);
    expect(settled).toEqual({ b: { c: [1] }, ['__proto__']: 1 });
    expect(Object.keys(settled as object)).not.toContain('a');
    given.b.c.push(2);
    expect(given.b.c).toEqual([1, 2]);
    expect(settled).toMatchObject({ b: { c: [1] } });
  });

  it.each([
    [{ a: [1, Number.NaN] }, 'a.1: NaN, which JSON cannot carry'],
    [{ a: new Date(0) }, 'a: an object of the class Date, which JSON cannot carry'],
    ['\ud800', 'a text with half a surrogate pair'],
    [{ '\udfff': 1 }, 'a key with half a surrogate pair'],
    [[undefined], '0: undefined, which JSON cannot carry'],
    [() => 1, 'function, which JSON cannot carry'],
  ])('is not made of %j', (value, why) => {
    expect(settle(value)).toBeUndefined();
    expect(unsettled(value)).toBe(why);
  });

  it('is not made of what is nested without end', () => {
    let deep: Json = 1;
    for (let i = 0; i < 100_000; i += 1) deep = [deep];
    expect(settle(deep)).toBeUndefined();
    expect(unsettled(deep)).toBe('more than 512 levels of nesting');
  });
});

describe('the hash of a value', () => {
  const list = (length: number): Json => Array.from({ length }, (_, i) => `item ${i}`);

  it('is that of its canonical text, whatever part of it was hashed before', () => {
    fc.assert(
      fc.property(json, json, (a, b) => {
        const part = settle(a) as Json;
        valueHash(part);
        const value = settle({ b, part, again: [part, { z: part, a: 1 }] }) as Json;
        fc.pre(canonicalJson(value).length <= 4096);
        expect(valueHash(value)).toBe(contentId(value));
        expect(valueSize(value)).toBe(canonicalJson(value).length);
        expect(valueText(value)).toBe(canonicalJson(value));
      }),
    );
  });

  it('is equal for equal values and different for others, long parts and all', () => {
    const short = fc.oneof(json, fc.constantFrom<Json>(list(3), '#', `#${'0'.repeat(64)}`));
    const long = fc.constantFrom<Json>(list(500), { now: list(501) }, [list(500), list(500)]);
    const values = fc.array(fc.oneof(short, long), { maxLength: 4 });
    fc.assert(
      fc.property(values, values, (a, b) => {
        const again = JSON.parse(JSON.stringify(a)) as Json;
        expect(valueHash(settle(a) as Json)).toBe(valueHash(again));
        expect(valueKey(a) === valueKey(b)).toBe(sameValue(a, b));
        expect(valueHash(a) === valueHash(b)).toBe(sameValue(a, b));
        expect(valueSize(a)).toBe(canonicalJson(a).length);
        expect(holdsNow(a)).toBe(/"now":/u.test(canonicalJson(a)));
      }),
    );
  });

  it('stands for a long part', () => {
    const part = list(500);
    expect(valueKey({ part, n: 1 })).toBe(`{"n":1,"part":#${contentId(part)}}`);
  });

  it('agrees with equality', () => {
    fc.assert(
      fc.property(json, json, (a, b) => {
        expect(sameValue(a, b)).toBe(canonicalJson(a) === canonicalJson(b));
        expect(sameValue(a, JSON.parse(JSON.stringify(a)) as Json)).toBe(true);
      }),
    );
  });
});

describe('a value a schema takes without rewriting it', () => {
  const Inner = z.strictObject({ s: z.string(), n: z.number().nullable(), o: z.boolean().optional() });
  const schemas: readonly z.ZodType[] = [
    Inner,
    z.object({ inner: Inner, rest: z.array(Inner).optional() }),
    z.looseObject({ inner: Inner }),
    z.record(z.string(), Inner),
    z.record(z.string(), z.unknown()),
    z.array(z.union([Inner, z.string(), z.null()])),
    z.strictObject({ trimmed: z.string().trim(), inner: Inner }),
    z.strictObject({ filled: z.number().default(1), inner: Inner.optional() }),
    z.strictObject({ mail: z.email().nullable(), kind: z.enum(['a', 'b']) }),
    z.array(z.lazy(() => Inner)).min(1),
    z.object({ any: z.any(), unknown: z.unknown() }),
    z.strictObject({ coerced: z.coerce.number() }),
    z.union([z.object({ s: z.string() }), z.strictObject({ n: z.number() })]),
    z.json(),
  ];
  const near = fc.oneof(
    json,
    fc.record(
      {
        s: fc.string(),
        n: fc.oneof(fc.integer(), fc.constant(null)),
        o: fc.oneof(fc.boolean(), fc.constant(null)),
        extra: fc.constant(1),
      },
      { requiredKeys: ['s'] },
    ),
  );
  const values = fc.oneof(
    near,
    fc.array(near),
    fc.dictionary(fc.constantFrom('a', '__proto__', 's'), near),
    fc.record(
      { inner: near, rest: fc.array(near), trimmed: fc.string(), filled: fc.integer() },
      { requiredKeys: [] },
    ),
    fc.record(
      { mail: fc.constantFrom('a@b.cd', ' x', null), kind: fc.constantFrom('a', 'c'), coerced: fc.string() },
      { requiredKeys: [] },
    ),
  ) as fc.Arbitrary<Json>;

  it('is what zod makes of it', () => {
    fc.assert(
      fc.property(fc.constantFrom(...schemas), values, (schema, given) => {
        const value = settle(given) as Json;
        fc.pre(value !== undefined);
        const taken = takenBy(schema, value);
        if (taken === undefined) return;
        const parsed = schema.safeParse(value);
        expect(parsed.success).toBe(true);
        expect(sameValue(parsed.data as Json, taken)).toBe(true);
        expect(isSettled(taken)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it('is what zod makes of the fitted value where it refuses the given one', () => {
    fc.assert(
      fc.property(fc.constantFrom(...schemas), values, (schema, given) => {
        const value = settle(given) as Json;
        const taken = takenFitted(schema, value);
        if (taken === undefined) return;
        const first = schema.safeParse(value);
        const parsed = first.success ? first : schema.safeParse(fitInput(schema, value));
        expect(parsed.success).toBe(true);
        expect(sameValue(parsed.data as Json, taken)).toBe(true);
      }),
      { numRuns: 3000 },
    );
    const wide = settle({ s: 'x', extra: 1, o: null }) as Json;
    expect(takenFitted(Inner, wide)).toEqual({ s: 'x', n: null });
    expect(takenBy(Inner, wide)).toBeUndefined();
  });

  it('may hold itself', () => {
    const Tree = z.strictObject({
      n: z.number(),
      get left() {
        return Tree.nullable();
      },
      get more(): z.ZodOptional<z.ZodArray<typeof Tree>> {
        return z.array(Tree).optional();
      },
    });
    const tree = settle({ n: 1, left: { n: 2, left: null, more: [{ n: 3, left: null }] } }) as Json;
    expect(takenBy(Tree, tree)).toBe(tree);
    expect(takenBy(Tree, settle({ n: 1, left: { n: '2', left: null } }) as Json)).toBeUndefined();
  });

  it('is found where its parts stay as they are', () => {
    const inner = settle({ s: 'x', n: 1 }) as Json;
    const taken = schemas.map((schema) =>
      [inner, { inner }, { a: inner }, [inner], { mail: 'a@b.cd', kind: 'a' }].some(
        (value) => takenBy(schema, settle(value) as Json) !== undefined,
      ),
    );
    expect(taken.map(Number).join('')).toBe('11111100110011');
  });
});

it('a schema that holds itself is asked for its inside once, however often it lies in a value', () => {
  let asked = 0;
  const tree: z.ZodType = z.lazy(() => {
    asked += 1;
    return z.union([z.string(), z.array(tree)]);
  });
  const value = settle([['a'], [['b'], 'c'], Array.from({ length: 50 }, () => ['d'])]) as Json;

  expect(takenBy(tree, value)).toBe(value);
  expect(takenFitted(tree, value)).toBe(value);
  expect(fitInput(tree, value)).toEqual(value);
  // zod itself asks again for copies of a schema, not for values.
  expect(asked).toBeLessThan(10);
});
