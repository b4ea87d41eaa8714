import { ANY, BOOL, type Json, list, NULL, record, TEXT, union } from '@caloron/noether/stage';
import { z } from 'zod';

import { defineStage, original } from '../kit.ts';
import { compareText, fieldOf, Items } from '../shape.ts';

/** Numbers, texts and booleans have an order among themselves; any other two values are equal. */
function compare(a: Json, b: Json): number {
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b);
  const numbers = typeof a === 'number' && typeof b === 'number';
  const booleans = typeof a === 'boolean' && typeof b === 'boolean';
  return numbers || booleans ? Number(a) - Number(b) : 0;
}

/**
 * `sort`: stable, texts by code points. With a `key`, by that field; an item without it stands for itself. Values of different
 * kinds count as equal, as in the original: sort lists of one kind.
 */
export const sort = original(
  defineStage({
    name: 'sort',
    description: 'Sorts a list, by a field where one is named.',
    effects: ['Pure'],
    input: z.union([
      Items,
      z.object({ items: Items, key: z.string().nullish(), descending: z.boolean().nullish() }),
    ]),
    output: Items,
    examples: [
      { input: [3, 1, 2], output: [1, 2, 3] },
      { input: { items: ['b', 'a', 'Ä', 'B'], descending: true }, output: ['Ä', 'b', 'a', 'B'] },
      {
        input: {
          items: [
            { n: 2, t: 'x' },
            { n: 1, t: 'y' },
            { n: 2, t: 'z' },
          ],
          key: 'n',
          descending: true,
        },
        output: [
          { n: 2, t: 'x' },
          { n: 2, t: 'z' },
          { n: 1, t: 'y' },
        ],
      },
    ],
    tags: ['list'],
    run: (input) => {
      if (Array.isArray(input)) return input.toSorted(compare);
      const { items, key, descending } = input;
      const value = (item: Json): Json =>
        key === undefined || key === null ? item : (fieldOf(item, key) ?? item);
      const sign = descending === true ? -1 : 1;
      return items.toSorted((a, b) => sign * compare(value(a), value(b)));
    },
  }),
  {
    input: union([
      list(ANY),
      record({ items: list(ANY), key: union([NULL, TEXT]), descending: union([BOOL, NULL]) }),
    ]),
  },
);
