import type { Json } from '../ports.ts';

/** Whether a JSON value is an object: neither null nor an array. */
export function isObject(value: unknown): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The kind of a JSON value in words: null, boolean, number, string, array, object. */
export function jsonKind(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

/** The value with 0 for every -0: canonical JSON and all ids know one zero. The same value where there is none. */
export function oneZero(value: Json): Json {
  if (value === 0) return 0;
  if (typeof value !== 'object' || value === null) return value;
  if (isObject(value)) {
    const entries = Object.entries(value).map(([key, part]) => [key, oneZero(part)] as const);
    return entries.every(([key, part]) => Object.is(part, value[key])) ? value : Object.fromEntries(entries);
  }
  const parts = value.map(oneZero);
  return parts.every((part, i) => Object.is(part, value[i])) ? value : parts;
}
