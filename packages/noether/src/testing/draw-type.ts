import { z } from 'zod';

import type { Json } from '../ports.ts';
import {
  ANY,
  BOOL,
  NULL,
  NUMBER,
  type NType,
  TEXT,
  fieldEntries,
  isNullable,
  list,
  record,
} from '../types/ntype.ts';
import { union } from '../types/union.ts';
import { isObject } from '../types/value.ts';
import type { Draw } from './draw.ts';

const NUMBERS = [0, 1, -1, 2.5, 100] as const;
const TEXTS = ['', 'a', 'bb', 'now', 'é😀'] as const;

/** A closed type with values that can be checked: everything but Any, variables, streams, bytes and nodes of a view. */
export function drawType(draw: Draw, depth = 2): NType {
  const plain = (): NType => draw.pick([NULL, BOOL, NUMBER, TEXT, TEXT, NUMBER]);
  if (depth === 0) return plain();
  const inner = (): NType => drawType(draw, depth - 1);
  switch (draw.nat(7)) {
    case 0:
      return list(inner());
    case 1:
    case 2:
    case 3:
      return record(Object.fromEntries(draw.names(0, 3).map((name) => [name, inner()])));
    case 4:
      return { kind: 'Map', value: { key: TEXT, value: inner() } };
    case 5:
      return union([inner(), inner()]);
    case 6:
      return drawRefined(draw);
    default:
      return plain();
  }
}

function drawRefined(draw: Draw): NType {
  const refined = (base: NType, refinement: (NType & { kind: 'Refined' })['value']['refinement']): NType => ({
    kind: 'Refined',
    value: { base, refinement },
  });
  return draw.pick([
    refined(NUMBER, { kind: 'Range', min: 0, max: 100 }),
    refined(NUMBER, { kind: 'Range', min: 1 }),
    refined(TEXT, { kind: 'OneOf', options: ['a', 'bb'] }),
    refined(TEXT, { kind: 'NonEmpty' }),
    refined(list(NUMBER), { kind: 'NonEmpty' }),
  ]);
}

/** A value of a type. */
export function drawValue(draw: Draw, type: NType): Json {
  switch (type.kind) {
    case 'Any':
      return draw.pick<Json>([null, true, 7, 'any', [1, 'x'], { a: 1, items: [2] }]);
    case 'Null':
      return null;
    case 'Bool':
      return draw.chance(2);
    case 'Number':
      return draw.pick(NUMBERS);
    case 'Text':
      return draw.pick(TEXTS);
    case 'List':
      return draw.some(0, 3, () => drawValue(draw, type.value));
    case 'Map':
      return Object.fromEntries(draw.names(0, 3).map((name) => [name, drawValue(draw, type.value.value)]));
    case 'Record': {
      const fields = fieldEntries(type.value).filter(([, field]) => !isNullable(field) || !draw.chance(3));
      return Object.fromEntries(fields.map(([name, field]) => [name, drawValue(draw, field)]));
    }
    case 'Union':
      return drawValue(draw, draw.pick(type.value) ?? NULL);
    case 'Refined':
      return drawFitting(draw, type);
    default:
      throw new Error(`no values of ${type.kind} are drawn`);
  }
}

function drawFitting(draw: Draw, { value: { base, refinement } }: NType & { kind: 'Refined' }): Json {
  switch (refinement.kind) {
    case 'Range':
      return (
        draw.pick(
          NUMBERS.filter((value) => value >= (refinement.min ?? -1) && value <= (refinement.max ?? 100)),
        ) ?? 1
      );
    case 'OneOf':
      return draw.pick(refinement.options) ?? null;
    case 'NonEmpty':
      return base.kind === 'Text'
        ? (draw.pick(TEXTS.slice(1)) ?? 'a')
        : draw.some(1, 3, () => draw.pick(NUMBERS));
  }
}

/** A type that takes every value of a type. */
export function drawWider(draw: Draw, type: NType): NType {
  switch (draw.nat(5)) {
    case 0:
      return ANY;
    case 1:
      return union([type, NULL]);
    case 2:
      return type.kind === 'Refined' ? type.value.base : type;
    case 3: {
      if (type.kind !== 'Record') return type;
      const kept = fieldEntries(type.value).filter(() => draw.chance(2));
      return record(Object.fromEntries(kept));
    }
    case 4: {
      if (type.kind !== 'Record') return type;
      const [name = 'c'] = draw.names(1, 1);
      return Object.hasOwn(type.value, name)
        ? type
        : record({ ...type.value, [name]: union([NULL, NUMBER]) });
    }
    default:
      return type;
  }
}

/** A schema that takes just the values of a type. */
export function schemaOf(type: NType): z.ZodType {
  switch (type.kind) {
    case 'Null':
      return z.null();
    case 'Bool':
      return z.boolean();
    case 'Number':
      return z.number();
    case 'Text':
      return z.string();
    case 'List':
      return z.array(schemaOf(type.value));
    case 'Map':
      return z.record(z.string(), schemaOf(type.value.value));
    case 'Record':
      return z.object(
        Object.fromEntries(
          fieldEntries(type.value).map(([name, field]) => [
            name,
            isNullable(field) ? schemaOf(field).optional() : schemaOf(field),
          ]),
        ),
      );
    case 'Union':
      return z.union(type.value.map(schemaOf));
    case 'Refined':
      return refinedSchema(type);
    default:
      return z.unknown();
  }
}

function refinedSchema({ value: { base, refinement } }: NType & { kind: 'Refined' }): z.ZodType {
  switch (refinement.kind) {
    case 'Range':
      return z
        .number()
        .min(refinement.min ?? -Infinity)
        .max(refinement.max ?? Infinity);
    case 'OneOf':
      return z.literal(refinement.options.filter((option) => typeof option === 'string'));
    case 'NonEmpty':
      return schemaOf(base).refine((value) =>
        isObject(value) ? Object.keys(value).length > 0 : (value as { readonly length: number }).length > 0,
      );
  }
}
