import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { answer } from '../testing/answer.ts';
import { dateAdd, dateDiff, dateFormat, dateParse } from './calendar.ts';

const instants = fc
  .date({ min: new Date('1900-01-01T00:00:00Z'), max: new Date('2200-01-01T00:00:00Z'), noInvalidDate: true })
  .map((date) => date.toISOString());

describe('dates', () => {
  it('read are the instants they were written from', () => {
    fc.assert(
      fc.property(instants, (text) => {
        expect(answer(dateParse, { text })).toEqual({ at: text, epoch_ms: Date.parse(text) });
        expect(answer(dateFormat, { at: text, format: 'YYYY-MM-DD[T]HH:mm:ss.SSS[Z]' })).toBe(text);
      }),
    );
  });

  it('moved on lie as far apart as they were moved', () => {
    fc.assert(
      fc.property(
        instants,
        fc.integer({ min: -1e6, max: 1e6 }),
        fc.constantFrom('ms', 's', 'm'),
        (from, amount, unit) => {
          const to = answer(dateAdd, { at: from, amount, unit });

          expect(answer(dateDiff, { from, to, unit })).toBe(amount);
        },
      ),
    );
  });

  it('moved by months stay on their day or on the last of the month', () => {
    fc.assert(
      fc.property(instants, fc.integer({ min: -600, max: 600 }), (at, amount) => {
        const before = new Date(at);
        const after = new Date(String(answer(dateAdd, { at, amount, unit: 'month' })));
        const months = (date: Date): number => date.getUTCFullYear() * 12 + date.getUTCMonth();
        const next = new Date(after.getTime() + 86_400_000);

        expect(months(after) - months(before)).toBe(amount);
        expect(after.getUTCDate() === before.getUTCDate() || next.getUTCDate() === 1).toBe(true);
        expect(after.toISOString().slice(11)).toBe(at.slice(11));
      }),
    );
  });

  it.each([
    '2026-02-30',
    '2026-13-01',
    '2026-04-14T24:00:00Z',
    '2026-04-14T08:30:00',
    '2026-04-14T08:30:60Z',
    '14.04.2026',
    'now',
    '',
  ])('that are none are refused: %s', (text) => {
    expect(() => answer(dateParse, { text })).toThrow(
      expect.objectContaining({ code: 'STDLIB_DATE_INVALID' }),
    );
  });

  it('follow the summer time of their zone', () => {
    const format = 'HH:mm Z';

    expect(answer(dateFormat, { at: '2026-01-01', format, time_zone: 'Europe/Berlin' })).toBe('01:00 +01:00');
    expect(answer(dateFormat, { at: '2026-07-01', format, time_zone: 'Asia/Kolkata' })).toBe('05:30 +05:30');
    expect(() => answer(dateFormat, { at: '2026-07-01', format, time_zone: 'Moon/Base' })).toThrow(
      expect.objectContaining({ code: 'STDLIB_DATE_INVALID' }),
    );
  });

  it('are written in time linear in the pattern', () => {
    const at = '2026-04-14';
    // Of the processor's time: how busy the machine is is no matter.
    const start = process.cpuUsage();

    expect(answer(dateFormat, { at, format: `[DD]${'['.repeat(200_000)}DD` })).toBe(
      `DD${'['.repeat(200_000)}14`,
    );
    expect(answer(dateFormat, { at, format: '[a[DD]] [' })).toBe('a[DD] [');
    const { user, system } = process.cpuUsage(start);
    expect((user + system) / 1_000).toBeLessThan(5000);
  });

  it('stay within the years that can be written', () => {
    expect(() => answer(dateAdd, { at: '9999-12-31', amount: 1, unit: 'd' })).toThrow(
      expect.objectContaining({ code: 'STDLIB_DATE_INVALID' }),
    );
    expect(() => answer(dateAdd, { at: '2026-01-01', amount: 1e300, unit: 'year' })).toThrow(
      expect.objectContaining({ code: 'STDLIB_DATE_INVALID' }),
    );
  });
});
