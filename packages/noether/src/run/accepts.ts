import type { z } from 'zod';

import type { Json } from '../ports.ts';
import { isSettled, own, settledRecord } from './settle.ts';

type Schema = z.core.$ZodType;
type Def = z.core.$ZodTypes['_zod']['def'];

/** What a schema makes of a settled value; undefined where zod has to say it. */
type Take = (value: Json) => Json | undefined;

/** Exactly as zod takes a value, or as a stage's input is fitted first. */
type Mode = 'exact' | 'fitted';

const takes = { exact: new WeakMap<Schema, Take>(), fitted: new WeakMap<Schema, Take>() };

/**
 * What a schema makes of a value, where it is made of the same parts: the value itself, or the value without the fields
 * that the schema drops. Undefined says nothing: zod then has the word. What was found of an immutable value is remembered
 * with the schema, so that the parts of a large value that a stage hands on are looked at once.
 */
export function takenBy(schema: Schema, value: Json): Json | undefined {
  return takeOf(schema, 'exact')(value);
}

/** {@link takenBy} of a value that is fitted where the schema refuses it as it is: see `fitInput`, whose rules these are. */
export function takenFitted(schema: Schema, value: Json): Json | undefined {
  return takeOf(schema, 'fitted')(value);
}

function takeOf(schema: Schema, mode: Mode): Take {
  const known = takes[mode].get(schema);
  if (known) return known;
  // A schema may hold itself: what it makes of a value is then asked for when there is one.
  takes[mode].set(schema, (value) => take(value));
  const take = remembering(takeFor(schema, mode));
  takes[mode].set(schema, take);
  return take;
}

function remembering(take: Take): Take {
  const taken = new WeakMap<object, Json>();
  return (value) => {
    if (typeof value !== 'object' || value === null) return take(value);
    const known = taken.get(value);
    if (known !== undefined) return known;
    const made = take(value);
    if (made !== undefined && isSettled(value)) taken.set(value, made);
    return made;
  };
}

const unsure: Take = () => undefined;

function takeFor(schema: Schema, mode: Mode): Take {
  const def = defOf(schema);
  const whole: Take = isSame(schema)
    ? (value) => ((schema as z.ZodType).safeParse(value).success ? value : undefined)
    : unsure;
  if (hasChecks(def)) return whole;
  switch (def.type) {
    case 'any':
    case 'unknown':
      return (value) => value;
    case 'string':
      return 'format' in def ? whole : (value) => (typeof value === 'string' ? value : undefined);
    case 'boolean':
      return (value) => (typeof value === 'boolean' ? value : undefined);
    case 'nullable': {
      const inner = takeOf(def.innerType, mode);
      return (value) => (value === null ? value : inner(value));
    }
    case 'optional':
    case 'readonly':
      return takeOf(def.innerType, mode);
    case 'lazy':
      // Its getter may make a new schema each time it is asked: what zod keeps of it is taken.
      return (value) => takeOf((schema as z.core.$ZodLazy)._zod.innerType, mode)(value);
    case 'array':
      return itemsTake(takeOf(def.element, mode));
    case 'object':
      return objectTake(def, whole, mode);
    case 'record':
      return entriesTake(def, mode);
    case 'union':
      return unionTake(def);
    default:
      return whole;
  }
}

function itemsTake(element: Take): Take {
  return (value) => {
    if (!Array.isArray(value)) return undefined;
    const items: Json[] = [];
    let isSameList = true;
    for (const item of value as readonly Json[]) {
      const made = element(item);
      if (made === undefined) return undefined;
      isSameList &&= made === item;
      items.push(made);
    }
    return isSameList ? value : own(items);
  };
}

function objectTake(def: z.core.$ZodObjectDef, whole: Take, mode: Mode): Take {
  const rest = def.catchall && defOf(def.catchall).type;
  if (rest !== undefined && rest !== 'never' && rest !== 'unknown') return unsure;
  const byField = fieldsTake(def, rest === 'unknown', mode);
  // zod compiles the check of an object: faster than field by field where no field holds parts of its own.
  if (!isStrict(def) || !Object.values(def.shape).every(isLeaf)) return byField;
  return mode === 'exact'
    ? whole
    : (value) => (isExact(def, value) ? whole(value) : undefined) ?? byField(value);
}

/** Whether a value has just the fields of an object schema. */
function isExact(def: z.core.$ZodObjectDef, value: Json): boolean {
  return isFields(value) && Object.keys(value).every((name) => Object.hasOwn(def.shape, name));
}

function fieldsTake(def: z.core.$ZodObjectDef, isLoose: boolean, mode: Mode): Take {
  const fields = new Map(
    Object.entries(def.shape).map(([name, field]) => [name, fieldTake(field, takeOf(field, mode), mode)]),
  );
  const needed = Object.entries(def.shape).filter(([, field]) => defOf(field).type !== 'optional');
  // Fields the schema does not know: kept by a loose one, dropped by a plain one, refused by a strict one unless fitted.
  const other = isLoose ? same : isStrict(def) && mode === 'exact' ? unsure : null;
  return (value) => {
    if (!isFields(value)) return undefined;
    const missing = needed.filter(([name]) => !Object.hasOwn(value, name));
    if (
      missing.length > 0 &&
      (mode === 'exact' ||
        !missing.every(([name, field]) => isAbsentNull(field) && fields.get(name)?.(null) === null))
    )
      return undefined;
    const taken = entriesOf(value, (name) => {
      // zod drops this one key.
      if (name === '__proto__') return unsure;
      const take = fields.get(name);
      return take === undefined ? other : take;
    });
    if (missing.length === 0 || taken === undefined) return taken;
    return settledRecord([
      ...Object.entries(taken as object),
      ...missing.map(([name]) => [name, null] as const),
    ]);
  };
}

const same: Take = (value) => value;

/** A field's take; a fitted field is left out where it is null and the schema knows only absence. */
function fieldTake(field: Schema, take: Take, mode: Mode): Take {
  if (mode === 'exact') return take;
  return (value) => {
    const made = take(value);
    return made === undefined && value === null && isNullAbsent(field) ? ABSENT : made;
  };
}

/** Stands for a field that is left out. */
const ABSENT: Json = Object.freeze({});

function isNullAbsent(field: Schema): boolean {
  return !takesValue(field, null) && takesValue(field, undefined);
}

function isAbsentNull(field: Schema): boolean {
  return !takesValue(field, undefined) && takesValue(field, null);
}

function takesValue(schema: Schema, value: unknown): boolean {
  return (schema as z.ZodType).safeParse(value).success;
}

function entriesTake(def: z.core.$ZodRecordDef, mode: Mode): Take {
  if (defOf(def.keyType).type !== 'string') return unsure;
  const key = takeOf(def.keyType, 'exact');
  const item = takeOf(def.valueType, mode);
  return (value) =>
    isFields(value)
      ? entriesOf(value, (name) => (name === '__proto__' || key(name) === undefined ? unsure : item))
      : undefined;
}

/** The object with each field as its take makes it; a field with null for a take is left out. No take knows `__proto__`. */
function entriesOf(
  value: { readonly [key: string]: Json },
  takeOfField: (name: string) => Take | null,
): Json | undefined {
  const made: { [key: string]: Json } = {};
  let isSameObject = true;
  for (const name of Object.keys(value)) {
    const field = value[name] ?? null;
    const take = takeOfField(name);
    const item = take === null ? ABSENT : take(field);
    if (item === undefined) return undefined;
    isSameObject &&= item === field;
    if (item !== ABSENT) made[name] = item;
  }
  return isSameObject ? value : own(made);
}

/** The first variant that takes the value is the one. */
function unionTake(def: z.core.$ZodUnionDef): Take {
  return (value) => {
    for (const option of def.options) {
      if (PLAIN.includes(defOf(option).type) && typeof value === 'object' && value !== null) continue;
      const made = takeOf(option, 'exact')(value);
      if (made !== undefined) return made;
      if ((option as z.ZodType).safeParse(value).success) return undefined;
    }
    return undefined;
  };
}

function isFields(value: Json): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Schemas no object or list fits. */
const PLAIN: readonly string[] = ['string', 'number', 'boolean', 'null'];
const LEAVES: readonly string[] = ['string', 'number', 'boolean', 'null', 'literal', 'enum'];

function isLeaf(schema: Schema): boolean {
  const def = defOf(schema);
  if (def.type === 'nullable' || def.type === 'optional') return isLeaf(def.innerType);
  return LEAVES.includes(def.type) && isSame(schema);
}

/** Whether a schema leaves every value it takes as it is. */
const unchanging = new WeakMap<Schema, boolean>();

/** Whether every value the schema takes comes out as it went in. `above` are the schemas it lies in. */
function isSame(schema: Schema, above: ReadonlySet<Schema> = new Set()): boolean {
  const known = unchanging.get(schema);
  if (known !== undefined) return known;
  // A schema met again inside itself is as good as the rest of it.
  if (above.has(schema)) return true;
  const inside = new Set([...above, schema]);
  const found = leavesAlone(defOf(schema), (part) => isSame(part, inside));
  // Only the outermost knows that what it assumed of itself was true.
  if (!found || above.size === 0) unchanging.set(schema, found);
  return found;
}

function leavesAlone(def: Def, isPartSame: (part: Schema) => boolean): boolean {
  if (def.checks?.some(rewrites) || ('coerce' in def && def.coerce)) return false;
  switch (def.type) {
    case 'any':
    case 'unknown':
    case 'null':
    case 'boolean':
    case 'literal':
    case 'enum':
    case 'number':
    case 'never':
      return true;
    case 'string':
      return !('normalize' in def && def.normalize === true);
    case 'nullable':
    case 'optional':
    case 'readonly':
      return isPartSame(def.innerType);
    case 'lazy':
      return isPartSame(def.getter());
    case 'array':
      return isPartSame(def.element);
    case 'object':
      return isStrict(def) && Object.values(def.shape).every(isPartSame);
    case 'union':
      return def.options.every(isPartSame);
    default:
      return false;
  }
}

/** Whether a check may change the value: trim, lower case and their like, and checks that are handed the whole parse. */
function rewrites(check: z.core.$ZodCheck): boolean {
  const { def } = check._zod;
  return def.check === 'overwrite' || (def.check === 'custom' && !('fn' in def));
}

function isStrict(def: z.core.$ZodObjectDef): boolean {
  return def.catchall !== undefined && defOf(def.catchall).type === 'never';
}

function hasChecks(def: { readonly checks?: readonly unknown[] | undefined }): boolean {
  return def.checks !== undefined && def.checks.length > 0;
}

function defOf(schema: Schema): Def {
  return (schema as z.core.$ZodTypes)._zod.def;
}
