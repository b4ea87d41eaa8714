import { describe, expect, it } from 'vitest';
import { z } from 'zod';

import { fitInput } from './fit-input.ts';
import { typeOfSchema } from './from-schema.ts';
import { show } from './show.ts';

const Folder = z.object({
  name: z.string(),
  get inside(): z.ZodArray<typeof Folder> {
    return z.array(Folder);
  },
});
const recursive: z.ZodType = z.lazy(() => z.object({ children: z.array(recursive) }));

describe('the type of a schema', () => {
  it.each<[string, z.ZodType, string]>([
    ['text', z.string().min(1).trim(), 'Text'],
    ['a pattern', z.string().regex(/^a/u), 'Text'],
    ['an instant', z.iso.datetime(), 'Text'],
    ['a branded id', z.string().brand('Id'), 'Text'],
    ['a whole number', z.number().int().min(0), 'Number'],
    ['int()', z.int(), 'Number'],
    ['a flag', z.boolean(), 'Bool'],
    ['null', z.null(), 'Null'],
    ['a literal', z.literal('a'), 'Text | OneOf["a"]'],
    ['literals of several kinds', z.literal(['a', 1, null]), 'Null | Number | OneOf[1] | Text | OneOf["a"]'],
    ['an enum', z.enum(['b', 'a']), 'Text | OneOf["b", "a"]'],
    ['nullable', z.string().nullable(), 'Null | Text'],
    ['optional', z.string().optional(), 'Null | Text'],
    ['nullish', z.string().nullish(), 'Null | Text'],
    ['a default on the input side', z.string().default('x'), 'Null | Text'],
    ['an array', z.array(z.number()), 'List<Number>'],
    ['a tuple', z.tuple([z.string(), z.number()]), 'List<Number | Text>'],
    ['a record', z.record(z.string(), z.boolean()), 'Map<Text, Bool>'],
    ['an object', z.object({ b: z.string(), a: z.number() }), 'Record { a: Number, b: Text }'],
    ['a strict object', z.strictObject({}), 'Record {  }'],
    ['a catch-all', z.object({}).catchall(z.number()), 'Map<Text, Number>'],
    ['a union', z.union([z.string(), z.number()]), 'Number | Text'],
    ['a readonly array', z.array(z.string()).readonly(), 'List<Text>'],
    ['json', z.json(), 'Any'],
    ['unknown', z.unknown(), 'Any'],
    ['a recursive schema', recursive, 'Record { children: List<Any> }'],
    ['a recursive object', Folder, 'Record { inside: List<Any>, name: Text }'],
    [
      'an object used twice',
      z.object({ a: z.object({}), b: z.object({}) }),
      'Record { a: Record {  }, b: Record {  } }',
    ],
    ['a template', z.templateLiteral(['a', z.number()]), 'Text'],
    ['a part that may be absent', z.union([z.string(), z.undefined()]), 'Null | Text'],
    [
      'a discriminated union',
      z.discriminatedUnion('t', [z.object({ t: z.literal(1) }), z.object({ t: z.literal(2) })]),
      'Record { t: Number | OneOf[1] } | Record { t: Number | OneOf[2] }',
    ],
    ['a record over an enum', z.record(z.enum(['a', 'b']), z.number()), 'Map<Text, Number>'],
    ['a loose object', z.looseObject({ a: z.string() }), 'Record { a: Text }'],
    ['what a preprocess takes', z.preprocess(String, z.string()), 'Any'],
    ['what a catch takes', z.string().catch(''), 'Any'],
    ['a prefault', z.string().prefault('x'), 'Null | Text'],
    ['nonoptional', z.string().optional().nonoptional(), 'Text'],
    [
      'an intersection that agrees',
      z.object({ a: z.string() }).and(z.object({ a: z.string(), b: z.null() })),
      'Record { a: Text, b: Null }',
    ],
    ['an empty tuple', z.tuple([]), 'List<Any>'],
    ['a tuple with a rest', z.tuple([z.string()]).rest(z.null()), 'List<Null | Text>'],
    ['a field called __proto__', z.object({ ['__proto__']: z.string() }), 'Record { __proto__: Text }'],
    ['what a transform takes', z.string().transform(Number), 'Text'],
    [
      'an intersection',
      z.object({ a: z.string() }).and(z.object({ b: z.string() })),
      'Record { a: Text, b: Text }',
    ],
  ])('of %s', (_name, schema, expected) => {
    expect(show(typeOfSchema(schema, 's', 'input'))).toBe(expected);
  });

  it('is sure of a default on the output side', () => {
    expect(show(typeOfSchema(z.object({ a: z.string().default('x') }), 's', 'output'))).toBe(
      'Record { a: Text }',
    );
  });

  it.each<[string, z.ZodType]>([
    ['output.a.[].at', z.object({ a: z.array(z.object({ at: z.date() })) })],
    ['output.a', z.object({ a: z.string().transform(Number) })],
    ['output.n', z.object({ n: z.bigint() })],
    ['output', z.undefined()],
    ['output', z.void()],
    ['output.a', z.object({ a: z.void() })],
    ['output.a', z.object({ a: z.never() })],
    ['output.a', z.object({ a: z.nan() })],
    ['output.a', z.object({ a: z.symbol() })],
    ['output.a', z.object({ a: z.custom<string>(() => true) })],
    ['output.a', z.object({ a: z.instanceof(URL) })],
    ['output.a', z.object({ a: z.map(z.string(), z.string()) })],
    ['output.a', z.object({ a: z.set(z.string()) })],
    ['output.a', z.object({ a: z.promise(z.string()) })],
    ['output.a', z.object({ a: z.literal(1n) })],
    [
      'output.a',
      z.object({ a: z.codec(z.string(), z.date(), { decode: (text) => new Date(text), encode: String }) }),
    ],
    ['output.*', z.record(z.string(), z.date())],
    ['output.|1', z.union([z.string(), z.date()])],
    ['output[0]', z.tuple([z.date()])],
    ['output.a', z.lazy(() => z.object({ a: z.date().nullable() }))],
    ['output.b', z.object({ a: z.string(), b: z.string() }).and(z.object({ b: z.number() }))],
    ['output', z.object({}).and(z.record(z.string(), z.string()))],
  ])('is refused with the path %s of what JSON cannot carry', (path, schema) => {
    const convert = (): unknown => typeOfSchema(schema, 's', 'output');

    expect(convert).toThrow(
      expect.objectContaining({
        code: 'STAGE_TYPE_UNSUPPORTED',
        details: expect.objectContaining({ path: path.replace('.[]', '[]') }) as unknown,
      }),
    );
  });
});

describe('an input fitted to its schema', () => {
  const schema = z.strictObject({
    host: z.string().nullable(),
    note: z.string().optional(),
    tasks: z.array(z.strictObject({ id: z.string(), pr: z.number().nullable() })),
    event: z
      .discriminatedUnion('type', [z.object({ type: z.literal('a'), by: z.string().nullable() })])
      .optional(),
  });

  it('has null for nullable fields that are absent, and no null for optional ones', () => {
    const fitted = fitInput(schema, { note: null, tasks: [{ id: 't' }], event: { type: 'a' } });

    expect(schema.parse(fitted)).toEqual({
      host: null,
      tasks: [{ id: 't', pr: null }],
      event: { type: 'a', by: null },
    });
  });

  it('loses the fields a strict schema does not declare', () => {
    expect(schema.safeParse(fitInput(schema, { host: 'h', tasks: [], extra: 1 })).success).toBe(true);
  });
});
