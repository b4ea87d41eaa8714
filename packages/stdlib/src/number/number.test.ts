import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { answer } from '../testing/answer.ts';
import { add, divide, modulo, multiply, power, subtract } from './arithmetic.ts';
import { clamp, clampPercent, round } from './rounding.ts';
import { numAvg, numMax, numMin, numSum } from './totals.ts';

const numbers = fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e9, max: 1e9 });
const integers = fc.integer({ min: -1e6, max: 1e6 });

describe('arithmetic', () => {
  it('on whole numbers is undone by its opposite', () => {
    fc.assert(
      fc.property(integers, integers, (left, right) => {
        const sum = answer(add, { left, right });
        const product = answer(multiply, { left, right });

        expect(answer(subtract, { left: sum, right })).toBe(left);
        if (right !== 0) expect(answer(divide, { left: product, right })).toBe(left);
      }),
    );
  });

  it('divides into a quotient and a rest with the sign of the divisor', () => {
    fc.assert(
      fc.property(
        integers,
        integers.filter((right) => right !== 0),
        (left, right) => {
          const rest = Number(answer(modulo, { left, right }));

          expect(Math.floor(left / right) * right + rest).toBe(left);
          expect(rest === 0 || rest < 0 === right < 0).toBe(true);
        },
      ),
    );
  });

  it.each([
    [() => answer(divide, { left: 1, right: 0 }), 'STDLIB_DIVISION_BY_ZERO'],
    [() => answer(modulo, { left: 1, right: 0 }), 'STDLIB_DIVISION_BY_ZERO'],
    [() => answer(power, { left: -1, right: 0.5 }), 'STDLIB_NUMBER_INVALID'],
    [() => answer(multiply, { left: 1e308, right: 10 }), 'STDLIB_NUMBER_INVALID'],
    [() => answer(numSum, [1e308, 1e308]), 'STDLIB_NUMBER_INVALID'],
    [() => answer(numAvg, []), 'STDLIB_LIST_EMPTY'],
    [() => answer(numMin, []), 'STDLIB_LIST_EMPTY'],
    [() => answer(numMax, []), 'STDLIB_LIST_EMPTY'],
  ])('fails where there is no answer: %#', (call, code) => {
    expect(call).toThrow(expect.objectContaining({ code }));
  });
});

describe('rounding', () => {
  it('comes as near as the places allow, and again changes nothing', () => {
    fc.assert(
      fc.property(numbers, fc.nat(6), (value, places) => {
        const rounded = Number(answer(round, { value, places }));

        // Neither number is exact: each is off by half of its last digit.
        const inexact = Math.abs(value) * Number.EPSILON;
        expect(Math.abs(rounded - value)).toBeLessThanOrEqual(0.5 * 10 ** -places + inexact);
        expect(answer(round, { value: rounded, places })).toBe(rounded);
        expect(Object.is(rounded, -0)).toBe(false);
      }),
    );
  });

  it('keeps a clamped number within its bounds', () => {
    fc.assert(
      fc.property(numbers, numbers, numbers, (value, a, b) => {
        const [min, max] = [Math.min(a, b), Math.max(a, b)];
        const clamped = Number(answer(clamp, { value, min, max }));

        expect(clamped >= min && clamped <= max).toBe(true);
        expect(answer(clampPercent, value)).toBe(answer(clamp, { value, min: 0, max: 100 }));
      }),
    );
  });

  it('leaves numbers beyond every place as they are', () => {
    expect(answer(round, { value: 1.7e308, places: 15 })).toBe(1.7e308);
    expect(answer(round, { value: 5e-324, places: 15 })).toBe(0);
  });
});

describe('totals', () => {
  it('lie between the smallest and the largest', () => {
    fc.assert(
      fc.property(fc.array(integers, { minLength: 1 }), (items) => {
        const mean = Number(answer(numAvg, items));

        expect(Number(answer(numMin, items))).toBeLessThanOrEqual(mean);
        expect(Number(answer(numMax, items))).toBeGreaterThanOrEqual(mean);
        expect(Number(answer(numSum, items))).toBeCloseTo(mean * items.length, 3);
      }),
    );
  });

  it('of a list of a million are there', () => {
    const items = Array.from({ length: 1_000_000 }, (_, i) => i);

    expect([answer(numMin, items), answer(numMax, items)]).toEqual([0, 999_999]);
  });
});
