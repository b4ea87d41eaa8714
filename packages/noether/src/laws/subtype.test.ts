import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { Draw } from '../testing/draw.ts';
import { drawType, drawValue, drawWider, schemaOf } from '../testing/draw-type.ts';
import { mapChildren } from '../types/children.ts';
import {
  ANY,
  NULL,
  NUMBER,
  type NType,
  TEXT,
  fieldEntries,
  isNullable,
  list,
  oneOf,
  record,
} from '../types/ntype.ts';
import { show } from '../types/show.ts';
import { isSubtype, mismatch } from '../types/subtype.ts';
import { sameType, union } from '../types/union.ts';
import { valueMismatch } from '../types/value.ts';

function forDrawn(law: (draw: Draw) => void, numRuns = 500): void {
  fc.assert(
    fc.property(fc.gen(), (next) => law(new Draw(next))),
    { numRuns },
  );
}

/** The type without what lets anything in or out unseen: Any, and fields of records that may be absent. */
function strict(type: NType): NType {
  if (type.kind === 'Any') return TEXT;
  if (type.kind === 'Record') {
    const sure = fieldEntries(type.value).filter(([, field]) => !isNullable(field));
    return record(Object.fromEntries(sure.map(([name, field]) => [name, strict(field)])));
  }
  return mapChildren(type, strict);
}

/** A type, and two it may fit: often wider ones, else others. */
function chain(draw: Draw): readonly [NType, NType, NType] {
  const next = (type: NType): NType => strict(draw.chance(4) ? drawType(draw) : drawWider(draw, type));
  const first = strict(drawType(draw));
  const second = next(first);
  return [first, second, next(second)];
}

const refined: NType = { kind: 'Refined', value: { base: NUMBER, refinement: { kind: 'Range', min: 0 } } };

describe('the subtype table', () => {
  it('is reflexive', () => {
    forDrawn((draw) => {
      const type = drawWider(draw, drawType(draw, 3));

      expect(mismatch(type, type), show(type)).toBeNull();
    });
  });

  it("is not reflexive in the original's table, where a union holds a refined type", () => {
    const optional = union([NULL, refined]);

    expect(mismatch(optional, optional)).toBeNull();
    expect(mismatch(optional, optional, { compat: true })).not.toBeNull();
  });

  it("is reflexive in the original's table elsewhere", () => {
    const plain = (type: NType): NType =>
      type.kind === 'Union'
        ? union(type.value.map((variant) => plain(bare(variant))))
        : mapChildren(type, plain);
    const bare = (type: NType): NType => (type.kind === 'Refined' ? bare(type.value.base) : type);
    forDrawn((draw) => {
      const type = plain(drawType(draw, 3));

      expect(mismatch(type, type, { compat: true }), show(type)).toBeNull();
    });
  });

  it('is transitive between types without Any and without fields that may be absent', () => {
    let chains = 0;
    forDrawn((draw) => {
      const [a, b, c] = chain(draw);
      if (!isSubtype(a, b) || !isSubtype(b, c)) return;
      chains += 1;

      expect(mismatch(a, c), [a, b, c].map(show).join(' <: ')).toBeNull();
    }, 2000);
    expect(chains).toBeGreaterThan(500);
  });

  it('is not transitive through Any, nor through a record that says nothing of a field', () => {
    const holds = (a: NType, b: NType): boolean => isSubtype(a, b);

    expect([holds(NUMBER, ANY), holds(ANY, TEXT), holds(NUMBER, TEXT)]).toEqual([true, true, false]);
    const [one, none, other] = [record({ a: NUMBER }), record({}), record({ a: union([NULL, TEXT]) })];
    expect([holds(one, none), holds(none, other), holds(one, other)]).toEqual([true, true, false]);
  });

  it('keeps values: what has a type has every wider one', () => {
    let kept = 0;
    forDrawn((draw) => {
      const [a, b] = chain(draw);
      if (!isSubtype(a, b)) return;
      kept += 1;
      const value = drawValue(draw, a);

      expect(valueMismatch(value, b), `${JSON.stringify(value)}: ${show(a)} <: ${show(b)}`).toBeNull();
    }, 2000);
    expect(kept).toBeGreaterThan(500);
  });

  it('loses a value only where a field it has is one the type does not tell of', () => {
    const value = { a: 1 };

    expect(isSubtype(record({}), record({ a: union([NULL, TEXT]) }))).toBe(true);
    expect([
      valueMismatch(value, record({})),
      valueMismatch(value, record({ a: union([NULL, TEXT]) })),
    ]).toEqual([null, expect.objectContaining({ path: 'a' })]);
  });
});

describe('a union', () => {
  it('does not depend on the order of its variants, and holds each of them', () => {
    forDrawn((draw) => {
      const variants = draw.some(1, 4, () => drawType(draw));

      expect(sameType(union(variants), union(variants.toReversed()))).toBe(true);
      expect(variants.every((variant) => isSubtype(variant, union(variants)))).toBe(true);
    });
  });
});

describe('a drawn type', () => {
  it('has the values drawn for it, as its schema does', () => {
    forDrawn((draw) => {
      const type = drawType(draw, 3);
      const value = drawValue(draw, type);

      expect(valueMismatch(value, type), `${JSON.stringify(value)} of ${show(type)}`).toBeNull();
      expect(schemaOf(type).safeParse(value).success, show(type)).toBe(true);
    });
  });

  it('is no more than its schema takes', () => {
    forDrawn((draw) => {
      const [type, other] = [drawType(draw, 2), drawType(draw, 2)];
      const value = drawValue(draw, other);

      expect(schemaOf(type).safeParse(value).success, `${JSON.stringify(value)} of ${show(type)}`).toBe(
        valueMismatch(value, type) === null,
      );
    });
  });
});

it('a list of known values fits a list of one of them each', () => {
  expect(isSubtype(list(oneOf(TEXT, ['a'])), list(oneOf(TEXT, ['b', 'a'])))).toBe(true);
});
