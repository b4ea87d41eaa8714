import { z } from 'zod';

import type { Json } from '../ports.ts';
import { jsonFault } from './json-fault.ts';
import { readType } from './read.ts';

/** A predicate on a base type. Bounds are inclusive; an absent bound is open. */
export type Refinement =
  | { readonly kind: 'Range'; readonly min?: number | undefined; readonly max?: number | undefined }
  | { readonly kind: 'OneOf'; readonly options: readonly Json[] }
  | { readonly kind: 'NonEmpty' };

/** The kinds without content. */
export type PrimitiveKind = 'Any' | 'Bool' | 'Bytes' | 'Null' | 'Number' | 'Text' | 'VNode';

/** Fields of a record type by name. */
export type Fields = { readonly [field: string]: NType };

/** A type of the engine as its wire JSON: `{kind}` or `{kind, value}`. */
export type NType =
  | { readonly kind: PrimitiveKind }
  | { readonly kind: 'List' | 'Stream'; readonly value: NType }
  | { readonly kind: 'Map'; readonly value: { readonly key: NType; readonly value: NType } }
  | { readonly kind: 'Record'; readonly value: Fields }
  | { readonly kind: 'Union'; readonly value: readonly NType[] }
  | { readonly kind: 'Var'; readonly value: string }
  | { readonly kind: 'RecordWith'; readonly value: { readonly fields: Fields; readonly rest: string } }
  | { readonly kind: 'Refined'; readonly value: { readonly base: NType; readonly refinement: Refinement } };

/** The wire form of a type; extra keys are dropped. Unions are kept in their stored order. */
export const NType: z.ZodType<NType> = z.unknown().transform((value, context) => {
  const fault = jsonFault(value);
  if (fault) {
    const message = `expected ${fault.expected}, got ${fault.actual}`;
    context.addIssue({ code: 'custom', message: fault.path === '' ? message : `${fault.path}: ${message}` });
    return z.NEVER;
  }
  let sound = true;
  const type = readType(value as Json, [], (steps, message) => {
    sound = false;
    context.addIssue({ code: 'custom', path: [...steps], message });
  });
  return sound ? type : z.NEVER;
});

/** The type of every value. */
export const ANY: NType = { kind: 'Any' };
/** The type of null. */
export const NULL: NType = { kind: 'Null' };
/** The type of true and false. */
export const BOOL: NType = { kind: 'Bool' };
/** The type of numbers. */
export const NUMBER: NType = { kind: 'Number' };
/** The type of strings. */
export const TEXT: NType = { kind: 'Text' };

/** A list type. */
export function list(element: NType): NType {
  return { kind: 'List', value: element };
}

/** A closed record type. */
export function record(value: Fields): NType {
  return { kind: 'Record', value };
}

/** `base` restricted to the given values. */
export function oneOf(base: NType, options: readonly Json[]): NType {
  return { kind: 'Refined', value: { base, refinement: { kind: 'OneOf', options } } };
}

/** Whether a record field of this type may be absent: Null, Any, a variable, or a union with such a variant. */
export function isNullable(type: NType): boolean {
  if (type.kind === 'Union') return type.value.some(isNullable);
  return type.kind === 'Null' || type.kind === 'Any' || type.kind === 'Var';
}

/** Whether every value has the type: Any, or a union that holds it. */
export function takesAnything(type: NType): boolean {
  return type.kind === 'Any' || (type.kind === 'Union' && type.value.some(takesAnything));
}

const entries = new WeakMap<Fields, readonly (readonly [string, NType])[]>();

/** Own fields of a record type in key order. Types never change: each is sorted once. */
export function fieldEntries(value: Fields): readonly (readonly [string, NType])[] {
  const known = entries.get(value);
  if (known) return known;
  const sorted = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  entries.set(value, sorted);
  return sorted;
}

/** An own field of a record type; undefined when it has none of that name, `__proto__` and `constructor` included. */
export function fieldType(value: Fields, field: string): NType | undefined {
  return Object.hasOwn(value, field) ? value[field] : undefined;
}
