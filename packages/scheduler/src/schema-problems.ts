import { nearest } from '@caloron/noether';
import { z } from 'zod';

/** What is said of a name that is not known: the one that was probably meant, or all there are. */
export function meant(written: string, known: readonly string[]): string {
  const [close] = nearest(written, known);
  return close === undefined ? `; known are ${known.join(', ')}` : `; did you mean ${JSON.stringify(close)}?`;
}

/** The names of the fields that a schema has at a place. */
export function fieldsAt(
  schema: z.core.$ZodType,
  [step, ...rest]: readonly PropertyKey[],
): readonly string[] {
  const inner = unwrapped(schema);
  if (inner instanceof z.ZodObject) {
    const shape: Readonly<Record<string, z.core.$ZodType>> = inner.shape;
    if (step === undefined) return Object.keys(shape).filter((name) => name !== '$schema');
    const next = Object.hasOwn(shape, step) ? shape[String(step)] : undefined;
    return next === undefined ? [] : fieldsAt(next, rest);
  }
  if (inner instanceof z.ZodUnion) {
    const forms: readonly z.core.$ZodType[] = inner.options;
    return forms.flatMap((form) => fieldsAt(form, step === undefined ? [] : [step, ...rest]));
  }
  if (step === undefined) return [];
  if (inner instanceof z.ZodRecord) return fieldsAt(inner.valueType, rest);
  if (inner instanceof z.ZodArray) return fieldsAt(inner.element, rest);
  return [];
}

function unwrapped(schema: z.core.$ZodType): z.core.$ZodType {
  const wrapper =
    schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodNullable;
  return wrapper ? unwrapped(schema.unwrap()) : schema;
}
