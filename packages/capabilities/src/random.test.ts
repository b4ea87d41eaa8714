import { describe, expect, it } from 'vitest';

import { randomToken, systemRandom } from './random.ts';

describe('randomToken', () => {
  it('gives a fresh base64url text of the bytes asked for', () => {
    expect(randomToken()).toMatch(/^[\w-]{43}$/);
    expect(randomToken(6)).toMatch(/^[\w-]{8}$/);
    expect(randomToken()).not.toBe(randomToken());
  });
});

describe('systemRandom', () => {
  it('gives fractions from 0 up to but not 1', () => {
    const drawn = Array.from({ length: 1000 }, () => systemRandom.fraction());

    expect(drawn.every((fraction) => fraction >= 0 && fraction < 1)).toBe(true);
    expect(new Set(drawn).size).toBeGreaterThan(990);
  });

  it('gives lower-case UUIDs', () => {
    expect(systemRandom.uuid()).toMatch(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  });
});
