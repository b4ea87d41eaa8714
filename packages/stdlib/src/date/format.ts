import { StdlibError } from '../errors.ts';

const TOKEN = /\[([^\]]*)\]|YYYY|MM|DD|HH|mm|ss|SSS|ddd|Z/gu;
/** For what stands after the last closing bracket: looking for one at every opening one would take quadratic time. */
const PLAIN_TOKEN = /YYYY|MM|DD|HH|mm|ss|SSS|ddd|Z/gu;

/** An instant by a pattern; see `date_format`. Throws STDLIB_DATE_INVALID for a time zone nobody knows. */
export function formatted(epoch_ms: number, format: string, time_zone: string): string {
  const parts = partsOf(epoch_ms, time_zone);
  const open = format.lastIndexOf(']') + 1;
  const closed = format.slice(0, open);
  return (
    closed.replace(TOKEN, (token, literal?: string) => literal ?? parts.get(token) ?? token) +
    format.slice(open).replace(PLAIN_TOKEN, (token) => parts.get(token) ?? token)
  );
}

function partsOf(epoch_ms: number, time_zone: string): ReadonlyMap<string, string> {
  const found = new Map(
    writer(time_zone)
      .formatToParts(epoch_ms)
      .map(({ type, value }) => [type as string, value]),
  );
  const part = (type: string, width = 2): string => (found.get(type) ?? '').padStart(width, '0');
  const offset = (found.get('timeZoneName') ?? '').replace(/^GMT/u, '');
  return new Map([
    ['YYYY', part('year', 4)],
    ['MM', part('month')],
    ['DD', part('day')],
    ['HH', part('hour')],
    ['mm', part('minute')],
    ['ss', part('second')],
    ['SSS', part('fractionalSecond', 3)],
    ['ddd', part('weekday', 3)],
    ['Z', offset === '' ? '+00:00' : offset],
  ]);
}

function writer(time_zone: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat('en-US', {
      timeZone: time_zone,
      calendar: 'iso8601',
      hourCycle: 'h23',
      weekday: 'short',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
      fractionalSecondDigits: 3,
      timeZoneName: 'longOffset',
    });
  } catch (cause) {
    const facts = { stage: 'date_format', text: JSON.stringify(time_zone), expected: 'a time zone' };
    throw new StdlibError('STDLIB_DATE_INVALID', facts, { cause });
  }
}
