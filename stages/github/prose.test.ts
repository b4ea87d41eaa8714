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
      // Of the processor's time: how busy the machine is is no matter.
      const before = process.cpuUsage();

      prose(part.repeat(200_000));

      const { user, system } = process.cpuUsage(before);
      expect((user + system) / 1_000).toBeLessThan(2_000);
    },
  );
});
