import fc from 'fast-check';
import { z } from 'zod';

import { fieldsIn, itemsIn } from './conformance.ts';

/** Ids few enough that the parts of a drawn value name each other. */
const ids = fc.constantFrom(
  'form',
  'mail',
  'docs',
  'agent-1',
  'agent-2',
  'reviewer-1',
  '10',
  '2',
  'constructor',
);

const instants = fc
  .integer({ min: 0, max: 4_000 })
  .map((minutes) => new Date(Date.UTC(2026, 3, 14) + minutes * 60_000).toISOString());

const shas = fc.constantFrom('a', 'b', 'c').map((digit) => digit.repeat(40));

/** Texts of strangers: markup, mentions, half of an emoji, what looks like our own hidden lines. */
const texts = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.constantFrom(
    '',
    '__proto__',
    'constructor',
    '\uD800',
    'a\uDFFFb',
    '\u0000',
    'x\n# heading\n- [ ] box @everyone',
    '<!-- caloron:login-20260414:form -->',
    '2026-04-14',
    'a'.repeat(2_000),
  ),
);

const numbers = fc.oneof(
  fc.integer({ min: 0, max: 50 }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(-1, -0, 0.5, 2 ** 53 + 2, 1e308, -1e308, 5e-324),
);

/** What no schema of ours asks for. */
const hostile: fc.Arbitrary<unknown> = fc.oneof(
  texts,
  numbers,
  fc.constantFrom(null, true, [], {}, [[[[]]]]),
  fc
    .constantFrom('{"__proto__":{"status":"Done"}}', '{"constructor":{"prototype":{}}}', '{"length":-1}')
    .map((text): unknown => JSON.parse(text)),
  fc.jsonValue({ maxDepth: 3 }),
);

type Schema = Readonly<Record<string, unknown>>;

function text({ pattern, minLength, enum: options, const: one }: Schema): fc.Arbitrary<unknown> {
  if (one !== undefined) return fc.constant(one);
  if (Array.isArray(options)) return fc.constantFrom(...(options as unknown[]));
  if (typeof pattern !== 'string') {
    return typeof minLength === 'number' ? texts.filter((one) => one.length >= minLength) : texts;
  }
  if (new RegExp(pattern, 'u').test('acme/shop')) return fc.constantFrom('acme/shop', 'owner/repo.js');
  const [id, instant, sha] = ['form', '2026-04-14T08:30:00.000Z', 'a'.repeat(40)].map((example) =>
    new RegExp(pattern, 'u').test(example),
  );
  if (id && !sha) return ids;
  if (sha) return id ? ids : shas;
  return instant ? instants : fc.stringMatching(new RegExp(pattern, 'u'));
}

function number({ minimum, exclusiveMinimum, maximum, type }: Schema): fc.Arbitrary<unknown> {
  const bound = (one: unknown, other: number): number => (typeof one === 'number' ? one : other);
  const min = Math.max(bound(minimum, -50), bound(exclusiveMinimum, -51) + (type === 'integer' ? 1 : 0.5));
  const max = Math.min(bound(maximum, 50), 50);
  const small = fc.integer({ min: Math.ceil(min), max: Math.max(Math.ceil(min), Math.floor(max)) });
  return type === 'integer'
    ? small
    : fc.oneof(small, fc.double({ min, max: Math.max(min, max), noNaN: true }));
}

function entries(keys: fc.Arbitrary<string>, values: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc
    .uniqueArray(fc.tuple(keys, values), { maxLength: 5, selector: ([key]) => key })
    .map((pairs): unknown => Object.fromEntries(pairs));
}

function object(schema: Schema, odd: boolean): fc.Arbitrary<unknown> {
  const { properties, required, additionalProperties, propertyNames } = schema;
  if (properties === undefined) {
    const keys = propertyNames === undefined ? texts : text(fieldsIn(propertyNames)).map(String);
    return entries(keys, fromSchema(fieldsIn(additionalProperties), odd));
  }
  const requiredKeys = itemsIn(required).map(String);
  const fields = Object.entries(fieldsIn(properties)).map(([key, field]) =>
    fc.tuple(
      fc.constant(key),
      fromSchema(fieldsIn(field), odd),
      requiredKeys.includes(key) ? fc.constant(true) : fc.boolean(),
    ),
  );
  return fc
    .tuple(...fields)
    .map((drawn): unknown =>
      Object.fromEntries(drawn.filter(([, , kept]) => kept).map(([key, value]) => [key, value])),
    );
}

/** What a schema describes; in an odd draw one part in about thirty is something else. */
function fromSchema(schema: Schema, odd: boolean): fc.Arbitrary<unknown> {
  const sound = soundly(schema, odd);
  return odd ? fc.oneof({ arbitrary: sound, weight: 30 }, { arbitrary: hostile, weight: 1 }) : sound;
}

function soundly(schema: Schema, odd: boolean): fc.Arbitrary<unknown> {
  const either = [...itemsIn(schema['anyOf']), ...itemsIn(schema['oneOf'])].map(fieldsIn);
  if (either.length > 0) return fc.oneof(...either.map((one) => soundly(one, odd)));
  if (schema['const'] !== undefined || schema['enum'] !== undefined) return text(schema);
  if (Array.isArray(schema['type'])) {
    return fc.oneof(...schema['type'].map((type: unknown) => soundly({ ...schema, type }, odd)));
  }
  switch (schema['type']) {
    case 'object':
      return object(schema, odd);
    case 'array':
      return fc.array(fromSchema(fieldsIn(schema['items']), odd), { maxLength: 4 });
    case 'string':
      return text(schema);
    case 'number':
    case 'integer':
      return number(schema);
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    default:
      return hostile;
  }
}

/** Inputs a schema describes, and a few that it does not: as they come out of JSON, with keys and texts of strangers in them. */
export function inputsOf(schema: z.ZodType): fc.Arbitrary<unknown> {
  const described = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused: 'inline' });
  const drawn = fc.oneof(
    { arbitrary: fromSchema(fieldsIn(described), false), weight: 2 },
    { arbitrary: fromSchema(fieldsIn(described), true), weight: 1 },
  );
  return drawn.map((value): unknown => JSON.parse(JSON.stringify(value)));
}
