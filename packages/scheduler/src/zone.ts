const HOUR_MS = 60 * 60_000;
const DAY_MS = 24 * HOUR_MS;

/** A formatter is dear to make and cheap to use. */
const formats = new Map<string | null, Intl.DateTimeFormat>();

function formatOf(timezone: string | null): Intl.DateTimeFormat {
  const known = formats.get(timezone);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat('en-US', {
    ...(timezone === null ? {} : { timeZone: timezone }),
    hourCycle: 'h23',
    era: 'short',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  formats.set(timezone, made);
  return made;
}

/** How far the clock on the wall of a zone is ahead of UTC at an instant, milliseconds; null is the process's own zone. */
export function offsetOf(timezone: string | null, at_ms: number): number {
  const second = Math.floor(at_ms / 1_000) * 1_000;
  if (timezone === null) return -new Date(second).getTimezoneOffset() * 60_000;
  if (timezone === 'UTC') return 0;
  const read: Record<string, number> = {};
  for (const { type, value } of formatOf(timezone).formatToParts(second)) read[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second: seconds = 0 } = read;
  return Date.UTC(year, month - 1, day, hour, minute, seconds) - second;
}

/**
 * The first instant in (from, to] at which a zone's clock is put forward or back; null without one. Looks once a day: no zone of
 * the IANA database changes twice within one.
 */
export function transitionIn(timezone: string | null, from_ms: number, to_ms: number): number | null {
  if (timezone === 'UTC') return null;
  const begin = offsetOf(timezone, from_ms);
  for (let low = from_ms; low < to_ms;) {
    const high = Math.min(low + DAY_MS, to_ms);
    if (offsetOf(timezone, high) !== begin) return changeBetween(timezone, low, high);
    low = high;
  }
  return null;
}

/** Halves until the whole second at which the clock changes. */
function changeBetween(timezone: string | null, low_ms: number, high_ms: number): number {
  const before = offsetOf(timezone, low_ms);
  let low = Math.floor(low_ms / 1_000);
  let high = Math.ceil(high_ms / 1_000);
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetOf(timezone, middle * 1_000) === before) low = middle;
    else high = middle;
  }
  return high * 1_000;
}
