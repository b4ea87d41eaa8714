import { canonicalJson, type Json } from '@caloron/noether';
import { messageOf } from '@caloron/noether/errors';
import type { z } from 'zod';

import { issuesOf, StoreError } from './errors.ts';

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

/** `value` itself once its schema has proved it: zod would drop a member called `__proto__`. Throws STORE_VALUE_INVALID with key, path and expectation. */
export function provenValue<T>(schema: z.ZodType<T>, value: unknown, key: string): T {
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
