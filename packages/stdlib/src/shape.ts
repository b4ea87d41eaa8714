import { ANY, type Json, type NType, union } from '@caloron/noether/stage';
import { z } from 'zod';

/** A JSON object as it comes in: any keys, `__proto__` among them. */
export type JsonObject = { readonly [key: string]: Json };

/** Whether a value is an object: neither null nor a list. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Any value that comes in; null where the field is absent. Not copied, so that no key is lost. */
export const AnyValue = z.preprocess((value) => value ?? null, z.unknown()) as unknown as z.ZodType<
  Json,
  Json | undefined
>;

/** Any value that goes out. Not copied, so that no key is lost. */
export const AnyResult = z.unknown() as unknown as z.ZodType<Json, Json>;

/** A list of any values. */
export const Items = z.array(AnyResult);

/** An object of any keys: z.record would drop `__proto__`. It has no type of its own in graphs: declare one. */
export const AnyObject: z.ZodType<JsonObject, JsonObject> = z.custom<JsonObject>(isObject, {
  error: 'expected an object',
});

/** An object of texts, of any keys. It has no type of its own in graphs: declare one. */
export const TextMap: z.ZodType<{ readonly [key: string]: string }, { readonly [key: string]: string }> =
  z.custom<{ readonly [key: string]: string }>(
    (value) => isObject(value) && Object.values(value).every((item) => typeof item === 'string'),
    { error: 'expected an object of texts' },
  );

/** The type variable of a stage that gives what it takes. */
export const T: NType = { kind: 'Var', value: 'T' };

/** The type of an object with text keys and values of one type. */
export function mapOf(value: NType): NType {
  return { kind: 'Map', value: { key: { kind: 'Text' }, value } };
}

/** The type of everything that is an object: a record or a map. */
export const OBJECT: NType = union([mapOf(ANY), { kind: 'RecordWith', value: { fields: {}, rest: 'R' } }]);

/** An own field of a value; undefined where the value is no object or has no such field. */
export function fieldOf(value: Json | undefined, name: string): Json | undefined {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

/** Own entries of an object in the order of their keys' code points, so that equal objects give equal results. */
export function entriesOf<V>(value: { readonly [key: string]: V }): readonly (readonly [string, V])[] {
  return Object.entries(value).sort(([a], [b]) => compareText(a, b));
}

/** Orders texts by their code points, as their UTF-8 bytes are ordered: negative, zero or positive. */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i += 1) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

/** UTF-16 units in the order of the code points they belong to: surrogates stand for the highest. */
function rank(unit: number): number {
  if (unit >= 0xe000) return unit - 0x800;
  return unit >= 0xd800 ? unit + 0x2000 : unit;
}
