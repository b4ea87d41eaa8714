import { z } from 'zod';

/** The inner type of another; a function, as types hold types. */
const inner = (): z.ZodType => TypeFile;

const Members = z.record(
  z.string(),
  z.lazy(() => TypeFile),
);

const Refinement = z
  .discriminatedUnion('kind', [
    z.looseObject({
      kind: z.literal('Range'),
      min: z.number().nullish().meta({ description: 'Smallest value; open when absent' }),
      max: z.number().nullish().meta({ description: 'Largest value; open when absent' }),
    }),
    z.looseObject({ kind: z.literal('OneOf'), options: z.array(z.json()) }),
    z.looseObject({ kind: z.literal('NonEmpty') }),
  ])
  .meta({ id: 'Refinement' });

/**
 * The wire form of a type as a schema that editors are given; `readType` is what reads one. A test holds the two
 * against each other.
 */
export const TypeFile: z.ZodType = z
  .lazy(() =>
    z.discriminatedUnion('kind', [
      z.looseObject({
        kind: z.enum(['Any', 'Bool', 'Bytes', 'Null', 'Number', 'Text', 'VNode']),
        value: z.null().optional(),
      }),
      z.looseObject({ kind: z.enum(['List', 'Stream']), value: inner() }),
      z.looseObject({ kind: z.literal('Map'), value: z.looseObject({ key: inner(), value: inner() }) }),
      z.looseObject({ kind: z.literal('Record'), value: Members }),
      z.looseObject({ kind: z.literal('Union'), value: z.array(inner()) }),
      z.looseObject({ kind: z.literal('Var'), value: z.string() }),
      z.looseObject({
        kind: z.literal('RecordWith'),
        value: z.looseObject({ fields: Members, rest: z.string() }),
      }),
      z.looseObject({
        kind: z.literal('Refined'),
        value: z.looseObject({ base: inner(), refinement: Refinement }),
      }),
    ]),
  )
  .meta({
    id: 'Type',
    description: 'A type: {"kind": "Text"}, {"kind": "List", "value": {"kind": "Number"}}, …',
  });
