import { describe, expect, it } from 'vitest';

import { fixedClock, systemClock } from './clock.ts';

describe('systemClock', () => {
  it('gives UTC with milliseconds', () => {
    expect(systemClock.now()).toMatch(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/);
  });
});

describe('fixedClock', () => {
  it('stands still until it is moved', () => {
    const clock = fixedClock('2026-04-14T08:30:00.000Z');

    expect([clock.now(), clock.now()]).toEqual(['2026-04-14T08:30:00.000Z', '2026-04-14T08:30:00.000Z']);
    clock.advance(90_000);
    expect(clock.now()).toBe('2026-04-14T08:31:30.000Z');
  });
});
