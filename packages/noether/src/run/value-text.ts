import { canonicalJson } from '../canonical.ts';
import type { Json } from '../ports.ts';
import { isSettled } from './settle.ts';

const texts = new WeakMap<object, string>();

/** RFC 8785 text of a value; that of an immutable one is made once. */
export function valueText(value: Json): string {
  if (typeof value !== 'object' || value === null || !isSettled(value)) return canonicalJson(value);
  const known = texts.get(value);
  if (known !== undefined) return known;
  const text = canonicalJson(value);
  texts.set(value, text);
  return text;
}

/** Tells the canonical text of an immutable value to who asks for it later; the caller knows it from having read the value. */
export function noteText(value: Json, text: string): void {
  if (typeof value === 'object' && value !== null && isSettled(value)) texts.set(value, text);
}
