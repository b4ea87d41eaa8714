import { ANY, type Json, list, record, TEXT } from '@caloron/noether/stage';
import { z } from 'zod';

import { defineStage, original, typed } from '../kit.ts';
import { AnyObject, AnyResult, AnyValue, type JsonObject, mapOf, OBJECT, TextMap } from '../shape.ts';

const Named = z.object({ record: AnyObject, fields: z.array(z.string()) });
const NAMED = record({ record: OBJECT, fields: list(TEXT) });

function only(object: JsonObject, keep: (key: string) => boolean): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([key]) => keep(key)));
}

/** `record_pick`: a field the record does not have is left out. */
export const recordPick = typed(
  defineStage({
    name: 'record_pick',
    description: 'Gives a record of the named fields only.',
    effects: ['Pure'],
    input: Named,
    output: AnyResult,
    examples: [
      { input: { record: { a: 1, b: 2, c: 3 }, fields: ['a', 'c'] }, output: { a: 1, c: 3 } },
      { input: { record: { a: 1 }, fields: ['x'] }, output: {} },
      { input: { record: { a: null }, fields: ['a', 'a'] }, output: { a: null } },
    ],
    tags: ['record'],
    run: ({ record: object, fields }) => {
      const names = new Set(fields);
      return only(object, (key) => names.has(key));
    },
  }),
  { input: NAMED, output: ANY },
);

/** `record_omit`. */
export const recordOmit = typed(
  defineStage({
    name: 'record_omit',
    description: 'Gives a record without the named fields.',
    effects: ['Pure'],
    input: Named,
    output: AnyResult,
    examples: [
      { input: { record: { a: 1, b: 2 }, fields: ['b'] }, output: { a: 1 } },
      { input: { record: { a: 1 }, fields: ['x'] }, output: { a: 1 } },
      { input: { record: {}, fields: [] }, output: {} },
    ],
    tags: ['record'],
    run: ({ record: object, fields }) => {
      const names = new Set(fields);
      return only(object, (key) => !names.has(key));
    },
  }),
  { input: NAMED, output: ANY },
);

/** `record_rename`: `names` is old name → new name; a renamed field takes the place of one that has its new name. */
export const recordRename = typed(
  defineStage({
    name: 'record_rename',
    description: 'Gives a record whose fields have other names.',
    effects: ['Pure'],
    input: z.object({ record: AnyObject, names: TextMap }),
    output: AnyResult,
    examples: [
      { input: { record: { a: 1, b: 2 }, names: { a: 'x' } }, output: { x: 1, b: 2 } },
      { input: { record: { a: 1, b: 2 }, names: { a: 'b', b: 'a' } }, output: { a: 2, b: 1 } },
      { input: { record: { a: 1, b: 2 }, names: { a: 'b' } }, output: { b: 1 } },
    ],
    tags: ['record'],
    run: ({ record: object, names }) => {
      const renames = (key: string): boolean => Object.hasOwn(names, key);
      const renamed = Object.entries(object)
        .filter(([key]) => renames(key))
        .map(([key, value]) => [names[key] ?? key, value] as const);
      return Object.fromEntries([...Object.entries(only(object, (key) => !renames(key))), ...renamed]);
    },
  }),
  { input: record({ record: OBJECT, names: mapOf(TEXT) }), output: ANY },
);

/** `record_merge`: not deeper than the fields; `json_merge` is. */
export const recordMerge = typed(
  defineStage({
    name: 'record_merge',
    description: 'Gives the fields of two records; of both that have one, the right has it.',
    effects: ['Pure'],
    input: z.object({ left: AnyObject, right: AnyObject }),
    output: AnyResult,
    examples: [
      { input: { left: { a: 1, b: 1 }, right: { b: 2 } }, output: { a: 1, b: 2 } },
      { input: { left: { a: { x: 1 } }, right: { a: { y: 2 } } }, output: { a: { y: 2 } } },
      { input: { left: {}, right: {} }, output: {} },
    ],
    tags: ['record'],
    run: ({ left, right }) => ({ ...left, ...right }),
  }),
  { input: record({ left: OBJECT, right: OBJECT }), output: ANY },
);

/** `record_set`: the field is added where the record has none. */
export const recordSet = typed(
  defineStage({
    name: 'record_set',
    description: 'Gives a record with one field set.',
    effects: ['Pure'],
    input: z.object({ record: AnyObject, field: z.string(), value: AnyValue }),
    output: AnyResult,
    examples: [
      { input: { record: { a: 1 }, field: 'b', value: [2] }, output: { a: 1, b: [2] } },
      { input: { record: { a: 1 }, field: 'a', value: null }, output: { a: null } },
      { input: { record: {}, field: '', value: 0 }, output: { '': 0 } },
    ],
    tags: ['record'],
    run: ({ record: object, field, value }) =>
      Object.fromEntries([...Object.entries(object), [field, value]]),
  }),
  { input: record({ record: OBJECT, field: TEXT, value: ANY }), output: ANY },
);

/** `mark_done`. */
export const markDone = original(
  defineStage({
    name: 'mark_done',
    description: 'Gives a record with its field `done` true.',
    effects: ['Pure'],
    input: AnyObject,
    output: AnyResult,
    examples: [
      { input: { id: 1 }, output: { id: 1, done: true } },
      { input: { done: false }, output: { done: true } },
      { input: {}, output: { done: true } },
    ],
    tags: ['record'],
    run: (object): Json => ({ ...object, done: true }),
  }),
  {
    input: { kind: 'RecordWith', value: { fields: {}, rest: 'R' } },
    output: { kind: 'RecordWith', value: { fields: { done: { kind: 'Bool' } }, rest: 'R' } },
  },
);
