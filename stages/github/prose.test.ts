import { describe, expect, it } from 'vitest';

import { prose } from './prose.ts';

describe('prose', () => {
  it.each([
    ['a `b` c', 'a   c'],
    ['a ``b ` c`` d', 'a   d'],
    ['a ` b', 'a ` b'],
    ['a `` b ` c', 'a `` b ` c'],
    ['a <!-- b --> c', 'a   c'],
    ['a <!-- b', 'a '],
    ['a\n```ts\nb\n```\nc', 'a\nc'],
    ['a\n````\n```\nb\n````\nc', 'a\nc'],
    ['a\n```\nb\n~~~\nc', 'a'],
  ])('of %j is %j', (text, expected) => {
    expect(prose(text)).toBe(expected);
  });

  it.each(['`', '``a', '<!--', '```\n', '~~~ ', 'x`'])(
    'of two hundred thousand times %j comes at once',
    (part) => {
      const before = performance.now();

      prose(part.repeat(200_000));

      expect(performance.now() - before).toBeLessThan(2_000);
    },
  );
});
