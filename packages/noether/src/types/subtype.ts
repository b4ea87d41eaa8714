import { type Fields, type NType, fieldEntries, fieldType, isNullable } from './ntype.ts';
import { canonicalJson } from '../canonical.ts';
import { childTypes } from './children.ts';
import { show } from './show.ts';
import { valueMismatch } from './value.ts';

/** How subtyping treats what plain types leave open. */
export interface SubtypeOptions {
  /** The original table, its refined-union gap included; for conformance tests only. */
  readonly compat?: boolean;
  /** Decides an edge with a variable on a side; without it a variable fits everything. */
  readonly onVariable?: (sub: NType, sup: NType) => string | null;
  /** The type of a field an open record does not list; undefined when it has none. Without it nothing is known. */
  readonly restField?: (rest: string, field: string) => NType | undefined;
  /** Told what an open record's rest is: the fields of the record it met that it does not list. */
  readonly bindRest?: (rest: string, unlisted: NType) => string | null;
  /** A type in the words of a reason; as it is written where this is absent. */
  readonly words?: (type: NType) => string;
  /** Runs a check and takes back what it decided about variables when it fails. */
  readonly attempt?: (check: () => string | null) => string | null;
}

/** Why `sub` does not fit where `sup` is expected; null when it fits. */
export function mismatch(sub: NType, sup: NType, options: SubtypeOptions = {}): string | null {
  // In our table every type fits itself.
  if (sub === sup && options.compat !== true) return null;
  if (sub.kind === 'Var' || sup.kind === 'Var') return options.onVariable?.(sub, sup) ?? null;
  if (sub.kind === 'Any' || sup.kind === 'Any') return null;
  const early =
    options.compat === true ? compatRefined(sub, sup, options) : refinedOrUnion(sub, sup, options);
  return early === undefined ? structural(sub, sup, options) : early;
}

/** Whether `sub` fits where `sup` is expected. */
export function isSubtype(sub: NType, sup: NType, options: SubtypeOptions = {}): boolean {
  return mismatch(sub, sup, options) === null;
}

function unexpected(sub: NType, sup: NType, { words = show }: SubtypeOptions): string {
  return `expected ${words(sup)}, got ${words(sub)}`;
}

function uncovered(type: NType, { words = show }: SubtypeOptions): string {
  return `type ${words(type)} is not covered by the expected union`;
}

function sameRefinement(a: unknown, b: unknown): boolean {
  return canonicalJson(a) === canonicalJson(b);
}

/** Rows 3 to 5 of the original table. Undefined: no row matches. */
function compatRefined(sub: NType, sup: NType, options: SubtypeOptions): string | null | undefined {
  if (sub.kind === 'Refined' && sup.kind === 'Refined') {
    if (!sameRefinement(sub.value.refinement, sup.value.refinement)) return unexpected(sub, sup, options);
    return mismatch(sub.value.base, sup.value.base, options);
  }
  if (sub.kind === 'Refined') return mismatch(sub.value.base, sup, options);
  if (sup.kind === 'Refined') return unexpected(sub, sup, options);
  return undefined;
}

/** Ours: unions come first, so that a refined type fits a union that holds it, and known values fit wherever each of them lies. */
function refinedOrUnion(sub: NType, sup: NType, options: SubtypeOptions): string | null | undefined {
  if (sub.kind === 'Refined') {
    const { refinement, base } = sub.value;
    if (refinement.kind === 'OneOf' && !hasVariables(sup)) {
      if (refinement.options.every((option) => valueMismatch(option, sup) === null)) return null;
    }
    if (sup.kind === 'Refined') {
      if (!sameRefinement(refinement, sup.value.refinement)) return unexpected(sub, sup, options);
      return mismatch(base, sup.value.base, options);
    }
    if (sup.kind === 'Union') {
      const fits = sup.value.some(
        (variant) =>
          (variant.kind === 'Refined' || variant.kind === 'Union') && tried(sub, variant, options) === null,
      );
      if (fits) return null;
    }
    return mismatch(base, sup, options);
  }
  if (sup.kind === 'Refined' && sub.kind !== 'Union') return unexpected(sub, sup, options);
  return undefined;
}

function tried(sub: NType, sup: NType, options: SubtypeOptions): string | null {
  const check = (): string | null => mismatch(sub, sup, options);
  return options.attempt ? options.attempt(check) : check();
}

function structural(sub: NType, sup: NType, options: SubtypeOptions): string | null {
  if (sub.kind === 'List' && sup.kind === 'List')
    return within('List element', mismatch(sub.value, sup.value, options));
  if (sub.kind === 'Stream' && sup.kind === 'Stream')
    return within('Stream element', mismatch(sub.value, sup.value, options));
  if (sub.kind === 'Map' && sup.kind === 'Map') {
    return (
      within('map key type', mismatch(sub.value.key, sup.value.key, options)) ??
      within('map value type', mismatch(sub.value.value, sup.value.value, options))
    );
  }
  if (isRecord(sub) && isRecord(sup)) return recordMismatch(sub, sup, options);
  if (sub.kind === 'Union') return everyVariant(sub.value, sup, options);
  if (sup.kind === 'Union') {
    if (sup.value.some((variant) => tried(sub, variant, options) === null)) return null;
    return onlyRecordReason(sub, sup.value, options) ?? uncovered(sub, options);
  }
  return sub.kind === sup.kind && isPrimitive(sub) ? null : unexpected(sub, sup, options);
}

/** For a record against a union with a single record variant, the reason of that variant says more. Not part of the original table. */
function onlyRecordReason(sub: NType, variants: readonly NType[], options: SubtypeOptions): string | null {
  if (options.compat === true || !isRecord(sub)) return null;
  const records = variants.filter(isRecord);
  const [only] = records;
  return records.length === 1 && only ? tried(sub, only, options) : null;
}

function everyVariant(variants: readonly NType[], sup: NType, options: SubtypeOptions): string | null {
  const bad = variants.find((variant) => mismatch(variant, sup, options) !== null);
  return bad === undefined ? null : uncovered(bad, options);
}

type RecordType = Extract<NType, { kind: 'Record' | 'RecordWith' }>;

/** Whether a type is a record, closed or open. */
export function isRecord(type: NType): type is RecordType {
  return type.kind === 'Record' || type.kind === 'RecordWith';
}

/** The listed fields of a record type. */
export function fieldsOf(type: RecordType): Fields {
  return type.kind === 'Record' ? type.value : type.value.fields;
}

function recordMismatch(sub: RecordType, sup: RecordType, options: SubtypeOptions): string | null {
  for (const [name, expected] of fieldEntries(fieldsOf(sup))) {
    const actual =
      fieldType(fieldsOf(sub), name) ??
      (sub.kind === 'RecordWith' ? options.restField?.(sub.value.rest, name) : undefined);
    if (actual === undefined) {
      if (!isNullable(expected)) return `missing required field \`${name}\``;
      continue;
    }
    const reason = mismatch(actual, expected, options);
    if (reason !== null) return `field \`${name}\`: ${reason}`;
  }
  if (sup.kind !== 'RecordWith' || !options.bindRest) return null;
  return options.bindRest(sup.value.rest, without(sub, sup.value.fields));
}

/** A record type without the fields another lists. */
function without(type: RecordType, listed: Fields): RecordType {
  const left = Object.entries(fieldsOf(type)).filter(([name]) => !Object.hasOwn(listed, name));
  if (left.length === Object.keys(fieldsOf(type)).length) return type;
  const fields = Object.fromEntries(left);
  return type.kind === 'Record'
    ? { kind: 'Record', value: fields }
    : { kind: 'RecordWith', value: { fields, rest: type.value.rest } };
}

function isPrimitive(type: NType): boolean {
  return !('value' in type);
}

function within(place: string, reason: string | null): string | null {
  return reason === null ? null : `${place}: ${reason}`;
}

const withVariables = new WeakMap<NType, boolean>();

/** Whether a type mentions a variable or an open record anywhere. Types never change: each is looked at once. */
export function hasVariables(type: NType): boolean {
  if (!('value' in type)) return false;
  const known = withVariables.get(type);
  if (known !== undefined) return known;
  const found = type.kind === 'Var' || type.kind === 'RecordWith' || childTypes(type).some(hasVariables);
  withVariables.set(type, found);
  return found;
}
