import { canonicalJson } from '../canonical.ts';
import type { Json } from '../ports.ts';
import {
  type NType,
  type Refinement,
  BOOL,
  NULL,
  NUMBER,
  TEXT,
  fieldEntries,
  isNullable,
  list,
  oneOf,
  record,
} from './ntype.ts';
import { mapChildren } from './children.ts';
import { show, showRefinement } from './show.ts';
import { union } from './union.ts';

/** Where and why a value does not have a type. */
export interface ValueProblem {
  /** Dotted place inside the value; empty for the value itself. */
  readonly path: string;
  readonly expected: string;
  readonly actual: string;
}

/** Whether a JSON value is an object: neither null nor an array. */
export function isObject(value: unknown): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The kind of a JSON value in words: null, boolean, number, string, array, object. */
export function jsonKind(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

/** The type of one known value: exact, so that it fits enums, ranges and maps it lies in. */
export function literalType(value: Json): NType {
  if (value === null) return NULL;
  return oneOf(valueType(value), [value]);
}

function valueType(value: Exclude<Json, null>): NType {
  if (typeof value === 'boolean') return BOOL;
  if (typeof value === 'number') return NUMBER;
  if (typeof value === 'string') return TEXT;
  if (Array.isArray(value)) return list(value.length === 0 ? { kind: 'Any' } : union(value.map(literalType)));
  return record(
    Object.fromEntries(Object.entries(value).map(([key, item]) => [key, literalType(item as Json)])),
  );
}

/** A type as messages show it: literals as their plain types, long displays cut. */
export function display(type: NType, limit = 400): string {
  const text = show(widen(type));
  return text.length > limit ? `${text.slice(0, limit)}…` : text;
}

/** The type with every single-value refinement replaced by its base. */
export function widen(type: NType): NType {
  if (type.kind === 'Refined') {
    const { base, refinement } = type.value;
    return refinement.kind === 'OneOf' && refinement.options.length === 1 ? widen(base) : type;
  }
  const inner = mapChildren(type, widen);
  return inner.kind === 'Union' ? union(inner.value) : inner;
}

/** Why a value does not have a type; null when it has. Nested refinements are checked too. */
export function valueMismatch(value: Json, type: NType, path = ''): ValueProblem | null {
  const wrong = (): ValueProblem => ({ path, expected: display(type), actual: describe(value) });
  switch (type.kind) {
    case 'Any':
    case 'Var':
      return null;
    case 'Null':
      return value === null ? null : wrong();
    case 'Bool':
      return typeof value === 'boolean' ? null : wrong();
    case 'Number':
      return typeof value === 'number' ? null : wrong();
    case 'Text':
    case 'Bytes':
      return typeof value === 'string' ? null : wrong();
    case 'VNode':
      return isObject(value) ? null : wrong();
    case 'List':
    case 'Stream':
      return Array.isArray(value)
        ? firstOf(value.map((item, i) => () => valueMismatch(item as Json, type.value, join(path, `[${i}]`))))
        : wrong();
    case 'Map':
      return isObject(value)
        ? firstOf(
            Object.entries(value).map(
              ([key, item]) =>
                () =>
                  valueMismatch(item, type.value.value, join(path, key)),
            ),
          )
        : wrong();
    case 'Record':
      return isObject(value) ? recordMismatch(value, type.value, path) : wrong();
    case 'RecordWith':
      return isObject(value) ? recordMismatch(value, type.value.fields, path) : wrong();
    case 'Union':
      return unionMismatch(value, type.value, path);
    case 'Refined': {
      const below = valueMismatch(value, type.value.base, path);
      if (below !== null) return below;
      const reason = refinementProblem(value, type.value.refinement);
      return reason === null
        ? null
        : { path, expected: showRefinement(type.value.refinement), actual: describe(value) };
    }
  }
}

/** The first refinement around a type that a value breaks, outermost first, with the reason; null when all hold. */
export function brokenRefinement(value: Json, type: NType): string | null {
  if (type.kind !== 'Refined') return null;
  const { base, refinement } = type.value;
  const reason = refinementProblem(value, refinement);
  return reason === null ? brokenRefinement(value, base) : `(${showRefinement(refinement)}): ${reason}`;
}

/** Why a value breaks a refinement; null when it holds. */
export function refinementProblem(value: Json, refinement: Refinement): string | null {
  switch (refinement.kind) {
    case 'Range': {
      if (typeof value !== 'number') return `Range requires a Number, got ${jsonKind(value)}`;
      if (refinement.min !== undefined && value < refinement.min)
        return `value ${value} below minimum ${refinement.min}`;
      if (refinement.max !== undefined && value > refinement.max)
        return `value ${value} above maximum ${refinement.max}`;
      return null;
    }
    case 'OneOf': {
      const text = canonicalJson(value);
      const found = refinement.options.some((option) => canonicalJson(option) === text);
      return found ? null : `value ${JSON.stringify(value)} is not one of the allowed options`;
    }
    case 'NonEmpty': {
      if (typeof value === 'string') return value === '' ? 'string is empty' : null;
      if (Array.isArray(value)) return value.length === 0 ? 'array is empty' : null;
      if (isObject(value)) return Object.keys(value).length === 0 ? 'object is empty' : null;
      return `NonEmpty expects a string / array / object, got ${jsonKind(value)}`;
    }
  }
}

function recordMismatch(
  value: { readonly [key: string]: Json },
  fields: { readonly [field: string]: NType },
  path: string,
): ValueProblem | null {
  return firstOf(
    fieldEntries(fields).map(([name, type]) => () => {
      const at = join(path, name);
      if (Object.hasOwn(value, name)) return valueMismatch(value[name] ?? null, type, at);
      return isNullable(type) ? null : { path: at, expected: display(type), actual: 'nothing' };
    }),
  );
}

/** The mismatch of the only variant of the value's kind says more than that of the whole union. */
function unionMismatch(value: Json, variants: readonly NType[], path: string): ValueProblem | null {
  const found = variants.map((variant) => valueMismatch(value, variant, path));
  if (found.includes(null)) return null;
  const deeper = found.filter((problem) => problem !== null && problem.path !== path);
  const [only] = deeper;
  if (deeper.length === 1 && only) return only;
  return { path, expected: display({ kind: 'Union', value: variants }), actual: describe(value) };
}

function firstOf(checks: readonly (() => ValueProblem | null)[]): ValueProblem | null {
  for (const check of checks) {
    const problem = check();
    if (problem !== null) return problem;
  }
  return null;
}

function join(path: string, step: string): string {
  return path === '' || step.startsWith('[') ? `${path}${step}` : `${path}.${step}`;
}

/** A value in a few words; never long, never a nested secret. */
function describe(value: Json): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'number') return String(value);
  if (typeof value === 'string')
    return value.length <= 40
      ? `the string ${JSON.stringify(value)}`
      : `a string of ${value.length} characters`;
  return Array.isArray(value) ? `an array of ${value.length}` : 'an object';
}
