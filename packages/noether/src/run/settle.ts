import type { Json } from '../ports.ts';
import { MAX_NESTING } from '../types/json-fault.ts';

/** Values that are JSON through and through and never change again. */
const settled = new WeakSet<object>();

/**
 * A value as immutable JSON: undefined fields are left out, what is immutable JSON already is taken as it is, the rest
 * is copied. So parts of a value that a stage hands on keep their identity, and their hash and their checks with it.
 * Undefined when it holds something JSON cannot carry, or nests deeper than 512 levels.
 */
export function settle(value: unknown, depth = 0): Json | undefined {
  if (value === null || typeof value === 'boolean') return value;
  // Half a surrogate pair is no text: it has neither a UTF-8 form nor a canonical one.
  if (typeof value === 'string') return value.isWellFormed() ? value : undefined;
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  if (typeof value !== 'object' || depth > MAX_NESTING) return undefined;
  if (settled.has(value)) return value as Json;
  if (Array.isArray(value)) return settleItems(value, depth);
  return isPlain(value) ? settleFields(value, depth) : undefined;
}

/** Whether a value is known to be immutable JSON. */
export function isSettled(value: Json): boolean {
  return typeof value !== 'object' || value === null || settled.has(value);
}

/** Whether two JSON values are equal; what is one object is not looked into. */
export function sameValue(a: Json, b: Json): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a)) {
    return (
      Array.isArray(b) && a.length === b.length && a.every((item: Json, i) => sameValue(item, b[i] as Json))
    );
  }
  if (Array.isArray(b)) return false;
  const [left, right] = [a, b] as { readonly [key: string]: Json }[];
  if (!left || !right) return false;
  const names = Object.keys(left);
  return (
    names.length === Object.keys(right).length &&
    names.every((name) => Object.hasOwn(right, name) && sameValue(left[name] ?? null, right[name] ?? null))
  );
}

/** Marks a new object or list as immutable; every part of it is settled already. */
export function own<T extends object>(value: T): T {
  settled.add(Object.freeze(value));
  return value;
}

/** A new settled object of settled values. */
export function settledRecord(entries: Iterable<readonly [string, Json]>): Json {
  return own(Object.fromEntries(entries));
}

function settleItems(value: readonly unknown[], depth: number): Json | undefined {
  const items: Json[] = [];
  for (const entry of value) {
    const item = settle(entry, depth + 1);
    if (item === undefined) return undefined;
    items.push(item);
  }
  return own(items);
}

function settleFields(value: object, depth: number): Json | undefined {
  // A spread keeps the order, a key named `__proto__`, and the hidden class of the original.
  const copy: { [key: string]: unknown } = { ...value };
  for (const key of Object.keys(copy)) {
    const field = copy[key];
    if (!key.isWellFormed()) return undefined;
    if (field === undefined) return settleSome(value, depth);
    const item = settle(field, depth + 1);
    if (item === undefined) return undefined;
    if (item === field) continue;
    if (key === '__proto__') return settleSome(value, depth);
    copy[key] = item;
  }
  return own(copy as { [key: string]: Json });
}

/** {@link settleFields} for objects with undefined fields. */
function settleSome(value: object, depth: number): Json | undefined {
  const entries: [string, Json][] = [];
  for (const [key, field] of Object.entries(value)) {
    if (field === undefined) continue;
    if (!key.isWellFormed()) return undefined;
    const item = settle(field, depth + 1);
    if (item === undefined) return undefined;
    entries.push([key, item]);
  }
  return settledRecord(entries);
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

/** Where and why a value is no JSON: a dotted place, empty for the value itself, and what is there. */
export function unsettled(value: unknown, path = '', depth = 0): string {
  const at = path === '' ? '' : `${path}: `;
  if (depth > MAX_NESTING) return `more than ${MAX_NESTING} levels of nesting`;
  if (typeof value === 'string') return `${at}a text with half a surrogate pair`;
  if (typeof value === 'number') return `${at}${String(value)}, which JSON cannot carry`;
  if (typeof value !== 'object' || value === null) return `${at}${typeof value}, which JSON cannot carry`;
  if (!Array.isArray(value) && !isPlain(value))
    return `${at}an object of the class ${value.constructor.name || '(unnamed)'}, which JSON cannot carry`;
  for (const [key, item] of Object.entries(value)) {
    const place = path === '' ? key : `${path}.${key}`;
    if (!key.isWellFormed()) return `${at}a key with half a surrogate pair`;
    if (item === undefined && !Array.isArray(value)) continue;
    if (settle(item, depth + 1) === undefined) return unsettled(item, place, depth + 1);
  }
  return `${at}something JSON cannot carry`;
}
