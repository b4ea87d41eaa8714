import { StdlibError } from '../errors.ts';

/** ISO 8601 as this library reads it: a day, or a day and a time with its distance to UTC. */
const ISO =
  /^(\d{4})-(\d{2})-(\d{2})(?:[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?(?:[Zz]|([+-])(\d{2}):?(\d{2})))?$/u;

/** What is expected of a date, in words. */
const EXPECTED = 'a date such as 2026-04-14 or 2026-04-14T08:30:00Z';

const MINUTE = 60_000;

/**
 * The instant of a date, ms since 1970. A day alone begins at midnight UTC; a time needs its distance to UTC. Throws
 * STDLIB_DATE_INVALID also for days no calendar has.
 */
export function epochOf(stage: string, text: string): number {
  const invalid = (): StdlibError =>
    new StdlibError('STDLIB_DATE_INVALID', { stage, text: JSON.stringify(text), expected: EXPECTED });
  const found = ISO.exec(text);
  if (!found) throw invalid();
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = found
    .slice(1, 7)
    .map((part: string | undefined) => Number(part ?? 0));
  const [fraction = '', sign = '+', offsetHour = '0', offsetMinute = '0'] = found.slice(7);
  if (hour > 23 || minute > 59 || second > 59 || Number(offsetHour) > 23 || Number(offsetMinute) > 59)
    throw invalid();
  const midnight = dayOf(year, month, day);
  if (midnight === null) throw invalid();
  const offset = (Number(offsetHour) * 60 + Number(offsetMinute)) * (sign === '-' ? -1 : 1);
  const ms = Number(`${fraction}000`.slice(0, 3));
  return midnight + ((hour * 60 + minute - offset) * 60 + second) * 1000 + ms;
}

/** Midnight UTC of a day of the calendar, ms since 1970; null for a day there is not. `month` from 1. */
export function dayOf(year: number, month: number, day: number): number | null {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day ? date.getTime() : null;
}

/** An instant as text: UTC, ISO 8601, milliseconds. Throws STDLIB_DATE_INVALID outside the years 0 to 9999. */
export function isoOf(stage: string, epoch_ms: number): string {
  const date = new Date(epoch_ms);
  const year = date.getUTCFullYear();
  if (Number.isNaN(year) || year < 0 || year > 9999) {
    const expected = 'an instant of the years 0 to 9999';
    throw new StdlibError('STDLIB_DATE_INVALID', { stage, text: `${epoch_ms} ms`, expected });
  }
  return date.toISOString();
}

/** Units of a fixed length, ms. */
export const UNIT_MS = {
  ms: 1,
  s: 1000,
  m: MINUTE,
  h: 60 * MINUTE,
  d: 24 * 60 * MINUTE,
  w: 7 * 24 * 60 * MINUTE,
} as const;
