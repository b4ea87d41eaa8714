import { ANY, canonicalJson, type Json, list, record, TEXT } from '@caloron/noether/stage';
import { z } from 'zod';

import { defineStage, original, typed } from '../kit.ts';
import { AnyObject, fieldOf, Items, mapOf, T } from '../shape.ts';

/** `group_by`: an item whose field is absent or no text is under the empty text. */
export const groupBy = original(
  defineStage({
    name: 'group_by',
    description: 'Groups the items of a list by the text of a field.',
    effects: ['Pure'],
    input: z.object({ items: Items, key: z.string() }),
    output: AnyObject,
    examples: [
      {
        input: { items: [{ t: 'a', n: 1 }, { t: 'b' }, { t: 'a', n: 2 }], key: 't' },
        output: {
          a: [
            { t: 'a', n: 1 },
            { t: 'a', n: 2 },
          ],
          b: [{ t: 'b' }],
        },
      },
      { input: { items: [{ t: 1 }, 'x'], key: 't' }, output: { '': [{ t: 1 }, 'x'] } },
      { input: { items: [], key: 't' }, output: {} },
    ],
    tags: ['list'],
    run: ({ items, key }) => {
      const groups = new Map<string, Json[]>();
      for (const item of items) {
        const value = fieldOf(item, key);
        const name = typeof value === 'string' ? value : '';
        const group = groups.get(name);
        if (group) group.push(item);
        else groups.set(name, [item]);
      }
      return Object.fromEntries(groups);
    },
  }),
  { output: mapOf(list(ANY)) },
);

/** `list_index_by`: under each text of the field the last item that has it; items without such a text are left out. */
export const listIndexBy = typed(
  defineStage({
    name: 'list_index_by',
    description: 'Gives the items of a list under the text of a field.',
    effects: ['Pure'],
    input: z.object({ items: Items, key: z.string() }),
    output: AnyObject,
    examples: [
      {
        input: { items: [{ id: 'a', n: 1 }, { id: 'b' }], key: 'id' },
        output: { a: { id: 'a', n: 1 }, b: { id: 'b' } },
      },
      {
        input: { items: [{ id: 'a', n: 1 }, { id: 'a', n: 2 }, { id: 3 }], key: 'id' },
        output: { a: { id: 'a', n: 2 } },
      },
      { input: { items: [], key: 'id' }, output: {} },
    ],
    tags: ['list'],
    run: ({ items, key }) => {
      const entries = items.flatMap((item): (readonly [string, Json])[] => {
        const name = fieldOf(item, key);
        return typeof name === 'string' ? [[name, item]] : [];
      });
      return Object.fromEntries(entries);
    },
  }),
  { input: record({ items: list(T), key: TEXT }), output: mapOf(T) },
);

function unique(items: readonly Json[], valueOf: (item: Json) => Json): Json[] {
  const seen = new Set<string>();
  return items.filter((item) => {
    const known = seen.size;
    return seen.add(canonicalJson(valueOf(item))).size > known;
  });
}

/** `list_dedup`: the first of equal values stays; objects are equal whatever the order of their keys. */
export const listDedup = original(
  defineStage({
    name: 'list_dedup',
    description: 'Leaves out what is in a list already.',
    effects: ['Pure'],
    input: Items,
    output: Items,
    examples: [
      { input: [1, 2, 1, '1', 2], output: [1, 2, '1'] },
      {
        input: [
          { a: 1, b: 2 },
          { b: 2, a: 1 },
        ],
        output: [{ a: 1, b: 2 }],
      },
      { input: [], output: [] },
    ],
    tags: ['list'],
    run: (items) => unique(items, (item) => item),
  }),
);

/** `list_unique_by`: the first item of each value of the field stays; an absent field counts as null. */
export const listUniqueBy = typed(
  defineStage({
    name: 'list_unique_by',
    description: 'Leaves out items whose field has a value another item has already.',
    effects: ['Pure'],
    input: z.object({ items: Items, key: z.string() }),
    output: Items,
    examples: [
      {
        input: { items: [{ id: 1, n: 'a' }, { id: 2 }, { id: 1, n: 'b' }], key: 'id' },
        output: [{ id: 1, n: 'a' }, { id: 2 }],
      },
      { input: { items: [{ id: null }, {}, 7], key: 'id' }, output: [{ id: null }] },
      { input: { items: [], key: 'id' }, output: [] },
    ],
    tags: ['list'],
    run: ({ items, key }) => unique(items, (item) => fieldOf(item, key) ?? null),
  }),
  { input: record({ items: list(T), key: TEXT }), output: list(T) },
);
