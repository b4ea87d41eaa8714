import type { z } from 'zod';

import type { Json } from '../ports.ts';
import { isObject } from './value.ts';

/**
 * A value as a schema takes it. Where null and absence were exchanged, a nullable field that is absent becomes null,
 * an optional one that is null is left out. In graphs both are the same; in schemas they are not. Fields a strict schema
 * does not declare are left out too: in graphs a wider record is welcome everywhere.
 */
export function fitInput(schema: z.core.$ZodType, value: Json): Json {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  switch (def.type) {
    case 'object':
      return isObject(value) ? fitFields(def, value) : value;
    case 'array':
      return Array.isArray(value) ? value.map((item) => fitInput(def.element, item as Json)) : value;
    case 'record':
      return isObject(value)
        ? Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fitInput(def.valueType, item)]))
        : value;
    case 'nullable':
    case 'optional':
    case 'default':
    case 'prefault':
    case 'readonly':
    case 'nonoptional':
      return value === null ? value : fitInput(def.innerType, value);
    case 'union':
      return fitUnion(def.options, value);
    case 'intersection':
      return fitInput(def.right, fitInput(def.left, value));
    case 'lazy':
      // The getter may make a new schema each time it is asked: what zod keeps of it is taken.
      return fitInput((schema as z.core.$ZodLazy)._zod.innerType, value);
    case 'pipe':
      return fitInput(def.in, value);
    default:
      return value;
  }
}

function fitFields(def: z.core.$ZodObjectDef, value: { readonly [key: string]: Json }): Json {
  const strict = def.catchall?._zod.def.type === 'never';
  const entries = new Map(
    Object.entries(value).filter(([name]) => !strict || Object.hasOwn(def.shape, name)),
  );
  for (const [name, field] of Object.entries(def.shape)) {
    const item = entries.get(name);
    if (item === undefined) {
      if (!accepts(field, undefined) && accepts(field, null)) entries.set(name, null);
    } else if (item === null) {
      if (!accepts(field, null) && accepts(field, undefined)) entries.delete(name);
    } else entries.set(name, fitInput(field, item));
  }
  return Object.fromEntries(entries);
}

/** The first variant that takes the value once fitted; else the value as it is. */
function fitUnion(options: readonly z.core.$ZodType[], value: Json): Json {
  for (const option of options) {
    const fitted = fitInput(option, value);
    if (accepts(option, fitted)) return fitted;
  }
  return value;
}

function accepts(schema: z.core.$ZodType, value: unknown): boolean {
  return (schema as z.ZodType).safeParse(value).success;
}
