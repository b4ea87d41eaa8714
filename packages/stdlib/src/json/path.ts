import type { Json } from '@caloron/noether/stage';
import { z } from 'zod';

import { StdlibError } from '../errors.ts';
import { defineStage, original } from '../kit.ts';
import { AnyResult, AnyValue, fieldOf } from '../shape.ts';

/** One step of a path: `[n]`, or the characters up to the next `.` or `[`. */
const STEP = /\.?(?:\[([^\]]*)\]|([^.[]*))/uy;

/**
 * The value at a path: `$` or nothing, then `.field` and `[n]`. Throws STDLIB_PATH_INVALID where the path leads nowhere or is
 * none.
 */
export function valueAtPath(root: Json, path: string): Json {
  let value = root;
  let at = path.startsWith('$') ? 1 : 0;
  // A last dot is no step.
  while (at < path.length && path.slice(at) !== '.') {
    STEP.lastIndex = at;
    const step = STEP.exec(path);
    const [whole = '', index, field = ''] = step ?? [];
    if (whole === '' || (index === undefined && path[at + whole.length - 1] === undefined))
      throw invalid(path, at, 'expected `]` after `[`');
    value = index === undefined ? ownField(value, field, path, at) : element(value, index, path, at);
    at += whole.length;
  }
  return value;
}

function element(value: Json, index: string, path: string, at: number): Json {
  if (!/^\d+$/u.test(index)) throw invalid(path, at, `\`${index}\` is no position of a list`);
  const found = Array.isArray(value) ? (value as readonly Json[])[Number(index)] : undefined;
  if (found === undefined) throw invalid(path, at, `there is no element ${index}`);
  return found;
}

function ownField(value: Json, field: string, path: string, at: number): Json {
  const found = fieldOf(value, field);
  if (found === undefined) throw invalid(path, at, `there is no field \`${field}\``);
  return found;
}

function invalid(path: string, at: number, reason: string): StdlibError<'STDLIB_PATH_INVALID'> {
  return new StdlibError('STDLIB_PATH_INVALID', { path, at: at + 1, reason });
}

/** `json_path`: no filters, wildcards, quotes or negative positions. Throws STDLIB_PATH_INVALID. */
export const jsonPath = original(
  defineStage({
    name: 'json_path',
    description: 'Gives the value at a path such as `$.items[0].name`.',
    effects: ['Pure'],
    input: z.object({ data: AnyValue, path: z.string() }),
    output: AnyResult,
    examples: [
      { input: { data: { a: { b: 42 } }, path: '$.a.b' }, output: 42 },
      { input: { data: { items: [{ n: 1 }, { n: 2 }] }, path: 'items[1].n' }, output: 2 },
      { input: { data: [null], path: '$[0]' }, output: null },
      { input: { data: { a: 1 }, path: '$' }, output: { a: 1 } },
    ],
    tags: ['json'],
    run: ({ data, path }) => valueAtPath(data, path),
  }),
  { effects: [{ effect: 'Fallible' }, { effect: 'Pure' }] },
);
