import { ANY, list, NULL, record, union } from '@caloron/noether/stage';
import { z } from 'zod';

import { defineStage, original, typed } from '../kit.ts';
import { AnyResult, AnyValue, Items, T } from '../shape.ts';

/** `flatten`: one level; what is no list stays as it is, as in the original. */
export const flatten = original(
  defineStage({
    name: 'flatten',
    description: 'Joins the lists of a list into one.',
    effects: ['Pure'],
    input: Items,
    output: Items,
    examples: [
      { input: [[1, 2], [], [3]], output: [1, 2, 3] },
      { input: [[[1]], [2]], output: [[1], 2] },
      { input: [], output: [] },
    ],
    tags: ['list'],
    run: (items) => items.flat(),
  }),
  { input: list(list(ANY)) },
);

/** `zip`: as long as the shorter list. */
export const zip = original(
  defineStage({
    name: 'zip',
    description: 'Pairs the items of two lists by their position.',
    effects: ['Pure'],
    input: z.object({ left: Items, right: Items }),
    output: z.array(z.object({ left: AnyResult, right: AnyResult })),
    examples: [
      {
        input: { left: [1, 2], right: ['a', 'b'] },
        output: [
          { left: 1, right: 'a' },
          { left: 2, right: 'b' },
        ],
      },
      { input: { left: [1, 2], right: [null] }, output: [{ left: 1, right: null }] },
      { input: { left: [], right: [1] }, output: [] },
    ],
    tags: ['list'],
    run: ({ left, right }) =>
      left.slice(0, right.length).map((item, i) => ({ left: item, right: right[i] ?? null })),
  }),
);

/** `list_concat`: the items of `left`, then those of `right`. */
export const listConcat = typed(
  defineStage({
    name: 'list_concat',
    description: 'Joins two lists.',
    effects: ['Pure'],
    input: z.object({ left: Items, right: Items }),
    output: Items,
    examples: [
      { input: { left: [1], right: [2, 3] }, output: [1, 2, 3] },
      { input: { left: [], right: ['a'] }, output: ['a'] },
      { input: { left: [[1]], right: [] }, output: [[1]] },
    ],
    tags: ['list'],
    run: ({ left, right }) => [...left, ...right],
  }),
  { input: record({ left: list(T), right: list(T) }), output: list(T) },
);

/** `list_append`: the item becomes the last of the list. */
export const listAppend = typed(
  defineStage({
    name: 'list_append',
    description: 'Adds an item at the end of a list.',
    effects: ['Pure'],
    input: z.object({ items: Items, item: AnyValue }),
    output: Items,
    examples: [
      { input: { items: [1, 2], item: 3 }, output: [1, 2, 3] },
      { input: { items: [], item: null }, output: [null] },
      { input: { items: [[1]], item: [2] }, output: [[1], [2]] },
    ],
    tags: ['list'],
    run: ({ items, item }) => [...items, item],
  }),
  { input: record({ items: list(T), item: T }), output: list(T) },
);

/** `list_compact`: null stands for absent. */
export const listCompact = typed(
  defineStage({
    name: 'list_compact',
    description: 'Leaves out the nulls of a list.',
    effects: ['Pure'],
    input: Items,
    output: Items,
    examples: [
      { input: [1, null, 2], output: [1, 2] },
      { input: [false, 0, '', null], output: [false, 0, ''] },
      { input: [], output: [] },
    ],
    tags: ['list'],
    run: (items) => items.filter((item) => item !== null),
  }),
  { input: list(union([NULL, T])), output: list(T) },
);
