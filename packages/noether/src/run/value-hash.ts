import { canonicalJson, sha256Hex } from '../canonical.ts';
import type { Json } from '../ports.ts';
import { isSettled } from './settle.ts';

/** Canonical texts and hashes of settled values by reference: an immutable value is written and hashed once. */
const texts = new WeakMap<object, string>();
const hashes = new WeakMap<object, string>();

/** RFC 8785 text of a value; parts whose text is known are not written again. */
export function valueText(value: Json): string {
  if (typeof value !== 'object' || value === null) return canonicalJson(value);
  const known = texts.get(value);
  if (known !== undefined) return known;
  const text = composed(value);
  if (isSettled(value)) texts.set(value, text);
  return text;
}

/** Tells the canonical text of a settled value to who asks for it later; the caller knows it from having read the value. */
export function noteText(value: Json, text: string): void {
  if (typeof value === 'object' && value !== null && isSettled(value)) texts.set(value, text);
}

/** SHA-256 of a value's canonical text, 64 hex digits. */
export function valueHash(value: Json): string {
  if (typeof value !== 'object' || value === null) return sha256Hex(canonicalJson(value));
  const known = hashes.get(value);
  if (known !== undefined) return known;
  const hash = sha256Hex(valueText(value));
  if (isSettled(value)) hashes.set(value, hash);
  return hash;
}

function composed(value: object): string {
  if (Array.isArray(value)) {
    const items = value as readonly Json[];
    return holdsObject(items) ? `[${items.map(valueText).join(',')}]` : canonicalJson(items);
  }
  const fields = value as { readonly [key: string]: Json };
  if (!holdsObject(Object.values(fields))) return canonicalJson(fields);
  // Sorted by UTF-16 code units, as RFC 8785 §3.2.3 asks and as `sort` does.
  const names = Object.keys(fields).sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${valueText(fields[name] ?? null)}`).join(',')}}`;
}

function holdsObject(values: readonly Json[]): boolean {
  return values.some((value) => typeof value === 'object' && value !== null);
}
