import { type Json, mismatch, NType } from '@caloron/noether/stage';
import { z } from 'zod';

import { defineStage, original } from '../kit.ts';
import { AnyValue } from '../shape.ts';
import { EngineStageError } from './errors.ts';

/** Issues named in one error; more would hide the first. */
const MAX_ISSUES = 3;

function typeOf(field: string, value: Json): NType {
  const parsed = NType.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(({ path, message }) =>
    path.length === 0 ? message : `${path.map(String).join('.')}: ${message}`,
  );
  throw new EngineStageError('TYPE_INVALID', { field, issues: issues.slice(0, MAX_ISSUES) });
}

/** `type_check`: types in their JSON form; by the subtype table graphs are checked with. Throws TYPE_INVALID. */
export const typeCheck = original(
  defineStage({
    name: 'type_check',
    description: 'Says whether values of one type fit where another is expected, and why not.',
    effects: ['Pure'],
    input: z.object({ sub: AnyValue, sup: AnyValue }),
    output: z.object({ compatible: z.boolean(), reason: z.string().nullable() }),
    examples: [
      { input: { sub: { kind: 'Text' }, sup: { kind: 'Any' } }, output: { compatible: true, reason: null } },
      {
        input: { sub: { kind: 'Text' }, sup: { kind: 'Number' } },
        output: { compatible: false, reason: 'expected Number, got Text' },
      },
      {
        input: {
          sub: { kind: 'Record', value: { a: { kind: 'Text' } } },
          sup: { kind: 'Record', value: { b: { kind: 'Text' } } },
        },
        output: { compatible: false, reason: 'missing required field `b`' },
      },
    ],
    tags: ['engine'],
    run: ({ sub, sup }) => {
      const reason = mismatch(typeOf('sub', sub), typeOf('sup', sup));
      return { compatible: reason === null, reason };
    },
  }),
);
