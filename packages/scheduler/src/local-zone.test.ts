import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { localZoneProblem } from './local-zone.ts';

describe('the zone of the process', () => {
  let before: string | undefined;
  beforeEach(() => {
    before = process.env['TZ'];
  });
  afterEach(() => {
    if (before === undefined) delete process.env['TZ'];
    else process.env['TZ'] = before;
  });
  const problemOf = (zone: string): string | null => {
    process.env['TZ'] = zone;
    return localZoneProblem(zone);
  };

  it.each([
    'Europe/Madrid',
    'Asia/Kathmandu',
    'America/New_York',
    'UTC',
    'Etc/UTC',
    'UTC0',
    'GMT',
    'EST5EDT',
    ':Europe/Madrid',
    ':/etc/passwd',
    'UTC+2',
    '',
  ])('S21 may be %j', (zone) => {
    expect(problemOf(zone)).toBe(null);
  });

  it('S21 may be what the machine has', () => {
    delete process.env['TZ'];
    expect(localZoneProblem(undefined)).toBe(null);
  });

  it.each(['Europe/Madird', 'Mars/Base', 'europe/madrid', 'CET-1CEST', 'Europe/Madrid ', '/nowhere/Madrid'])(
    'S21 is told where it is %j, which would be UTC',
    (zone) => {
      expect(problemOf(zone)).toMatch(/^TZ is ".*expected an IANA zone like Europe\/Madrid/u);
    },
  );
});
