import { z } from 'zod';

import type { Json } from '../ports.ts';

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

/** The wire form of a refinement. */
export const Refinement: z.ZodType<Refinement> = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('Range'), min: z.number().optional(), max: z.number().optional() }),
  z.object({ kind: z.literal('OneOf'), options: z.array(z.json()) }),
  z.object({ kind: z.literal('NonEmpty') }),
]);

const nested = (): z.ZodType<NType> => z.lazy(() => NType);
const fields = (): z.ZodType<Fields> => z.record(z.string(), nested());

/** The wire form of a type; extra keys are dropped. Unions are kept in their stored order. */
export const NType: z.ZodType<NType> = z.discriminatedUnion('kind', [
  z.object({ kind: z.enum(['Any', 'Bool', 'Bytes', 'Null', 'Number', 'Text', 'VNode']) }),
  z.object({ kind: z.enum(['List', 'Stream']), value: nested() }),
  z.object({ kind: z.literal('Map'), value: z.object({ key: nested(), value: nested() }) }),
  z.object({ kind: z.literal('Record'), value: fields() }),
  z.object({ kind: z.literal('Union'), value: z.array(nested()) }),
  z.object({ kind: z.literal('Var'), value: z.string() }),
  z.object({ kind: z.literal('RecordWith'), value: z.object({ fields: fields(), rest: z.string() }) }),
  z.object({ kind: z.literal('Refined'), value: z.object({ base: nested(), refinement: Refinement }) }),
]);

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

/** Own fields of a record type in key order. */
export function fieldEntries(value: Fields): readonly (readonly [string, NType])[] {
  return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

/** An own field of a record type; undefined when it has none of that name, `__proto__` and `constructor` included. */
export function fieldType(value: Fields, field: string): NType | undefined {
  return Object.hasOwn(value, field) ? value[field] : undefined;
}
