import { canonicalJson, sha256Hex } from '../canonical.ts';
import type { Json } from '../ports.ts';
import { isSettled } from './settle.ts';

/** A part whose text is longer stands as its hash in the text of what holds it, characters. */
const PART = 4096;

/** What is known of a value by reference; an immutable value is written and hashed once. */
interface Written {
  /** RFC 8785 text with every long part as `#` and its hash: canonical JSON has no `#` outside of strings. */
  readonly text: string;
  /** Length of the whole canonical text, characters. */
  readonly size: number;
  /** Whether a key anywhere in it is `now`. */
  readonly hasNow: boolean;
  hash: string | null;
}

const written = new WeakMap<object, Written>();

/**
 * The hash of a value in traces and caches, 64 hex digits: SHA-256 of its RFC 8785 text in which every object or list
 * within it whose own text is longer than 4,096 characters stands as `#` and its own hash. So equal values have equal
 * hashes, a value without long parts has the SHA-256 of its canonical text, and what many values share is hashed once.
 */
export function valueHash(value: Json): string {
  const known = writtenOf(value);
  known.hash ??= sha256Hex(known.text);
  return known.hash;
}

/** A text that equal values and no others have; at most some thousand characters for each part of the value itself. */
export function valueKey(value: Json): string {
  return writtenOf(value).text;
}

/** Length of a value's canonical text, characters. */
export function valueSize(value: Json): number {
  return writtenOf(value).size;
}

/** Whether a key anywhere in a value is `now`. */
export function holdsNow(value: Json): boolean {
  return writtenOf(value).hasNow;
}

function writtenOf(value: Json): Written {
  if (typeof value !== 'object' || value === null) {
    const text = leafText(value);
    return { text, size: text.length, hasNow: false, hash: null };
  }
  const known = written.get(value);
  if (known) return known;
  const made = Array.isArray(value)
    ? writeItems(value)
    : writeFields(value as { readonly [key: string]: Json });
  if (isSettled(value)) written.set(value, made);
  return made;
}

function writeItems(items: readonly Json[]): Written {
  let text = '[';
  let size = 2 + Math.max(0, items.length - 1);
  let hasNow = false;
  for (const [i, item] of items.entries()) {
    if (i > 0) text += ',';
    if (typeof item === 'object' && item !== null) {
      const part = writtenOf(item);
      text += standIn(part);
      size += part.size;
      hasNow ||= part.hasNow;
    } else {
      const leaf = leafText(item);
      text += leaf;
      size += leaf.length;
    }
  }
  return { text: `${text}]`, size, hasNow, hash: null };
}

function writeFields(fields: { readonly [key: string]: Json }): Written {
  // By UTF-16 code units, as RFC 8785 §3.2.3 asks and as `sort` does.
  const names = Object.keys(fields).sort();
  let text = '{';
  let size = 2 + Math.max(0, names.length - 1);
  let hasNow = false;
  for (const [i, name] of names.entries()) {
    const key = leafText(name);
    text += i > 0 ? `,${key}:` : `${key}:`;
    size += key.length + 1;
    hasNow ||= name === 'now';
    const field = fields[name] ?? null;
    if (typeof field === 'object' && field !== null) {
      const part = writtenOf(field);
      text += standIn(part);
      size += part.size;
      hasNow ||= part.hasNow;
    } else {
      const leaf = leafText(field);
      text += leaf;
      size += leaf.length;
    }
  }
  return { text: `${text}}`, size, hasNow, hash: null };
}

/** For JSON's plain values `JSON.stringify` writes what RFC 8785 asks: ES6 numbers, the fewest escapes. */
function leafText(value: Json): string {
  const isText = typeof value === 'string';
  return isText && !value.isWellFormed() ? canonicalJson(value) : JSON.stringify(value);
}

function standIn(part: Written): string {
  if (part.text.length <= PART) return part.text;
  part.hash ??= sha256Hex(part.text);
  return `#${part.hash}`;
}
