import { CronExpressionParser } from 'cron-parser';

/** What another implementation of cron says comes next; null where it gives up, as it may over a clock that changes by half an hour. */
export function otherNext(expression: string, timezone: string, after_ms: number): number | null {
  const parsed = CronExpressionParser.parse(expression, { currentDate: new Date(after_ms), tz: timezone });
  try {
    return parsed.next().getTime();
  } catch {
    return null;
  }
}

/** The slots of another implementation from an instant on, one after the other. */
export function* otherSlots(expression: string, timezone: string, after_ms: number): Generator<number> {
  const slots = CronExpressionParser.parse(expression, { currentDate: new Date(after_ms), tz: timezone });
  for (;;) yield slots.next().getTime();
}

const MINUTE_MS = 60_000;

interface Wall {
  readonly minute: number;
  readonly hour: number;
  readonly day: number;
  readonly month: number;
  readonly weekday: number;
  /** The same minute of the same day is the same number. */
  readonly number: number;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function wallOf(timezone: string, at_ms: number): Wall {
  const format =
    formats.get(timezone) ??
    new Intl.DateTimeFormat('sv-SE', { timeZone: timezone, dateStyle: 'short', timeStyle: 'short' });
  formats.set(timezone, format);
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0] = format
    .format(at_ms)
    .split(/[- :]/)
    .map(Number);
  const number = Date.UTC(year, month - 1, day, hour, minute) / MINUTE_MS;
  return { minute, hour, day, month, weekday: new Date(number * MINUTE_MS).getUTCDay(), number };
}

const spread = (text: string, min: number, max: number): ReadonlySet<number> =>
  new Set(
    text.split(',').flatMap((part) => {
      const [range = '', step = '1'] = part.split('/');
      const [low, high] = range === '*' ? [min, max] : range.split('-').map(Number);
      const all = [];
      for (let value = low ?? min; value <= (high ?? low ?? max); value += Number(step)) all.push(value);
      return all;
    }),
  );

/**
 * The slots in [from, to), found by looking at the clock on the wall each minute: the rule for clocks that change, as
 * the documentation states it, and nothing of how the scheduler reckons.
 */
export function walkedSlots(
  expression: string,
  timezone: string,
  from_ms: number,
  to_ms: number,
): readonly number[] {
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = expression.split(' ');
  const fixed = !minute.startsWith('*') && !hour.startsWith('*');
  const [minutes, hours, days, months] = [
    spread(minute, 0, 59),
    spread(hour, 0, 23),
    spread(day, 1, 31),
    spread(month, 1, 12),
  ];
  const weekdays = new Set([...spread(weekday, 0, 7)].map((value) => value % 7));
  const either = !day.startsWith('*') && !weekday.startsWith('*');
  const matches = (wall: Wall): boolean => {
    const [of_month, of_week] = [days.has(wall.day), weekdays.has(wall.weekday)];
    const on_day = either ? of_month || of_week : of_month && of_week;
    return minutes.has(wall.minute) && hours.has(wall.hour) && months.has(wall.month) && on_day;
  };

  const slots: number[] = [];
  // A day earlier: what the wall has shown before decides what it shows again.
  let shown = wallOf(timezone, from_ms - 1_440 * MINUTE_MS).number;
  for (let at = from_ms - 1_439 * MINUTE_MS; at < to_ms; at += MINUTE_MS) {
    const wall = wallOf(timezone, at);
    let due = matches(wall) && !(fixed && wall.number <= shown);
    const in_gap = fixed ? wall.number - shown - 1 : 0;
    for (let left_out = shown + 1; left_out <= shown + in_gap; left_out += 1) {
      const date = new Date(left_out * MINUTE_MS);
      due ||= matches({
        minute: date.getUTCMinutes(),
        hour: date.getUTCHours(),
        day: date.getUTCDate(),
        month: date.getUTCMonth() + 1,
        weekday: date.getUTCDay(),
        number: left_out,
      });
    }
    shown = Math.max(shown, wall.number);
    if (due && at >= from_ms) slots.push(at);
  }
  return slots;
}
