import type { z } from 'zod';

import type { Json } from '../ports.ts';
import { isSettled } from './settle.ts';

type Schema = z.core.$ZodType;
type Def = z.core.$ZodTypes['_zod']['def'];
type Check = (value: Json) => boolean;

const checks = new WeakMap<Schema, Check>();

/**
 * Whether a schema takes a value and leaves it as it is: no default, no transform, no field it would drop. False says
 * nothing: zod then has the word. What was found of an immutable value is remembered with the schema, so that the parts
 * of a large value that a stage hands on are looked at once.
 */
export function takesAsIs(schema: Schema, value: Json): boolean {
  return checkOf(schema)(value);
}

function checkOf(schema: Schema): Check {
  const known = checks.get(schema);
  if (known) return known;
  const check = remembering(checkFor(schema));
  checks.set(schema, check);
  return check;
}

function remembering(check: Check): Check {
  const taken = new WeakSet<object>();
  return (value) => {
    if (typeof value !== 'object' || value === null) return check(value);
    if (taken.has(value)) return true;
    if (!check(value)) return false;
    if (isSettled(value)) taken.add(value);
    return true;
  };
}

const never: Check = () => false;

function checkFor(schema: Schema): Check {
  const def = defOf(schema);
  const whole: Check = isSame(schema) ? (value) => (schema as z.ZodType).safeParse(value).success : never;
  if (hasChecks(def)) return whole;
  switch (def.type) {
    case 'any':
    case 'unknown':
      return () => true;
    case 'string':
      return 'format' in def ? whole : (value) => typeof value === 'string';
    case 'boolean':
      return (value) => typeof value === 'boolean';
    case 'nullable': {
      const inner = checkOf(def.innerType);
      return (value) => value === null || inner(value);
    }
    case 'optional':
    case 'readonly':
      return checkOf(def.innerType);
    case 'lazy':
      return (value) => checkOf(def.getter())(value);
    case 'array': {
      const element = checkOf(def.element);
      return (value) => Array.isArray(value) && value.every(element);
    }
    case 'object':
      // zod compiles the check of an object: faster than field by field where no field holds parts of its own.
      return isStrict(def) && Object.values(def.shape).every(isLeaf) ? whole : fieldsCheck(def);
    case 'record':
      return entriesCheck(def);
    case 'union':
      return unionCheck(def);
    default:
      return whole;
  }
}

/** The first variant that takes the value has to leave it as it is. */
function unionCheck(def: z.core.$ZodUnionDef): Check {
  return (value) => {
    for (const option of def.options) {
      if (PLAIN.includes(defOf(option).type) && typeof value === 'object' && value !== null) continue;
      if (checkOf(option)(value)) return true;
      if ((option as z.ZodType).safeParse(value).success) return false;
    }
    return false;
  };
}

function fieldsCheck(def: z.core.$ZodObjectDef): Check {
  const rest = def.catchall && defOf(def.catchall).type;
  if (rest !== undefined && rest !== 'never' && rest !== 'unknown') return never;
  const fields = Object.entries(def.shape).map(([name, field]) => {
    const isOptional = defOf(field).type === 'optional';
    return { name, isOptional, check: checkOf(field) };
  });
  const names = new Set(Object.keys(def.shape));
  return (value) => {
    if (!isFields(value)) return false;
    for (const name of Object.keys(value)) {
      // zod drops fields it does not know, and this one always.
      if (name === '__proto__' || (rest !== 'unknown' && !names.has(name))) return false;
    }
    return fields.every(({ name, isOptional, check }) =>
      Object.hasOwn(value, name) ? check(value[name] ?? null) : isOptional,
    );
  };
}

function entriesCheck(def: z.core.$ZodRecordDef): Check {
  const key = defOf(def.keyType);
  if (key.type !== 'string' || 'format' in key || hasChecks(key)) return never;
  const item = checkOf(def.valueType);
  return (value) => {
    if (!isFields(value)) return false;
    // zod drops this one key.
    return !Object.hasOwn(value, '__proto__') && Object.values(value).every(item);
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
const same = new WeakMap<Schema, boolean>();

/** Whether every value the schema takes comes out as it went in. `above` are the schemas it lies in. */
function isSame(schema: Schema, above: ReadonlySet<Schema> = new Set()): boolean {
  const known = same.get(schema);
  if (known !== undefined) return known;
  // A schema met again inside itself is as good as the rest of it.
  if (above.has(schema)) return true;
  const inside = new Set([...above, schema]);
  const found = leavesAlone(defOf(schema), (part) => isSame(part, inside));
  // Only the outermost knows that what it assumed of itself was true.
  if (!found || above.size === 0) same.set(schema, found);
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
