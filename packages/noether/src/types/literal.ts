import type { Json } from '../ports.ts';
import { isObject } from './json-kind.ts';
import { ANY, BOOL, NULL, NUMBER, type NType, TEXT, list, oneOf, record } from './ntype.ts';
import { show } from './show.ts';
import { union } from './union.ts';

/** Most parts a known value may have for each of them to be known too: types of large values would be as large. */
const MAX_EXACT = 500;

/** The type of one known value: exact, so that it fits enums, ranges and maps it lies in. */
export function literalType(value: Json): NType {
  if (value === null) return NULL;
  return oneOf(typeOf(value, isSmall(value, { left: MAX_EXACT }) ? literalType : plainType), [value]);
}

function plainType(value: Json): NType {
  return value === null ? NULL : typeOf(value, plainType);
}

function typeOf(value: Exclude<Json, null>, ofPart: (part: Json) => NType): NType {
  if (typeof value === 'boolean') return BOOL;
  if (typeof value === 'number') return NUMBER;
  if (typeof value === 'string') return TEXT;
  if (isObject(value))
    return record(Object.fromEntries(Object.entries(value).map(([key, part]) => [key, ofPart(part)])));
  const types = value.map(ofPart);
  return list(types.length === 0 ? ANY : union(types.length > MAX_EXACT ? distinct(types) : types));
}

/** One of each; sorting a long list of equal types would cost more than showing each once. */
function distinct(types: readonly NType[]): readonly NType[] {
  return [...new Map(types.map((type) => [show(type), type])).values()];
}

function isSmall(value: Json, budget: { left: number }): boolean {
  budget.left -= 1;
  if (budget.left < 0 || typeof value !== 'object' || value === null) return budget.left >= 0;
  return (isObject(value) ? Object.values(value) : value).every((part) => isSmall(part, budget));
}
