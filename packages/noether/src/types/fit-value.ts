import type { z } from 'zod';

import type { Json } from '../ports.ts';
import { isObject } from './value.ts';

/**
 * A value as a schema takes it, where null and absence were exchanged: a nullable field that is absent becomes null,
 * an optional one that is null is left out. In graphs both are the same; in schemas they are not.
 */
export function fitAbsence(schema: z.core.$ZodType, value: Json): Json {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  switch (def.type) {
    case 'object':
      return isObject(value) ? fitFields(def, value) : value;
    case 'array':
      return Array.isArray(value) ? value.map((item) => fitAbsence(def.element, item as Json)) : value;
    case 'record':
      return isObject(value)
        ? Object.fromEntries(
            Object.entries(value).map(([key, item]) => [key, fitAbsence(def.valueType, item)]),
          )
        : value;
    case 'nullable':
    case 'optional':
    case 'default':
    case 'prefault':
    case 'readonly':
    case 'nonoptional':
      return value === null ? value : fitAbsence(def.innerType, value);
    case 'union':
      return fitUnion(def.options, value);
    case 'intersection':
      return fitAbsence(def.right, fitAbsence(def.left, value));
    case 'lazy':
      return fitAbsence(def.getter(), value);
    case 'pipe':
      return fitAbsence(def.in, value);
    default:
      return value;
  }
}

function fitFields(def: z.core.$ZodObjectDef, value: { readonly [key: string]: Json }): Json {
  const entries = new Map(Object.entries(value));
  for (const [name, field] of Object.entries(def.shape)) {
    const item = entries.get(name);
    if (item === undefined) {
      if (!accepts(field, undefined) && accepts(field, null)) entries.set(name, null);
    } else if (item === null) {
      if (!accepts(field, null) && accepts(field, undefined)) entries.delete(name);
    } else entries.set(name, fitAbsence(field, item));
  }
  return Object.fromEntries(entries);
}

/** The first variant that takes the value once fitted; else the value as it is. */
function fitUnion(options: readonly z.core.$ZodType[], value: Json): Json {
  for (const option of options) {
    const fitted = fitAbsence(option, value);
    if (accepts(option, fitted)) return fitted;
  }
  return value;
}

function accepts(schema: z.core.$ZodType, value: unknown): boolean {
  return (schema as z.ZodType).safeParse(value).success;
}
