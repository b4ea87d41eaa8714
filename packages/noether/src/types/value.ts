import { canonicalJson } from '../canonical.ts';
import type { Json } from '../ports.ts';
import { isObject, jsonKind } from './json-kind.ts';
import { type NType, type Refinement, fieldEntries, isNullable } from './ntype.ts';
import { childTypes, mapChildren } from './children.ts';
import { nearest } from './nearest.ts';
import { show, showRefinement } from './show.ts';
import { union } from './union.ts';

export { isObject, jsonKind } from './json-kind.ts';

/** Where and why a value does not have a type. */
export interface ValueProblem {
  /** Dotted place inside the value; empty for the value itself. */
  readonly path: string;
  readonly expected: string;
  readonly actual: string;
  /** The field of the value that was probably meant, where one is missing. */
  readonly nearest?: string;
}

/** A type as messages show it: literals as their plain types, long displays cut. */
export function display(type: NType, limit = 400): string {
  const text = show(widen(type));
  return text.length > limit ? `${text.slice(0, limit)}…` : text;
}

const widened = new WeakMap<NType, NType>();

/** The type with every single-value refinement replaced by its base. */
export function widen(type: NType): NType {
  if (!('value' in type)) return type;
  const known = widened.get(type);
  if (known) return known;
  const wide = widenParts(type);
  widened.set(type, wide);
  return wide;
}

function widenParts(type: NType): NType {
  if (type.kind === 'Refined') {
    const { base, refinement } = type.value;
    return refinement.kind === 'OneOf' && refinement.options.length === 1 ? widen(base) : type;
  }
  // What holds no literal stays as it was stored: the order of a union's variants is part of how it is shown.
  if (childTypes(type).every((child) => widen(child) === child)) return type;
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
        ? first(value, (item, i) => valueMismatch(item as Json, type.value, join(path, `[${i}]`)))
        : wrong();
    case 'Map':
      return isObject(value)
        ? first(
            Object.entries(value),
            ([key, item]) =>
              keyMismatch(key, type.value.key, join(path, key)) ??
              valueMismatch(item, type.value.value, join(path, key)),
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

/**
 * The first refinement of a type that a value breaks, at any depth, outermost first: `(Range(0..)) at `a[2]`: reason`; null
 * when all hold. Where the value has another shape than the type, nothing is said: that is for others to check.
 */
export function brokenRefinement(value: Json, type: NType): string | null {
  const broken = brokenAt(value, type, '');
  if (broken === null) return null;
  const { refinement, path, reason } = broken;
  return `(${showRefinement(refinement)})${path === '' ? '' : ` at \`${path}\``}: ${reason}`;
}

interface Broken {
  readonly refinement: Refinement;
  readonly path: string;
  readonly reason: string;
}

function brokenAt(value: Json, type: NType, path: string): Broken | null {
  if (!holdsRefinement(type)) return null;
  switch (type.kind) {
    case 'Refined': {
      const { base, refinement } = type.value;
      const reason = refinementProblem(value, refinement);
      return reason === null ? brokenAt(value, base, path) : { refinement, path, reason };
    }
    case 'List':
    case 'Stream':
      return Array.isArray(value)
        ? first(value, (item, i) => brokenAt(item as Json, type.value, join(path, `[${i}]`)))
        : null;
    case 'Map':
      return isObject(value)
        ? first(
            Object.entries(value),
            ([key, item]) =>
              brokenAt(key, type.value.key, join(path, key)) ??
              brokenAt(item, type.value.value, join(path, key)),
          )
        : null;
    case 'Record':
    case 'RecordWith': {
      const fields = type.kind === 'Record' ? type.value : type.value.fields;
      return isObject(value)
        ? first(Object.entries(fields), ([name, field]) =>
            Object.hasOwn(value, name) ? brokenAt(value[name] ?? null, field, join(path, name)) : null,
          )
        : null;
    }
    case 'Union':
      return brokenUnion(value, type.value, path);
    case 'Any':
    case 'Bool':
    case 'Bytes':
    case 'Null':
    case 'Number':
    case 'Text':
    case 'VNode':
    case 'Var':
      return null;
  }
}

/** Of the variants the value has the shape of one has to hold whole. */
function brokenUnion(value: Json, variants: readonly NType[], path: string): Broken | null {
  const shaped = variants.filter((variant) => valueMismatch(value, unrefined(variant)) === null);
  const found = shaped.map((variant) => brokenAt(value, variant, path));
  return found.includes(null) ? null : (found[0] ?? null);
}

const refined = new WeakMap<NType, boolean>();

/** Whether a type has a refinement anywhere. Types never change: each is looked at once. */
function holdsRefinement(type: NType): boolean {
  const known = refined.get(type);
  if (known !== undefined) return known;
  const holds = type.kind === 'Refined' || childTypes(type).some(holdsRefinement);
  refined.set(type, holds);
  return holds;
}

const bare = new WeakMap<NType, NType>();

function unrefined(type: NType): NType {
  const known = bare.get(type);
  if (known) return known;
  const without = type.kind === 'Refined' ? unrefined(type.value.base) : mapChildren(type, unrefined);
  bare.set(type, without);
  return without;
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
      const { options } = refinement;
      return isOneOf(value, options)
        ? null
        : `value ${JSON.stringify(value)} is not one of the allowed options`;
    }
    case 'NonEmpty': {
      if (typeof value === 'string') return value === '' ? 'string is empty' : null;
      if (Array.isArray(value)) return value.length === 0 ? 'array is empty' : null;
      if (isObject(value)) return Object.keys(value).length === 0 ? 'object is empty' : null;
      return `NonEmpty expects a string / array / object, got ${jsonKind(value)}`;
    }
  }
}

function isOneOf(value: Json, options: readonly Json[]): boolean {
  if (typeof value !== 'object' || value === null) return options.includes(value);
  const text = canonicalJson(value);
  return options.some((option) => canonicalJson(option) === text);
}

function recordMismatch(
  value: { readonly [key: string]: Json },
  fields: { readonly [field: string]: NType },
  path: string,
): ValueProblem | null {
  return first(fieldEntries(fields), ([name, type]) => {
    const at = join(path, name);
    if (Object.hasOwn(value, name)) return valueMismatch(value[name] ?? null, type, at);
    if (isNullable(type)) return null;
    const close = nearestField(name, type, value, fields);
    return {
      path: at,
      expected: display(type),
      actual: 'nothing',
      ...(close !== null && { nearest: close }),
    };
  });
}

/** The field of a value that was probably meant by a missing one: of a near name, else the only spare one whose value fits. */
function nearestField(
  name: string,
  type: NType,
  value: { readonly [key: string]: Json },
  fields: { readonly [field: string]: NType },
): string | null {
  const spare = Object.keys(value).filter((key) => !Object.hasOwn(fields, key));
  const [close] = nearest(name, spare);
  if (close !== undefined) return close;
  const [only, ...others] = spare.filter((key) => valueMismatch(value[key] ?? null, type) === null);
  return others.length === 0 ? (only ?? null) : null;
}

/** Keys are texts: only what a refinement asks of them can be wrong. */
function keyMismatch(key: string, type: NType, path: string): ValueProblem | null {
  const wrong = holdsRefinement(type) || type.kind === 'Union' ? valueMismatch(key, type) : null;
  return wrong && { ...wrong, path };
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

function first<T, R>(items: readonly T[], check: (item: T, i: number) => R | null): R | null {
  for (const [i, item] of items.entries()) {
    const found = check(item, i);
    if (found !== null) return found;
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
