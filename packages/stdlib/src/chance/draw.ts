import type { Random } from '@caloron/types';

/** Values one draw has: 2^32, the resolution of `Random.fraction`. */
export const VALUES = 4_294_967_296;

/** Draws that may fall into the uneven rest; each does with less than even odds. */
const MAX_DRAWS = 128;

/** A whole number from 0 to `count - 1`, each as likely as the others; `count` from 1 to 2^32. */
export function draw(random: Random, count: number): number {
  const even = VALUES - (VALUES % count);
  let value = Math.floor(random.fraction() * VALUES);
  for (let draws = 1; value >= even && draws < MAX_DRAWS; draws += 1)
    value = Math.floor(random.fraction() * VALUES);
  return value % count;
}
