import type { Json } from '../ports.ts';
import { isObject, jsonKind } from '../types/json-kind.ts';
import type { NType } from '../types/ntype.ts';
import { readType } from '../types/read.ts';
import type { GraphIssue } from './errors.ts';
import type { DuplicateKey } from './json-position.ts';
import { childPath } from './walk.ts';

/** Most characters of a value an issue shows. */
const MAX_SHOWN = 80;

/** A JSON object being read. */
export type Fields = { readonly [key: string]: Json };

/** Keys that objects of the text have twice. */
export type Duplicates = ReadonlyMap<object, readonly DuplicateKey[]>;

/** Collects issues while fields are read; a bad field gives a stand-in, so that reading goes on. */
export class Reader {
  readonly issues: GraphIssue[];
  readonly #duplicates: Duplicates;

  constructor(issues: GraphIssue[], duplicates: Duplicates) {
    this.issues = issues;
    this.#duplicates = duplicates;
  }

  issue(path: string, message: string): void {
    this.issues.push({ path, message });
  }

  required(at: Fields, path: string, key: string): Json | undefined {
    if (Object.hasOwn(at, key)) return at[key];
    this.issue(path, `missing field \`${key}\``);
    return undefined;
  }

  wrong(path: string, expected: string, value: Json): void {
    this.issue(path, `expected ${expected}, got ${jsonKind(value)}`);
  }

  text(at: Fields, path: string, key: string): string {
    const value = this.required(at, path, key);
    if (typeof value === 'string') return value;
    if (value !== undefined) this.wrong(childPath(path, key), 'a string', value);
    return '';
  }

  /** A text that says something. */
  word(at: Fields, path: string, key: string): string {
    const value = this.text(at, path, key);
    if (value === '' && at[key] === '')
      this.issue(childPath(path, key), 'expected a word, got an empty string');
    return value;
  }

  oneOf<T extends string>(at: Fields, path: string, key: string, words: readonly T[], fallback: T): T {
    const value = at[key];
    if (value === undefined) return fallback;
    const found = words.find((word) => word === value);
    if (found !== undefined) return found;
    const known = words.map((word) => `\`${word}\``).join(' or ');
    this.issue(childPath(path, key), `unknown variant \`${shownWord(value)}\`, expected ${known}`);
    return fallback;
  }

  integer(
    at: Fields,
    path: string,
    key: string,
    range: readonly [number, number],
    fallback?: number,
  ): number {
    const value = fallback === undefined ? this.required(at, path, key) : (at[key] ?? fallback);
    const [min, max] = range;
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max)
      return value + 0;
    if (value !== undefined)
      this.issue(
        childPath(path, key),
        `expected a whole number from ${min} to ${max}, got ${shortly(JSON.stringify(value))}`,
      );
    return min;
  }

  optionalNumber(at: Fields, path: string, key: string, min: number, whole: boolean): number | null {
    const value = at[key] ?? null;
    if (value === null) return null;
    if (typeof value === 'number' && value >= min && (!whole || Number.isInteger(value))) return value + 0;
    this.issue(
      childPath(path, key),
      `expected ${whole ? 'a whole number' : 'a number'} of at least ${min}, got ${shortly(JSON.stringify(value))}`,
    );
    return null;
  }

  /** The items of a required array, each read with its place. */
  list<T>(at: Fields, path: string, key: string, read: (value: Json, path: string) => T): readonly T[] {
    const value = this.required(at, path, key);
    if (value === undefined) return [];
    const place = childPath(path, key);
    if (Array.isArray(value)) return value.map((item, i) => read(item as Json, `${place}[${i}]`));
    this.wrong(place, 'an array', value);
    return [];
  }

  /** The members of a required object in byte order of their names, each read with its place. */
  map<T>(
    at: Fields,
    path: string,
    key: string,
    read: (value: Json, path: string) => T,
  ): ReadonlyMap<string, T> {
    const value = this.required(at, path, key);
    if (value === undefined) return new Map();
    const place = childPath(path, key);
    if (isObject(value)) {
      return new Map(
        Object.entries(value)
          .toSorted(([a], [b]) => byBytes(a, b))
          .map(([name, item]) => [name, read(item, childPath(place, name))]),
      );
    }
    this.wrong(place, 'an object', value);
    return new Map();
  }

  type(at: Fields, path: string, key: string): NType {
    const value = this.required(at, path, key);
    if (value === undefined) return { kind: 'Any' };
    return readType(value, [], (steps, message) => {
      const place = steps.reduce<string>(stepPath, childPath(path, key));
      this.issue(place, message);
    });
  }

  /** Tells of the keys an object of the text has twice: the one that counts could be the one that was not meant. */
  once(value: object, path: string): void {
    for (const { key, line, column } of this.#duplicates.get(value) ?? [])
      this.issue(path, `duplicate field \`${shortly(key)}\` at line ${line}, column ${column}`);
  }
}

function stepPath(path: string, step: string | number): string {
  return typeof step === 'number' ? `${path}[${step}]` : childPath(path, step);
}

/** Order of names by their UTF-8 bytes, which is the order of code points. */
function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** A value as an error shows it where a word was expected. */
export function wordOf(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** {@link wordOf}, of readable length. */
export function shownWord(value: Json): string {
  return shortly(wordOf(value));
}

function shortly(text: string): string {
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}
