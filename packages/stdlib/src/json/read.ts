import { findJsonFault, type Json } from '@caloron/noether/stage';

import { StdlibError } from '../errors.ts';

/** Deepest nesting read: far beyond real documents, far below what a stack holds. */
export const MAX_DEPTH = 512;

/** Half of a character that UTF-16 writes in two units. */
const UNPAIRED = /\p{Surrogate}/u;

/** The value of a JSON text. Throws STDLIB_JSON_INVALID, also for what parses but is no value graphs carry. */
export function readJson(text: string): Json {
  const deep = findDeep(text);
  if (deep !== null) throw fault(text, deep, `at most ${MAX_DEPTH} levels of nesting`);
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch (cause) {
    const { line, column, expected } = findJsonFault(text) ?? { line: 1, column: 1, expected: 'a value' };
    throw new StdlibError('STDLIB_JSON_INVALID', { line, column, expected }, { cause });
  }
  if (!isCarried(value)) {
    const { at, expected } = findUncarried(text);
    throw fault(text, at, expected);
  }
  return value;
}

function fault(text: string, at: number, expected: string): StdlibError<'STDLIB_JSON_INVALID'> {
  const before = text.slice(0, at).split('\n');
  const column = (before.at(-1) ?? '').length + 1;
  return new StdlibError('STDLIB_JSON_INVALID', { line: before.length, column, expected });
}

/** Where a text nests too deeply; null when it does not. */
function findDeep(text: string): number | null {
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charAt(at);
    if (unit === '"') at = endOfString(text, at);
    else if (unit === '[' || unit === '{') {
      depth += 1;
      if (depth > MAX_DEPTH) return at;
    } else if (unit === ']' || unit === '}') depth -= 1;
  }
  return null;
}

/** The closing quote of a string, or the end of a text that has none. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at += 1) {
    const unit = text.charAt(at);
    if (unit === '\\') at += 1;
    else if (unit === '"') return at;
  }
  return text.length;
}

/** Whether every number is finite and every text whole: JSON's grammar allows more than its values can say. */
function isCarried(value: Json): boolean {
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value === 'string') return !UNPAIRED.test(value);
  if (value === null || typeof value === 'boolean') return true;
  if (Array.isArray(value)) return value.every((item) => isCarried(item as Json));
  return Object.entries(value).every(([key, item]) => !UNPAIRED.test(key) && isCarried(item));
}

/** Where the first such number or text stands in a text that is JSON. */
function findUncarried(text: string): { readonly at: number; readonly expected: string } {
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charAt(at);
    if (unit === '"') {
      const end = endOfString(text, at);
      if (UNPAIRED.test(String(JSON.parse(text.slice(at, end + 1)))))
        return { at, expected: 'a text without unpaired surrogates' };
      at = end;
    } else if (/[-\d]/u.test(unit)) {
      const number = /^[-+.\deE]+/u.exec(text.slice(at, at + 400))?.[0] ?? unit;
      if (!Number.isFinite(Number(number))) return { at, expected: 'a number below 1.8e308' };
      at += number.length - 1;
    }
  }
  return { at: 0, expected: 'a value' };
}
