import type { z } from 'zod';

import type { Json } from '../ports.ts';
import type { Stage } from '../stage/define-stage.ts';

/** The fields of an input schema by name; none where it is not that of an object. */
function shapeOf({ input }: Stage): Readonly<Record<string, z.core.$ZodType>> {
  const { def } = (input as unknown as z.core.$ZodTypes)._zod;
  return def.type === 'object' ? def.shape : {};
}

/** Names of the fields a stage takes, those beside its declared type included. */
export function ownFields(stage: Stage): readonly string[] {
  return Object.keys(shapeOf(stage));
}

/** Why a literal does not fit a field the stage takes beside its declared type; null when it does, undefined when there is no such field. */
export function ownFieldMismatch(stage: Stage, name: string, literal: Json): string | null | undefined {
  const shape = shapeOf(stage);
  const field = Object.hasOwn(shape, name) ? shape[name] : undefined;
  if (field === undefined) return undefined;
  const parsed = (field as z.ZodType).safeParse(literal);
  return parsed.success ? null : (parsed.error.issues[0]?.message ?? 'it is refused');
}
