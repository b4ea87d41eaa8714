import { canonicalJson } from '../canonical.ts';
import { type NType, type Refinement, fieldEntries, fieldType, record } from './ntype.ts';

/** Kinds in the order unions are sorted by. */
const KINDS: readonly NType['kind'][] = [
  'Any',
  'Bool',
  'Bytes',
  'List',
  'Map',
  'Null',
  'Number',
  'Record',
  'Stream',
  'Text',
  'Union',
  'VNode',
  'Var',
  'RecordWith',
  'Refined',
];

/** The total order of types: by kind, then by content. */
export function compareTypes(a: NType, b: NType): number {
  if (a === b) return 0;
  if (a.kind !== b.kind) return KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind);
  if (a.kind === 'Refined' && b.kind === 'Refined') {
    return (
      compareTypes(a.value.base, b.value.base) || compareRefinements(a.value.refinement, b.value.refinement)
    );
  }
  return compareParts(parts(a), parts(b));
}

function compareRefinements(a: Refinement, b: Refinement): number {
  return a === b ? 0 : comparePart(canonicalJson(a), canonicalJson(b));
}

/** Whether two types are the same; bounds of refinements compare as numbers. */
export function sameType(a: NType, b: NType): boolean {
  return compareTypes(a, b) === 0;
}

/** The union of types: flattened one level, sorted, without doubles; nothing gives Null, one type gives itself. */
export function union(types: readonly NType[]): NType {
  const flat = types.flatMap((type) => (type.kind === 'Union' ? type.value : [type])).sort(compareTypes);
  const distinct = flat.filter((type, i) => {
    const previous = flat[i - 1];
    return previous === undefined || !sameType(previous, type);
  });
  const [first] = distinct;
  if (first === undefined) return { kind: 'Null' };
  return distinct.length === 1 ? first : { kind: 'Union', value: distinct };
}

/** The union of the variants, records among them with a field more unless they have it. */
export function withField(variants: readonly NType[], name: string, field: NType): NType {
  return union(
    variants.map((variant) =>
      variant.kind === 'Record' && fieldType(variant.value, name) === undefined
        ? record({ ...variant.value, [name]: field })
        : variant,
    ),
  );
}

type Part = string | NType;

function parts(type: NType): readonly Part[] {
  switch (type.kind) {
    case 'List':
    case 'Stream':
      return [type.value];
    case 'Map':
      return [type.value.key, type.value.value];
    case 'Record':
      return fieldEntries(type.value).flat();
    case 'Union':
      return type.value;
    case 'Var':
      return [type.value];
    case 'RecordWith':
      return [...fieldEntries(type.value.fields).flat(), type.value.rest];
    case 'Refined':
      return [type.value.base];
    case 'Any':
    case 'Bool':
    case 'Bytes':
    case 'Null':
    case 'Number':
    case 'Text':
    case 'VNode':
      return [];
  }
}

function compareParts(a: readonly Part[], b: readonly Part[]): number {
  for (const [i, x] of a.entries()) {
    const y = b[i];
    if (y === undefined) return 1;
    const order = comparePart(x, y);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

function comparePart(a: Part, b: Part): number {
  if (typeof a === 'string' || typeof b === 'string') {
    if (typeof a !== 'string') return 1;
    if (typeof b !== 'string') return -1;
    return a < b ? -1 : a > b ? 1 : 0;
  }
  return compareTypes(a, b);
}
