import { z } from 'zod';

/** An instant: UTC, ISO 8601, milliseconds and `Z`. */
export const Timestamp = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/, 'expected a time like 2026-04-14T08:30:00.000Z')
  // The digits of a 25th hour are no instant: what is reckoned from it would be NaN.
  .refine((at) => !Number.isNaN(Date.parse(at)), 'expected a time that exists')
  .meta({ title: 'Timestamp' });
export type Timestamp = z.infer<typeof Timestamp>;

/** An instant as milliseconds since 1970; NaN when the text is no date. */
export function epochMs(at: Timestamp): number {
  return Date.parse(at);
}

/** The instant `ms` milliseconds since 1970. */
export function timestampOf(ms: number): Timestamp {
  return new Date(ms).toISOString();
}

/** The instant `ms` milliseconds after `at`. */
export function addMs(at: Timestamp, ms: number): Timestamp {
  return timestampOf(epochMs(at) + ms);
}

/** Minutes from `from` to `to`, fractions included, negative when `to` is earlier. */
export function minutesBetween(from: Timestamp, to: Timestamp): number {
  return (epochMs(to) - epochMs(from)) / 60_000;
}

/** Any ISO 8601 text with a zone as a Timestamp; undefined when it is no date. Hosts leave the milliseconds out. */
export function toTimestamp(text: string): Timestamp | undefined {
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : timestampOf(ms);
}
