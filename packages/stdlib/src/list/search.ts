import { canonicalJson, type Json, list, NULL, record, TEXT, union, ANY } from '@caloron/noether/stage';
import { z } from 'zod';

import { defineStage, original, typed } from '../kit.ts';
import { AnyResult, AnyValue, fieldOf, Items, T } from '../shape.ts';

/** `list_length`. */
export const listLength = original(
  defineStage({
    name: 'list_length',
    description: 'Counts the items of a list.',
    effects: ['Pure'],
    input: Items,
    output: z.number(),
    examples: [
      { input: [1, 2, 3], output: 3 },
      { input: [null], output: 1 },
      { input: [], output: 0 },
    ],
    tags: ['list'],
    run: (items) => items.length,
  }),
);

/** `list_contains`: objects are equal whatever the order of their keys. */
export const listContains = defineStage({
  name: 'list_contains',
  description: 'Says whether a list holds a value.',
  effects: ['Pure'],
  input: z.object({ items: Items, item: AnyValue }),
  output: z.boolean(),
  examples: [
    { input: { items: [1, 2], item: 2 }, output: true },
    { input: { items: [{ a: 1, b: 2 }], item: { b: 2, a: 1 } }, output: true },
    { input: { items: ['1'], item: 1 }, output: false },
  ],
  tags: ['list'],
  run: ({ items, item }) => items.some(equalTo(item)),
});

/** Whether another value equals this one, as JSON values do. */
export function equalTo(value: Json): (other: Json) => boolean {
  const text = canonicalJson(value);
  return (other) => other === value || canonicalJson(other) === text;
}

const Where = z.object({ items: Items, key: z.string(), equals: AnyValue });
const WHERE = record({ items: list(T), key: TEXT, equals: ANY });

function fits({ key, equals }: z.output<typeof Where>): (item: Json) => boolean {
  const same = equalTo(equals);
  return (item) => same(fieldOf(item, key) ?? null);
}

/** `list_find`: null where no item fits; an absent field counts as null. */
export const listFind = typed(
  defineStage({
    name: 'list_find',
    description: 'Gives the first item of a list whose field has a value.',
    effects: ['Pure'],
    input: Where,
    output: AnyResult,
    examples: [
      { input: { items: [{ id: 1 }, { id: 2, n: 'b' }], key: 'id', equals: 2 }, output: { id: 2, n: 'b' } },
      { input: { items: [{ id: 1 }], key: 'id', equals: 9 }, output: null },
      { input: { items: [], key: 'id', equals: null }, output: null },
    ],
    tags: ['list'],
    run: (where) => where.items.find(fits(where)) ?? null,
  }),
  { input: WHERE, output: union([NULL, T]) },
);

/** `list_where`: an absent field counts as null. */
export const listWhere = typed(
  defineStage({
    name: 'list_where',
    description: 'Gives the items of a list whose field has a value.',
    effects: ['Pure'],
    input: Where,
    output: Items,
    examples: [
      {
        input: { items: [{ s: 'open', n: 1 }, { s: 'done' }, { s: 'open', n: 2 }], key: 's', equals: 'open' },
        output: [
          { s: 'open', n: 1 },
          { s: 'open', n: 2 },
        ],
      },
      { input: { items: [{ s: 'open' }, {}], key: 's', equals: null }, output: [{}] },
      { input: { items: [], key: 's', equals: 1 }, output: [] },
    ],
    tags: ['list'],
    run: (where) => where.items.filter(fits(where)),
  }),
  { input: WHERE, output: list(T) },
);

/** `list_any`: of an empty list, false. */
export const listAny = defineStage({
  name: 'list_any',
  description: 'Says whether one value of a list is true.',
  effects: ['Pure'],
  input: z.array(z.boolean()),
  output: z.boolean(),
  examples: [
    { input: [false, true], output: true },
    { input: [false, false], output: false },
    { input: [], output: false },
  ],
  tags: ['list', 'logic'],
  run: (values) => values.includes(true),
});

/** `list_all`: of an empty list, true. */
export const listAll = defineStage({
  name: 'list_all',
  description: 'Says whether every value of a list is true.',
  effects: ['Pure'],
  input: z.array(z.boolean()),
  output: z.boolean(),
  examples: [
    { input: [true, true], output: true },
    { input: [true, false], output: false },
    { input: [], output: true },
  ],
  tags: ['list', 'logic'],
  run: (values) => !values.includes(false),
});
