import type { Json } from '../ports.ts';
import { isObject } from '../types/value.ts';

/** Keys a bare value is stored under when a config is laid over it: the first the config leaves free. */
export const WRAP_KEYS: readonly string[] = [
  'items',
  'text',
  'data',
  'input',
  'records',
  'train',
  'document',
  'html',
  'csv',
  'json_str',
];

/** The key a bare value gets under a config; `items` when the config has them all. */
export function wrapKey(config: object): string {
  return WRAP_KEYS.find((key) => !Object.hasOwn(config, key)) ?? 'items';
}

/** An input with a stage's config laid over it; the config wins, nothing is merged deeper. */
export function mergeConfig(input: Json, config: { readonly [key: string]: Json } | null): Json {
  if (config === null) return input;
  if (isObject(input)) return { ...input, ...config };
  return { [wrapKey(config)]: input, ...config };
}

/** What a Parallel branch gets: the field of its name, even null, else the whole input. */
export function branchInput(input: Json, name: string): Json {
  return isObject(input) && Object.hasOwn(input, name) ? (input[name] ?? null) : input;
}

/** What a Merge source gets: its field or null of an object, else the whole input. */
export function sourceInput(input: Json, index: number): Json {
  if (!isObject(input)) return input;
  const key = `source_${index}`;
  return Object.hasOwn(input, key) ? (input[key] ?? null) : null;
}

/** What a Let body or a Map child sees: the input's fields with `names` over them; an input that is no object is dropped. */
export function scope(input: Json, names: readonly (readonly [string, Json])[]): Json {
  return { ...(isObject(input) ? input : {}), ...Object.fromEntries(names) };
}

/** Steps of a dotted path; none for the empty path. */
export function pathSteps(path: string): readonly string[] {
  return path === '' ? [] : path.split('.');
}

/** The value at a dotted path; null where something on the way is absent. */
export function valueAt(input: Json, path: string): Json {
  let value = input;
  for (const step of pathSteps(path)) {
    if (!isObject(value) || !Object.hasOwn(value, step)) return null;
    value = value[step] ?? null;
  }
  return value;
}

/** A stage's answer as JSON: undefined fields are left out. Undefined when it holds something JSON cannot carry. */
export function toJson(value: unknown): Json | undefined {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  if (Array.isArray(value)) return everyItem(value);
  if (typeof value !== 'object' || !isPlain(value)) return undefined;
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  const items = everyItem(entries.map(([, item]) => item as unknown));
  return items && Object.fromEntries(entries.map(([key], i) => [key, items[i] ?? null]));
}

function everyItem(values: readonly unknown[]): readonly Json[] | undefined {
  const items = values.map(toJson);
  return items.every((item) => item !== undefined) ? items : undefined;
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}
