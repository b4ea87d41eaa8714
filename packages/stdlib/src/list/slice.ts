import { list, NULL, NUMBER, record, union } from '@caloron/noether/stage';
import { z } from 'zod';

import { StdlibError } from '../errors.ts';
import { defineStage, original, typed } from '../kit.ts';
import { AnyResult, Items, T } from '../shape.ts';

/** Longest list a stage makes out of nothing. */
const MAX_ITEMS = 1_000_000;

/** `take`: `count` is a whole number from 0. */
export const take = original(
  defineStage({
    name: 'take',
    description: 'Gives the first items of a list.',
    effects: ['Pure'],
    input: z.object({ items: Items, count: z.int().nonnegative() }),
    output: Items,
    examples: [
      { input: { items: [1, 2, 3], count: 2 }, output: [1, 2] },
      { input: { items: [1], count: 5 }, output: [1] },
      { input: { items: [1, 2], count: 0 }, output: [] },
    ],
    tags: ['list'],
    run: ({ items, count }) => items.slice(0, count),
  }),
);

/** `head`. Throws STDLIB_LIST_EMPTY. */
export const head = original(
  defineStage({
    name: 'head',
    description: 'Gives the first item of a list.',
    effects: ['Pure'],
    input: Items,
    output: AnyResult,
    examples: [
      { input: [1, 2, 3], output: 1 },
      { input: [[1, 2], []], output: [1, 2] },
      { input: [null, 1], output: null },
    ],
    tags: ['list'],
    run: ([first]) => {
      if (first === undefined) throw new StdlibError('STDLIB_LIST_EMPTY', { stage: 'head' });
      return first;
    },
  }),
  { input: list(T), output: T, effects: [{ effect: 'Fallible' }, { effect: 'Pure' }] },
);

/** `tail`: of an empty list, an empty list. */
export const tail = original(
  defineStage({
    name: 'tail',
    description: 'Gives a list without its first item.',
    effects: ['Pure'],
    input: Items,
    output: Items,
    examples: [
      { input: [1, 2, 3], output: [2, 3] },
      { input: ['a'], output: [] },
      { input: [], output: [] },
    ],
    tags: ['list'],
    run: (items) => items.slice(1),
  }),
  { input: list(T), output: list(T) },
);

/** `list_slice`: negative positions count from the end. */
export const listSlice = typed(
  defineStage({
    name: 'list_slice',
    description: 'Gives the items of a list from a position up to, but without, another.',
    effects: ['Pure'],
    input: z.object({ items: Items, start: z.int(), end: z.int().nullish() }),
    output: Items,
    examples: [
      { input: { items: [1, 2, 3, 4], start: 1, end: 3 }, output: [2, 3] },
      { input: { items: [1, 2, 3], start: -1 }, output: [3] },
      { input: { items: [1, 2], start: 5, end: null }, output: [] },
    ],
    tags: ['list'],
    run: ({ items, start, end }) => items.slice(start, end ?? undefined),
  }),
  { input: record({ items: list(T), start: NUMBER, end: union([NULL, NUMBER]) }), output: list(T) },
);

/** `list_reverse`. */
export const listReverse = typed(
  defineStage({
    name: 'list_reverse',
    description: 'Gives the items of a list in reverse order.',
    effects: ['Pure'],
    input: Items,
    output: Items,
    examples: [
      { input: [1, 2, 3], output: [3, 2, 1] },
      { input: ['a'], output: ['a'] },
      { input: [], output: [] },
    ],
    tags: ['list'],
    run: (items) => items.toReversed(),
  }),
  { input: list(T), output: list(T) },
);

/** `list_chunk`: the last chunk may be shorter. */
export const listChunk = typed(
  defineStage({
    name: 'list_chunk',
    description: 'Cuts a list into lists of a size.',
    effects: ['Pure'],
    input: z.object({ items: Items, size: z.int().positive() }),
    output: z.array(Items),
    examples: [
      { input: { items: [1, 2, 3, 4, 5], size: 2 }, output: [[1, 2], [3, 4], [5]] },
      { input: { items: [1, 2], size: 5 }, output: [[1, 2]] },
      { input: { items: [], size: 3 }, output: [] },
    ],
    tags: ['list'],
    run: ({ items, size }) =>
      Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size)),
  }),
  { input: record({ items: list(T), size: NUMBER }), output: list(list(T)) },
);

/** `list_range`: whole numbers; `step` is 1, or -1 where the end lies below the start. Throws STDLIB_RESULT_TOO_LARGE. */
export const listRange = defineStage({
  name: 'list_range',
  description: 'Gives the numbers from one up to, but without, another.',
  effects: ['Pure'],
  input: z.object({
    start: z.int(),
    end: z.int(),
    step: z
      .int()
      .refine((step) => step !== 0, 'expected a step other than 0')
      .nullish(),
  }),
  output: z.array(z.number()),
  examples: [
    { input: { start: 0, end: 4 }, output: [0, 1, 2, 3] },
    { input: { start: 3, end: 0 }, output: [3, 2, 1] },
    { input: { start: 0, end: 10, step: 4 }, output: [0, 4, 8] },
    { input: { start: 0, end: 5, step: -1 }, output: [] },
  ],
  tags: ['list'],
  run: ({ start, end, step }) => {
    const by = step ?? (end < start ? -1 : 1);
    const length = Math.max(0, Math.ceil((end - start) / by));
    if (length > MAX_ITEMS)
      throw new StdlibError('STDLIB_RESULT_TOO_LARGE', { stage: 'list_range', limit: MAX_ITEMS });
    return Array.from({ length }, (_, i) => start + i * by);
  },
});
