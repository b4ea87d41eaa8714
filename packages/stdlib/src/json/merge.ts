import type { Json } from '@caloron/noether/stage';
import { z } from 'zod';

import { defineStage, original } from '../kit.ts';
import { AnyResult, AnyValue, isObject } from '../shape.ts';

function merge(base: Json, patch: Json): Json {
  if (!isObject(base) || !isObject(patch)) return patch;
  const merged = new Map(Object.entries(base));
  for (const [key, value] of Object.entries(patch)) {
    const below = merged.get(key);
    merged.set(key, below === undefined ? value : merge(below, value));
  }
  return Object.fromEntries(merged);
}

/** `json_merge`: objects field by field at any depth; everything else, null too, is replaced by the patch. */
export const jsonMerge = original(
  defineStage({
    name: 'json_merge',
    description: 'Lays one value over another, objects field by field.',
    effects: ['Pure'],
    input: z.object({ base: AnyValue, patch: AnyValue }),
    output: AnyResult,
    examples: [
      { input: { base: { a: { b: 1 } }, patch: { a: { c: 2 } } }, output: { a: { b: 1, c: 2 } } },
      { input: { base: { a: [1, 2], b: 1 }, patch: { a: [3] } }, output: { a: [3], b: 1 } },
      { input: { base: { a: 1 }, patch: { a: null } }, output: { a: null } },
      { input: { base: 1, patch: { a: 2 } }, output: { a: 2 } },
    ],
    tags: ['json'],
    run: ({ base, patch }) => merge(base, patch),
  }),
);
