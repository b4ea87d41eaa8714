import type { z } from 'zod';

import type { Json } from '../ports.ts';
import { StageError } from '../stage/errors.ts';
import { ANY, BOOL, NULL, NUMBER, type NType, TEXT, fieldType, list, oneOf, record } from './ntype.ts';
import { sameType, union } from './union.ts';

/** Which side of a stage a schema describes: defaults make input fields optional and output fields sure. */
export type Side = 'input' | 'output';

interface Place {
  readonly stage: string;
  readonly path: string;
  readonly side: Side;
  /** Objects and lazy schemas being unfolded; one that meets itself again is Any there. */
  readonly open: readonly z.core.$ZodType[];
}

/**
 * The type of a zod schema. Checks, brands and metadata do not change it; null and absence are the same.
 * Throws STAGE_TYPE_UNSUPPORTED with the path of a schema that JSON cannot carry.
 */
export function typeOfSchema(schema: z.ZodType, stage: string, side: Side): NType {
  return convert(schema, { stage, path: side, side, open: [] });
}

function convert(schema: z.core.$ZodType, at: Place): NType {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  if (def.type === 'object' || def.type === 'lazy') {
    if (at.open.includes(schema)) return ANY;
    return unfolded(def, { ...at, open: [...at.open, schema] });
  }
  switch (def.type) {
    case 'string':
    case 'template_literal':
      return TEXT;
    case 'number':
      return NUMBER;
    case 'boolean':
      return BOOL;
    case 'null':
      return NULL;
    case 'any':
    case 'unknown':
      return ANY;
    case 'literal':
      return literals(def.values, at);
    case 'enum':
      return literals(enumValues(def.entries), at);
    case 'array':
      return list(convert(def.element, deeper(at, '[]')));
    case 'tuple':
      return list(tupleElement(def, at));
    case 'record':
      return recordType(def, at);
    case 'union':
      return unfoldJson(union(def.options.map((option, i) => convert(option, deeper(at, `|${i}`)))));
    case 'intersection':
      return intersection(convert(def.left, at), convert(def.right, at), at);
    case 'undefined':
      // As a part it is what may be absent, which is null in graphs; a stage that takes or gives it has no type.
      return at.path === at.side ? unsupported(def.type, at) : NULL;
    default:
      return wrapped(schema, at);
  }
}

/** Schemas that may hold themselves. */
function unfolded(def: z.core.$ZodObjectDef | z.core.$ZodLazyDef, at: Place): NType {
  return def.type === 'object' ? objectType(def, at) : convert(def.getter(), at);
}

/** Schemas around one other schema. */
function wrapped(schema: z.core.$ZodType, at: Place): NType {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  switch (def.type) {
    case 'optional':
    case 'nullable':
      return union([NULL, convert(def.innerType, at)]);
    case 'default':
    case 'prefault':
      return at.side === 'input' ? union([NULL, convert(def.innerType, at)]) : convert(def.innerType, at);
    case 'nonoptional':
      return withoutNull(convert(def.innerType, at));
    case 'readonly':
      return convert(def.innerType, at);
    case 'catch':
      return at.side === 'input' ? ANY : convert(def.innerType, at);
    case 'pipe':
      return pipeType(def, at);
    default:
      return unsupported(def.type, at);
  }
}

function unsupported(schema: string, { stage, path }: Place): never {
  throw new StageError(
    'STAGE_TYPE_UNSUPPORTED',
    { stage, path, schema },
    { hint: 'use object, string, number, boolean, null, literal, enum, array, record, union or json' },
  );
}

function deeper(at: Place, step: string): Place {
  return { ...at, path: `${at.path}${step.startsWith('[') ? '' : '.'}${step}` };
}

function enumValues(entries: Readonly<Record<string, string | number>>): readonly (string | number)[] {
  // A TypeScript enum of numbers lists its names as values too.
  const numeric = Object.values(entries).filter((value) => typeof value === 'number');
  return Object.entries(entries)
    .filter(([key]) => !numeric.includes(Number(key)))
    .map(([, value]) => value);
}

const BASES: readonly (readonly [string, NType])[] = [
  ['string', TEXT],
  ['number', NUMBER],
  ['boolean', BOOL],
];

function literals(values: readonly unknown[], at: Place): NType {
  const variants = BASES.flatMap(([kind, base]) => {
    const options = values.filter((value) => typeof value === kind) as Json[];
    return options.length === 0 ? [] : [oneOf(base, options)];
  });
  const known = values.filter((value) => value === null || BASES.some(([kind]) => typeof value === kind));
  if (known.length !== values.length) {
    return unsupported('literal', at);
  }
  return union(values.includes(null) ? [...variants, NULL] : variants);
}

function objectType(def: z.core.$ZodObjectDef, at: Place): NType {
  const entries = Object.entries(def.shape);
  const catchall = def.catchall?._zod.def.type;
  if (entries.length === 0 && def.catchall && catchall !== 'never' && catchall !== 'unknown') {
    return { kind: 'Map', value: { key: TEXT, value: convert(def.catchall, deeper(at, '*')) } };
  }
  return record(
    Object.fromEntries(entries.map(([name, schema]) => [name, convert(schema, deeper(at, name))])),
  );
}

function tupleElement(def: z.core.$ZodTupleDef, at: Place): NType {
  const items = [...def.items, ...(def.rest ? [def.rest] : [])];
  return items.length === 0 ? ANY : union(items.map((item, i) => convert(item, deeper(at, `[${i}]`))));
}

/** Keys are Text in graphs whatever their schema; a record over literal keys has every one of them. */
function recordType(def: z.core.$ZodRecordDef, at: Place): NType {
  const value = convert(def.valueType, deeper(at, '*'));
  return { kind: 'Map', value: { key: TEXT, value } };
}

/** Two records as one; a field both have must have one type. */
function intersection(left: NType, right: NType, at: Place): NType {
  if (left.kind !== 'Record' || right.kind !== 'Record') return unsupported('intersection', at);
  const both = Object.entries(right.value).find(([name, type]) => {
    const other = fieldType(left.value, name);
    return other !== undefined && !sameType(other, type);
  });
  return both ? unsupported('intersection', deeper(at, both[0])) : record({ ...left.value, ...right.value });
}

function pipeType(def: z.core.$ZodPipeDef, at: Place): NType {
  const side = at.side === 'input' ? def.in : def.out;
  if (side._zod.def.type === 'transform') {
    if (at.side === 'input') return ANY;
    return unsupported('transform', at);
  }
  return convert(side, at);
}

function withoutNull(type: NType): NType {
  return type.kind === 'Union' ? union(type.value.filter((variant) => variant.kind !== 'Null')) : type;
}

/** zod's json() is a recursive union of everything JSON has: that is Any. */
function unfoldJson(type: NType): NType {
  if (type.kind !== 'Union') return type;
  const kinds = new Set(type.value.map((variant) => variant.kind));
  const all = (['Bool', 'List', 'Map', 'Null', 'Number', 'Text'] as const).every((kind) => kinds.has(kind));
  return all || kinds.has('Any') ? ANY : type;
}
