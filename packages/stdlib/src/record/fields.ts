import { ANY, list, record, TEXT } from '@caloron/noether/stage';
import { z } from 'zod';

import { defineStage, typed } from '../kit.ts';
import { AnyObject, AnyResult, AnyValue, entriesOf, fieldOf, Items, mapOf, OBJECT, T } from '../shape.ts';

/** `record_get`: the default, or null, where the record has no such field. */
export const recordGet = typed(
  defineStage({
    name: 'record_get',
    description: 'Gives a field of a record.',
    effects: ['Pure'],
    input: z.object({ record: AnyObject, field: z.string(), default: AnyValue }),
    output: AnyResult,
    examples: [
      { input: { record: { a: [1] }, field: 'a', default: 0 }, output: [1] },
      { input: { record: { a: 1 }, field: 'b', default: 0 }, output: 0 },
      { input: { record: {}, field: 'constructor', default: null }, output: null },
    ],
    tags: ['record'],
    run: ({ record: object, field, default: otherwise }) => fieldOf(object, field) ?? otherwise,
  }),
  { input: record({ record: OBJECT, field: TEXT, default: ANY }), output: ANY },
);

/** `record_keys`: in the order of their code points, as every stage of this file has them. */
export const recordKeys = typed(
  defineStage({
    name: 'record_keys',
    description: 'Lists the names of the fields of a record, sorted.',
    effects: ['Pure'],
    input: AnyObject,
    output: z.array(z.string()),
    examples: [
      { input: { b: 1, a: 2 }, output: ['a', 'b'] },
      { input: { '10': 0, '9': 0 }, output: ['10', '9'] },
      { input: {}, output: [] },
    ],
    tags: ['record'],
    run: (object) => entriesOf(object).map(([key]) => key),
  }),
  { input: OBJECT },
);

/** `record_values`. */
export const recordValues = typed(
  defineStage({
    name: 'record_values',
    description: 'Lists the values of the fields of a record in the order of their names.',
    effects: ['Pure'],
    input: AnyObject,
    output: Items,
    examples: [
      { input: { b: 1, a: 'x' }, output: ['x', 1] },
      { input: { a: null }, output: [null] },
      { input: {}, output: [] },
    ],
    tags: ['record'],
    run: (object) => entriesOf(object).map(([, value]) => value),
  }),
  { input: OBJECT },
);

const Entry = z.object({ key: z.string(), value: AnyResult });

/** `record_entries`. */
export const recordEntries = typed(
  defineStage({
    name: 'record_entries',
    description: 'Lists the fields of a record with their values in the order of their names.',
    effects: ['Pure'],
    input: AnyObject,
    output: z.array(Entry),
    examples: [
      {
        input: { b: 1, a: [2] },
        output: [
          { key: 'a', value: [2] },
          { key: 'b', value: 1 },
        ],
      },
      { input: { a: null }, output: [{ key: 'a', value: null }] },
      { input: {}, output: [] },
    ],
    tags: ['record'],
    run: (object) => entriesOf(object).map(([key, value]) => ({ key, value })),
  }),
  { input: OBJECT },
);

/** `record_from_entries`: of a key that comes twice the last counts. */
export const recordFromEntries = typed(
  defineStage({
    name: 'record_from_entries',
    description: 'Gives a record of keys and values.',
    effects: ['Pure'],
    input: z.array(z.object({ key: z.string(), value: AnyValue })),
    output: AnyObject,
    examples: [
      {
        input: [
          { key: 'a', value: 1 },
          { key: 'b', value: [2] },
        ],
        output: { a: 1, b: [2] },
      },
      {
        input: [
          { key: 'a', value: 1 },
          { key: 'a', value: 2 },
        ],
        output: { a: 2 },
      },
      { input: [], output: {} },
    ],
    tags: ['record'],
    run: (entries) => Object.fromEntries(entries.map(({ key, value }) => [key, value])),
  }),
  { input: list(record({ key: TEXT, value: T })), output: mapOf(T) },
);
