/** Beyond this a double has no fraction to round, and toFixed changes its form. Source: ECMA-262, Number.prototype.toFixed. */
const NO_FRACTION = 1e21;

/**
 * A number with `digits` decimals as text, half to even on its exact binary value. toFixed is exact too but takes a tie up; a tie is where
 * the double times 2^(digits+1) is an odd integer, as only those lie exactly between two decimals.
 */
export function fixedHalfEven(value: number, digits: number): string {
  const size = Math.abs(value);
  if (!Number.isFinite(value)) return String(value);
  if (size >= NO_FRACTION) return `${BigInt(value)}${digits === 0 ? '' : `.${'0'.repeat(digits)}`}`;
  const up = size.toFixed(digits);
  const scaled = size * 2 ** (digits + 1);
  const tie = Number.isInteger(scaled) && scaled % 2 === 1;
  const units = BigInt(up.replace('.', ''));
  const even = tie && units % 2n === 1n ? units - 1n : units;
  const text = even.toString().padStart(digits + 1, '0');
  const point = text.length - digits;
  const unsigned = digits === 0 ? text : `${text.slice(0, point)}.${text.slice(point)}`;
  return value < 0 ? `-${unsigned}` : unsigned;
}

/** A number rounded to `digits` decimals, half to even on its exact binary value; never -0. */
export function roundHalfEven(value: number, digits: number): number {
  return Number(fixedHalfEven(value, digits)) + 0;
}
