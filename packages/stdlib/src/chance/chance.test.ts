import fc from 'fast-check';
import { expect, it } from 'vitest';

import { draw, VALUES } from './draw.ts';
import { randomText } from './text.ts';

/** Chance that says these numbers of 2^32, then the last one for ever. */
function says(...values: readonly number[]): {
  readonly uuid: () => string;
  readonly fraction: () => number;
} {
  const left = [...values];
  return {
    uuid: () => '',
    fraction: () => (left.length > 1 ? (left.shift() ?? 0) : (left[0] ?? 0)) / VALUES,
  };
}

it('a draw is a whole number below the count', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: VALUES }),
      fc.integer({ min: 0, max: VALUES - 1 }),
      (count, value) => {
        const drawn = draw(says(value), count);

        expect(Number.isInteger(drawn) && drawn >= 0 && drawn < count).toBe(true);
      },
    ),
  );
});

it('a draw from the uneven rest is made again, so that every number is as likely', () => {
  // 2^32 = 3 × 1431655765 + 1: the last value would make 0 likelier.
  expect(draw(says(VALUES - 1, 5), 3)).toBe(2);
  expect(draw(says(VALUES - 2), 3)).toBe((VALUES - 2) % 3);
});

it('a text is made of characters of its alphabet, surrogate pairs whole', () => {
  const random = says(0, 2 ** 31, VALUES - 1, 7);
  const text = randomText.output.parse(randomText.call({ length: 50, alphabet: 'a🙂' }, { random }));

  expect(Array.from(text)).toHaveLength(50);
  expect(text.replaceAll('a', '').replaceAll('🙂', '')).toBe('');
});
