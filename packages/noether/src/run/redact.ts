import { z } from 'zod';

import type { Json } from '../ports.ts';
import { isObject } from '../types/value.ts';
import { SecretTexts } from './secret-texts.ts';

/** Steps from a value to what a schema marks: field names, `[]` for every item of a list, `*` for every value of a map. */
export type MarkedPath = readonly string[];

/** What stands where a secret was. Shorter than any secret, so that hiding one can make no other. */
export const REDACTED = '***';

/** Hides the secrets of one run. */
export interface Redactor {
  /** The value with its secrets hidden: fields at marked paths, and known secrets in texts and keys. */
  (value: Json, marked: readonly MarkedPath[]): Json;
  /** Takes note of the texts at marked paths of a value that is not shown: no text shows them either. */
  readonly learn: (value: Json, marked: readonly MarkedPath[]) => void;
  /** The text with every known secret hidden. */
  readonly text: (text: string) => string;
  /** Whether a value holds a known secret anywhere. */
  readonly holds: (value: Json) => boolean;
}

/**
 * Makes the function that hides secrets of one run in values: every field at a marked path but null, and every occurrence of a secret
 * in texts and keys. Texts it hides by their mark it knows from then on, so that what a stage makes of a marked field is hidden too.
 * Secrets shorter than 6 characters are hidden by their mark alone. What is added to `secrets` later is hidden from then on.
 */
export function redactor(secrets: readonly string[]): Redactor {
  const known = new SecretTexts();
  const note = (text: string): void => known.add(text);
  let noted = 0;
  const keepUp = (): void => {
    for (const secret of secrets.slice(noted)) note(secret);
    noted = secrets.length;
  };
  keepUp();
  const unlessTooDeep = <T>(work: () => T, otherwise: T): T => {
    try {
      return work();
    } catch (error) {
      // Nested deeper than the stack: what cannot be looked through is not shown.
      if (error instanceof RangeError) return otherwise;
      throw error;
    }
  };
  const redact = (value: Json, marked: readonly MarkedPath[]): Json =>
    unlessTooDeep(() => {
      keepUp();
      const visible = marked.length === 0 ? value : hide(value, marked, note);
      return known.size === 0 ? visible : scrub(visible, known);
    }, REDACTED);
  return Object.assign(redact, {
    learn: (value: Json, marked: readonly MarkedPath[]): void => {
      if (marked.length > 0) unlessTooDeep<unknown>(() => hide(value, marked, note), null);
    },
    text: (text: string): string => {
      keepUp();
      return scrubText(text, known);
    },
    holds: (value: Json): boolean => {
      keepUp();
      return known.size > 0 && unlessTooDeep(() => holdsAny(value, known), true);
    },
  });
}

/** A text with every occurrence of a secret of at least 6 characters hidden, as it is or as JSON, addresses and Base64 spell it. */
export function redactText(text: string, secrets: readonly string[]): string {
  const known = new SecretTexts();
  for (const secret of secrets) known.add(secret);
  return scrubText(text, known);
}

/** Hides until nothing is left to hide: each round makes the text shorter. */
function scrubText(text: string, secrets: SecretTexts): string {
  let scrubbed = text;
  for (;;) {
    const ranges = secrets.in(scrubbed);
    if (ranges.length === 0) return scrubbed;
    let from = 0;
    let rest = '';
    for (const [start, end] of ranges) {
      // Secrets that overlap are hidden as one.
      if (start >= from) rest += `${scrubbed.slice(from, start)}${REDACTED}`;
      from = Math.max(from, end);
    }
    scrubbed = rest + scrubbed.slice(from);
  }
}

function holdsAny(value: Json, secrets: SecretTexts): boolean {
  if (typeof value === 'string') return secrets.within(value);
  if (typeof value === 'number') return secrets.has(String(value));
  if (Array.isArray(value)) return value.some((item) => holdsAny(item as Json, secrets));
  if (!isObject(value)) return false;
  return Object.entries(value).some(([key, item]) => holdsAny(key, secrets) || holdsAny(item, secrets));
}

function scrub(value: Json, secrets: SecretTexts): Json {
  if (typeof value === 'string') return scrubText(value, secrets);
  if (typeof value === 'number') return secrets.has(String(value)) ? REDACTED : value;
  if (Array.isArray(value)) return value.map((item) => scrub(item as Json, secrets));
  if (!isObject(value)) return value;
  const entries = new Map<string, Json>();
  for (const [key, item] of Object.entries(value))
    entries.set(freeKey(scrubText(key, secrets), entries), scrub(item, secrets));
  return Object.fromEntries(entries);
}

/** Two keys that became one stay two. */
function freeKey(key: string, taken: ReadonlyMap<string, unknown>): string {
  let free = key;
  for (let n = 2; taken.has(free); n += 1) free = `${key}${n}`;
  return free;
}

function hide(value: Json, marked: readonly MarkedPath[], learn: (text: string) => void): Json {
  if (value === null || marked.length === 0) return value;
  if (marked.some((path) => path.length === 0)) {
    learnAll(value, learn);
    return REDACTED;
  }
  if (Array.isArray(value)) {
    const below = stepInto(marked, ['[]']);
    return value.map((item) => hide(item as Json, below, learn));
  }
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, hide(item, stepInto(marked, [key, '*']), learn)]),
  );
}

/** What is marked below a step. Names are compared without their case, as those of headers are. */
function stepInto(marked: readonly MarkedPath[], steps: readonly string[]): readonly MarkedPath[] {
  const taken = steps.map((step) => step.toLowerCase());
  return marked.flatMap(([first, ...rest]) =>
    first !== undefined && taken.includes(first.toLowerCase()) ? [rest] : [],
  );
}

function learnAll(value: Json, learn: (text: string) => void): void {
  if (typeof value === 'string') learn(value);
  else if (typeof value === 'number') learn(String(value));
  else if (Array.isArray(value)) for (const item of value) learnAll(item as Json, learn);
  else if (isObject(value)) for (const item of Object.values(value)) learnAll(item, learn);
}

const paths = new WeakMap<z.core.$ZodType, readonly MarkedPath[]>();

/**
 * The places a schema marks with `.meta({ secret: true })`. A schema that holds itself and a mark is hidden whole where it
 * meets itself again, as no list of paths could name every place below.
 */
export function markedPaths(schema: z.ZodType): readonly MarkedPath[] {
  const known = paths.get(schema);
  if (known !== undefined) return known;
  const found = new Map(below(schema, [], []).map((path) => [JSON.stringify(path), path]));
  const marked = [...found.values()];
  paths.set(schema, marked);
  return marked;
}

function isMarked(schema: z.core.$ZodType): boolean {
  return z.globalRegistry.get(schema)?.['secret'] === true;
}

type Child = readonly [step: string | null, schema: z.core.$ZodType];

function below(
  schema: z.core.$ZodType,
  path: MarkedPath,
  open: readonly z.core.$ZodType[],
): readonly MarkedPath[] {
  if (isMarked(schema)) return [path];
  if (open.includes(schema)) return holdsMark(schema, new Set()) ? [path] : [];
  const inside = [...open, schema];
  return childrenOf(schema).flatMap(([step, child]) =>
    below(child, step === null ? path : [...path, step], inside),
  );
}

function holdsMark(schema: z.core.$ZodType, seen: Set<z.core.$ZodType>): boolean {
  if (seen.has(schema)) return false;
  seen.add(schema);
  return isMarked(schema) || childrenOf(schema).some(([, child]) => holdsMark(child, seen));
}

/** The schemas a schema is made of, each with the step into the value it describes; null for the same value. */
function childrenOf(schema: z.core.$ZodType): readonly Child[] {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  switch (def.type) {
    case 'object': {
      const fields = Object.entries(def.shape).map(([name, field]): Child => [name, field]);
      return def.catchall ? [...fields, ['*', def.catchall]] : fields;
    }
    case 'array':
      return [['[]', def.element]];
    case 'tuple':
      return [...def.items, ...(def.rest ? [def.rest] : [])].map((item): Child => ['[]', item]);
    case 'record':
      return [['*', def.valueType]];
    case 'union':
      return def.options.map((option): Child => [null, option]);
    case 'intersection':
      return [
        [null, def.left],
        [null, def.right],
      ];
    case 'lazy':
      return [[null, def.getter()]];
    case 'pipe':
      return [
        [null, def.in],
        [null, def.out],
      ];
    case 'optional':
    case 'nullable':
    case 'default':
    case 'prefault':
    case 'nonoptional':
    case 'readonly':
    case 'catch':
      return [[null, def.innerType]];
    default:
      return [];
  }
}
