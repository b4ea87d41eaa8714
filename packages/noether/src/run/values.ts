import type { Json } from '../ports.ts';
import { isObject } from '../types/value.ts';
import { own, settle } from './settle.ts';

const literals = new WeakMap<object, Json>();

/** A literal of a graph as a settled value: one and the same, however often it is used. */
export function literal(value: Json): Json {
  if (typeof value !== 'object' || value === null) return value;
  const known = literals.get(value);
  if (known !== undefined) return known;
  // The graph was parsed: what JSON cannot carry is not in it.
  const settled = settle(value) ?? null;
  literals.set(value, settled);
  return settled;
}

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
  const fields = literal(config) as { readonly [key: string]: Json };
  return own(isObject(input) ? { ...input, ...fields } : { [wrapKey(config)]: input, ...fields });
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
  return own({ ...(isObject(input) ? input : {}), ...Object.fromEntries(names) });
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
