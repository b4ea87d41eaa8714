import { CodedError } from '@caloron/noether/stage';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { catalog } from './index.ts';
import { inputsOf } from './testing/arbitrary.ts';

const pure = catalog.filter(({ stage }) => stage.effects.some((effect) => effect === 'Pure'));

function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) frozen(part);
  }
  return value;
}

describe('a pure stage, whatever it is given', () => {
  it.each(pure.map(({ stage }) => ({ name: stage.name, stage })))(
    '$name gives a sound answer or a coded error, the same each time, and changes nothing it was given',
    ({ stage }) => {
      let answers = 0;
      const answer = (input: unknown): string => {
        try {
          const output: unknown = stage.run(input, Object.freeze({}));
          const text = JSON.stringify(output);
          expect(stage.output.parse(JSON.parse(text))).toEqual(JSON.parse(text));
          answers += 1;
          return text;
        } catch (error) {
          if (error instanceof CodedError) return error.code;
          throw error;
        }
      };

      fc.assert(
        fc.property(inputsOf(stage.input), (given) => {
          const before = JSON.stringify(given);
          const parsed = stage.input.safeParse(frozen(given));
          expect(JSON.stringify(given)).toBe(before);
          if (!parsed.success) return;
          const input = frozen(parsed.data);

          expect(answer(input)).toBe(answer(input));
        }),
        { numRuns: 150 },
      );
      // A generator that only ever draws what is refused would say nothing.
      expect(answers).toBeGreaterThan(30);
    },
  );
});
