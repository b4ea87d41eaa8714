import { z } from 'zod';

import { StdlibError } from '../errors.ts';
import { defineStage } from '../kit.ts';
import { dayOf, epochOf, isoOf, UNIT_MS } from './instant.ts';
import { formatted } from './format.ts';

/** `date_parse`: a day alone begins at midnight UTC; a time needs its distance to UTC. Throws STDLIB_DATE_INVALID. */
export const dateParse = defineStage({
  name: 'date_parse',
  description: 'Reads an instant from ISO 8601 text.',
  effects: ['Pure'],
  input: z.object({ text: z.string() }),
  output: z.object({ at: z.string(), epoch_ms: z.number() }),
  examples: [
    {
      input: { text: '2026-04-14T10:30:00+02:00' },
      output: { at: '2026-04-14T08:30:00.000Z', epoch_ms: 1_776_155_400_000 },
    },
    { input: { text: '1970-01-01' }, output: { at: '1970-01-01T00:00:00.000Z', epoch_ms: 0 } },
    {
      input: { text: '2024-02-29 12:00:00.5Z' },
      output: { at: '2024-02-29T12:00:00.500Z', epoch_ms: 1_709_208_000_500 },
    },
  ],
  tags: ['date'],
  run: ({ text }) => {
    const epoch_ms = epochOf('date_parse', text);
    return { at: isoOf('date_parse', epoch_ms), epoch_ms };
  },
});

const Unit = z.enum(['ms', 's', 'm', 'h', 'd', 'w']);

/**
 * `date_add`: units are ms, s, m, h, d (24 hours), w, month and year; months and years keep the day in UTC, or take the last of a
 * shorter month, and are whole. Throws STDLIB_DATE_INVALID.
 */
export const dateAdd = defineStage({
  name: 'date_add',
  description: 'Gives the instant that lies an amount of time after another.',
  effects: ['Pure'],
  input: z.object({
    at: z.string(),
    amount: z.number(),
    unit: z.enum([...Unit.options, 'month', 'year']),
  }),
  output: z.string(),
  examples: [
    {
      input: { at: '2026-04-14T08:30:00Z', amount: 90, unit: 'm' },
      output: '2026-04-14T10:00:00.000Z',
    },
    { input: { at: '2026-01-31', amount: 1, unit: 'month' }, output: '2026-02-28T00:00:00.000Z' },
    { input: { at: '2024-02-29', amount: -1, unit: 'year' }, output: '2023-02-28T00:00:00.000Z' },
    { input: { at: '2026-03-01', amount: -0.5, unit: 'd' }, output: '2026-02-28T12:00:00.000Z' },
  ],
  tags: ['date'],
  run: ({ at, amount, unit }) => {
    const epoch_ms = epochOf('date_add', at);
    if (unit === 'month' || unit === 'year')
      return isoOf('date_add', monthsLater(epoch_ms, unit === 'year' ? amount * 12 : amount));
    return isoOf('date_add', epoch_ms + Math.round(amount * UNIT_MS[unit]));
  },
});

function monthsLater(epoch_ms: number, months: number): number {
  if (!Number.isSafeInteger(months)) {
    const expected = 'a whole number of months';
    throw new StdlibError('STDLIB_DATE_INVALID', { stage: 'date_add', text: String(months), expected });
  }
  const date = new Date(epoch_ms);
  const month = date.getUTCFullYear() * 12 + date.getUTCMonth() + months;
  const [year, inYear] = [Math.floor(month / 12), (((month % 12) + 12) % 12) + 1];
  for (let day = date.getUTCDate(); day > 27; day -= 1) {
    const midnight = dayOf(year, inYear, day);
    if (midnight !== null) return midnight + timeOfDay(epoch_ms);
  }
  return (dayOf(year, inYear, date.getUTCDate()) ?? Number.NaN) + timeOfDay(epoch_ms);
}

function timeOfDay(epoch_ms: number): number {
  return ((epoch_ms % UNIT_MS.d) + UNIT_MS.d) % UNIT_MS.d;
}

/** `date_diff`: from `from` to `to`, negative where `to` lies before; not rounded. Throws STDLIB_DATE_INVALID. */
export const dateDiff = defineStage({
  name: 'date_diff',
  description: 'Gives the time between two instants.',
  effects: ['Pure'],
  input: z.object({ from: z.string(), to: z.string(), unit: Unit }),
  output: z.number(),
  examples: [
    { input: { from: '2026-04-14T08:00:00Z', to: '2026-04-14T09:30:00Z', unit: 'm' }, output: 90 },
    { input: { from: '2026-04-14', to: '2026-04-13', unit: 'd' }, output: -1 },
    { input: { from: '2026-04-14T00:00:00+02:00', to: '2026-04-14T00:00:00Z', unit: 'h' }, output: 2 },
  ],
  tags: ['date'],
  run: ({ from, to, unit }) => (epochOf('date_diff', to) - epochOf('date_diff', from)) / UNIT_MS[unit],
});

/**
 * `date_format`: `YYYY`, `MM`, `DD`, `HH`, `mm`, `ss`, `SSS`, `ddd` (Mon to Sun) and `Z` (distance to UTC) stand for parts of the
 * instant, what is in square brackets for itself. `time_zone` is a name such as Europe/Berlin; UTC where none is given. Throws
 * STDLIB_DATE_INVALID.
 */
export const dateFormat = defineStage({
  name: 'date_format',
  description: 'Writes an instant by a pattern, in a time zone.',
  effects: ['Pure'],
  input: z.object({ at: z.string(), format: z.string(), time_zone: z.string().nullish() }),
  output: z.string(),
  examples: [
    {
      input: { at: '2026-04-14T08:05:09.007Z', format: 'DD.MM.YYYY HH:mm:ss.SSS' },
      output: '14.04.2026 08:05:09.007',
    },
    {
      input: { at: '2026-07-01T22:30:00Z', format: 'ddd YYYY-MM-DD HH:mm Z', time_zone: 'Europe/Berlin' },
      output: 'Thu 2026-07-02 00:30 +02:00',
    },
    { input: { at: '2026-04-14', format: '[Day] DD' }, output: 'Day 14' },
  ],
  tags: ['date'],
  run: ({ at, format, time_zone }) => formatted(epochOf('date_format', at), format, time_zone ?? 'UTC'),
});
