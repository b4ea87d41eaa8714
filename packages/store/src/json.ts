import { canonicalJson, isSettled, type Json, noteText, settle, takenBy, valueText } from '@caloron/noether';
import { messageOf } from '@caloron/noether/errors';
import type { z } from 'zod';

import { issuesOf, StoreError } from './errors.ts';

/** Rows whose values are kept at hand: a scheduler ticks a few sprints at a time. */
const MAX_KNOWN = 16;

/** Half a surrogate pair as JSON.stringify escapes it; group 1 is an escaped backslash, which is none. */
const LONE_SURROGATE = /(\\\\)|\\ud[89a-f][0-9a-f]{2}/g;

/** Half a surrogate pair cannot be stored as UTF-8: it becomes U+FFFD, as in every UTF-8 encoder, so that a cut emoji never stops a sprint. */
function wellFormed(text: string): unknown {
  return JSON.parse(
    text.replaceAll(LONE_SURROGATE, (found, backslashes: string | undefined) =>
      backslashes === undefined ? '\ufffd' : found,
    ),
  );
}

/** The canonical JSON text of a value, as it is stored. Throws STORE_VALUE_INVALID naming `key` for what is no JSON: undefined, NaN, a cycle. */
export function storedText(value: unknown, key: string): string {
  // Written once, however often it is stored: what a run hands over is immutable.
  if (typeof value === 'object' && value !== null && isSettled(value as Json))
    return valueText(value as Json);
  try {
    // JSON.stringify refuses cycles and gives undefined for what is no JSON; its type does not say so.
    const text = JSON.stringify(value) as string | undefined;
    if (text === undefined) throw new TypeError(`expected a JSON value, got ${typeof value}`);
    return canonicalJson(text.includes('\\ud') ? wellFormed(text) : value);
  } catch (error) {
    throw new StoreError(
      'STORE_VALUE_INVALID',
      { key, issues: [messageOf(error)] },
      { cause: error, hint: 'put a JSON value' },
    );
  }
}

/** The value of a stored text. Throws STORE_VALUE_INVALID naming `key` when the text is damaged. */
export function storedValue(text: string, key: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    throw new StoreError(
      'STORE_VALUE_INVALID',
      { key, issues: [`the stored text is no JSON: ${messageOf(error)}`] },
      { cause: error },
    );
  }
}

/** Values of large rows as last read or written: whoever reads an unchanged row gets the same immutable value. */
export class KnownValues {
  readonly #known = new Map<string, { readonly text: string; readonly value: Json }>();

  /** The value of a stored text, immutable. Throws STORE_VALUE_INVALID. */
  valueOf(key: string, text: string): Json {
    const known = this.#known.get(key);
    if (known?.text === text) return known.value;
    const read = storedValue(text, key);
    return this.note(key, text, settle(read) ?? read);
  }

  /** Remembers the value a canonical text was made of. */
  note(key: string, text: string, value: Json): Json {
    this.#known.delete(key);
    this.#known.set(key, { text, value });
    noteText(value, text);
    const [oldest] = this.#known.keys();
    if (this.#known.size > MAX_KNOWN && oldest !== undefined) this.#known.delete(oldest);
    return value;
  }
}

/** `value` itself once its schema has proved it: zod would drop a member called `__proto__`. Throws STORE_VALUE_INVALID with key, path and expectation. */
export function provenValue<T>(schema: z.ZodType<T>, value: unknown, key: string): T {
  if (isSettled(value as Json) && takenBy(schema, value as Json) === value) return value as T;
  const parsed = schema.safeParse(value);
  if (parsed.success) return value as T;
  throw new StoreError(
    'STORE_VALUE_INVALID',
    { key, issues: issuesOf(parsed.error) },
    { cause: parsed.error },
  );
}

/** A row of `table` as its schema makes it. Throws STORE_ROW_INVALID. */
export function parseRow<T extends z.ZodType>(
  schema: T,
  row: unknown,
  table: string,
  id: string | number,
): z.output<T> {
  const parsed = schema.safeParse(row);
  if (parsed.success) return parsed.data;
  throw new StoreError(
    'STORE_ROW_INVALID',
    { table, id: String(id), issues: issuesOf(parsed.error) },
    { cause: parsed.error },
  );
}

/** A JSON column as its schema makes it. Throws STORE_ROW_INVALID. */
export function parseColumn<T extends z.ZodType>(
  schema: T,
  text: string,
  table: string,
  id: string | number,
): z.output<T> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new StoreError(
      'STORE_ROW_INVALID',
      { table, id: String(id), issues: [messageOf(error)] },
      { cause: error },
    );
  }
  return parseRow(schema, value, table, id);
}
