import { addMs, epochMs, type Timestamp, timestampOf, toTimestamp } from '@caloron/types';

/** Milliseconds of the units limits are told in. */
const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

/** Seconds since 1970 lie between 2001 and 2100; what is larger or smaller is something else. */
const EPOCH_S = { least: 1_000_000_000, most: 4_102_444_800 };

/**
 * When a limit ends, read from what a program says of it; null when it does not say. Understood are seconds since 1970
 * (`limit reached|1750708800`, `"resets_at":…`), spans (`resets in 2h 5m`, `"retryDelay":"36s"`) and clock times with or without a date
 * and a zone (`resets Jul 18, 12pm (UTC)`, `try again at 2:57 PM`). A time without a zone is in `zone`, and comes next.
 */
export function resetTime(text: string, now: Timestamp, zone: string): Timestamp | null {
  return epochIn(text) ?? spanIn(text, now) ?? slashedDateIn(text, zone) ?? clockIn(text, now, zone);
}

function epochIn(text: string): Timestamp | null {
  const found = /(?:limit reached\||"?resets?_?at"?\s*[:=]\s*"?)(\d{10})(?!\d)/i.exec(text);
  const seconds = Number(found?.[1]);
  return seconds >= EPOCH_S.least && seconds <= EPOCH_S.most ? timestampOf(seconds * 1000) : null;
}

function spanIn(text: string, now: Timestamp): Timestamp | null {
  const named = /"?resets?_?in_?seconds"?\s*[:=]\s*(\d{1,8})/i.exec(text);
  if (named?.[1] !== undefined) return addMs(now, Number(named[1]) * 1000);
  const lead =
    /(?:resets? (?:after|in)|(?:try|retry)(?: again)? (?:after|in)|"?retry[-_ ]?(?:delay|after)"?\s*[:=]?)\s*:?\s*"?((?:(?:and |, )?\d+(?:\.\d+)?\s*(?:milliseconds?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d)\b[ ,]*|\d+(?:\.\d+)?(?:ms|s|m|h|d)){1,5})/i.exec(
      text,
    );
  if (lead?.[1] === undefined) return null;
  const pieces = [...lead[1].matchAll(/(\d+(?:\.\d+)?)\s*(ms|milli|s|m|h|d)/gi)];
  const ms = pieces.reduce((sum, [, amount = '0', unit = 's']) => {
    const name = unit.toLowerCase();
    return sum + Number(amount) * (UNIT_MS[name === 'milli' ? 'ms' : name] ?? 0);
  }, 0);
  return ms > 0 && ms < 400 * 86_400_000 ? addMs(now, Math.ceil(ms)) : null;
}

/** `cycle ends on 11/17/2025`: the beginning of that day. */
function slashedDateIn(text: string, zone: string): Timestamp | null {
  const found = /(?:resets?|ends?|again) on (\d{1,2})\/(\d{1,2})\/(\d{4})/i.exec(text);
  if (found === null) return null;
  const [, month, day, year] = found.map(Number);
  return instantOf([year ?? 0, (month ?? 1) - 1, day ?? 1, 0, 0], zone);
}

function clockIn(text: string, now: Timestamp, zone: string): Timestamp | null {
  const found =
    /(?:resets?|again)(?: at| on)?:? (?:([A-Z][a-z]{2})[a-z]* (\d{1,2})(?:st|nd|rd|th)?,? (?:(\d{4}),? )?(?:at )?)?(\d{1,2})(?::(\d{2}))? ?([ap])\.?m\.?(?: \(([A-Za-z_]+(?:\/[A-Za-z_+\-0-9]+)*)\))?/i.exec(
      text,
    );
  if (found === null) return null;
  const [, month_name, day, year, hour, minute, half, named] = found;
  const of_zone = named !== undefined && isZone(named) ? named : zone;
  const hours = (Number(hour) % 12) + (half?.toLowerCase() === 'p' ? 12 : 0);
  const today = wallClock(epochMs(now), of_zone);
  const month = MONTHS.indexOf(month_name?.toLowerCase() ?? '');
  if (month < 0) {
    const at = instantOf([today[0], today[1], today[2], hours, Number(minute ?? 0)], of_zone);
    if (at === null || at > now) return at;
    return instantOf([today[0], today[1], today[2] + 1, hours, Number(minute ?? 0)], of_zone);
  }
  const parts = [month, Number(day), hours, Number(minute ?? 0)] as const;
  if (year !== undefined) return instantOf([Number(year), ...parts], of_zone);
  // A date without a year that lies months back is next year's.
  const at = instantOf([today[0], ...parts], of_zone);
  const half_a_year_ago = addMs(now, -180 * 86_400_000);
  return at !== null && at < half_a_year_ago ? instantOf([today[0] + 1, ...parts], of_zone) : at;
}

type Wall = readonly [year: number, month: number, day: number, hour: number, minute: number];

/** What the clock on the wall of a zone shows, months from 0. */
function wallClock(ms: number, zone: string): Wall {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
  });
  const parts = new Map(format.formatToParts(ms).map(({ type, value }) => [type, Number(value)]));
  const of = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0;
  return [of('year'), of('month') - 1, of('day'), of('hour'), of('minute')];
}

/** The instant at which a zone's wall clock shows these parts; null for no date. */
function instantOf(wall: Wall, zone: string): Timestamp | null {
  const wanted = Date.UTC(...wall);
  if (Number.isNaN(wanted)) return null;
  // Twice, for the offset may be another one at the instant than at the first guess.
  let ms = wanted;
  for (let round = 0; round < 2; round += 1) ms += wanted - Date.UTC(...wallClock(ms, zone));
  return toTimestamp(timestampOf(ms)) ?? null;
}

function isZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: name }).format(0) !== '';
  } catch {
    return false;
  }
}
