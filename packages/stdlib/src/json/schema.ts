import { ANY, BOOL, list, record, TEXT, type Json } from '@caloron/noether/stage';
import { Ajv, type ErrorObject, type Options } from 'ajv';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { z } from 'zod';

import { StdlibError } from '../errors.ts';
import { defineStage, original } from '../kit.ts';
import { compilePattern } from '../text/regex.ts';
import { AnyValue, compareText, fieldOf, isObject } from '../shape.ts';

/** Problems named in one answer; more would hide the first. */
const MAX_ERRORS = 100;

/**
 * Patterns of a schema run on an engine of linear time, since a schema may come from strangers. The validator tells patterns
 * apart by their text.
 */
const linear = Object.assign(
  (source: string) => {
    const pattern = compilePattern(source);
    return { test: (text: string) => pattern.matcher(text).find(), toString: () => source };
  },
  { code: 'linear' },
);

const OPTIONS: Options = {
  allErrors: true,
  strict: false,
  logger: false,
  code: { regExp: linear },
};

/** The dialect a schema names in `$schema`; 2020-12 unless it names another. */
function dialect(schema: Json): Ajv {
  const named = fieldOf(schema, '$schema');
  if (typeof named === 'string' && named.includes('draft-07')) return new Ajv(OPTIONS);
  if (typeof named === 'string' && named.includes('2019-09')) return new Ajv2019(OPTIONS);
  return new Ajv2020(OPTIONS);
}

function problems(data: Json, schema: Json): readonly string[] {
  if (!isObject(schema) && typeof schema !== 'boolean')
    throw new StdlibError('STDLIB_SCHEMA_INVALID', { reason: 'expected an object or a boolean' });
  try {
    const ajv = dialect(schema);
    formats.default(ajv, { mode: 'fast' });
    const validate = ajv.compile(schema);
    return validate(data) ? [] : (validate.errors ?? []).map(problem).sort(compareText);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new StdlibError('STDLIB_SCHEMA_INVALID', { reason }, { cause });
  }
}

function problem({ instancePath, message = 'is not valid', params }: ErrorObject): string {
  const named: unknown = params['additionalProperty'] ?? params['unevaluatedProperty'];
  const which = typeof named === 'string' ? `: ${named}` : '';
  return `${instancePath === '' ? '/' : instancePath} ${message}${which}`;
}

/**
 * `json_schema_validate`: JSON Schema 2020-12, 2019-09 or draft-07 by the schema's `$schema`, formats included. References lead
 * within the schema; nothing is fetched. Errors are sorted. Throws STDLIB_SCHEMA_INVALID for a schema that is none.
 */
export const jsonSchemaValidate = original(
  defineStage({
    name: 'json_schema_validate',
    description: 'Checks a value against a JSON schema and lists what does not fit.',
    effects: ['Pure'],
    input: z.object({ data: AnyValue, schema: AnyValue }),
    output: z.object({ errors: z.array(z.string()), valid: z.boolean() }),
    examples: [
      { input: { data: 'hello', schema: { type: 'string' } }, output: { errors: [], valid: true } },
      {
        input: { data: 42, schema: { type: 'string' } },
        output: { errors: ['/ must be string'], valid: false },
      },
      {
        input: {
          data: { id: 'x', n: [1, 'b'], more: 1 },
          schema: {
            type: 'object',
            required: ['id', 'name'],
            properties: { id: { pattern: '^\\d+$' }, n: { items: { type: 'number' } } },
            additionalProperties: false,
          },
        },
        output: {
          errors: [
            '/ must NOT have additional properties: more',
            "/ must have required property 'name'",
            '/id must match pattern "^\\d+$"',
            '/n/1 must be number',
          ],
          valid: false,
        },
      },
    ],
    tags: ['json', 'validation'],
    run: ({ data, schema }) => {
      const errors = problems(data, schema);
      return { errors: errors.slice(0, MAX_ERRORS), valid: errors.length === 0 };
    },
  }),
  { input: record({ data: ANY, schema: ANY }), output: record({ errors: list(TEXT), valid: BOOL }) },
);
