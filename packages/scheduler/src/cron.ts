import { Cron as Calendar } from 'croner';

import { fieldProblems } from './cron-fields.ts';
import { offsetOf, transitionIn } from './zone.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** Every calendar comes round within this: a 29 February that is a Monday is missed longest over the year 2100. */
const HORIZON_MS = 41 * 366 * DAY_MS;

/** Says everything that is wrong with a cron expression; empty when nothing is. */
export function cronProblems(expression: string): readonly string[] {
  const problems = fieldProblems(expression);
  if (problems.length > 0) return problems;
  return calendarOf(expression).nextRun(new Date(0)) === null
    ? [`${JSON.stringify(expression)} names a day that never comes`]
    : [];
}

/** Whether a name is an IANA zone, as Europe/Madrid. */
export function isZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

/** When a job is due. */
export interface Cron {
  /** The first slot after an instant, both in milliseconds since 1970; null when none comes. */
  next(after_ms: number): number | null;
}

/**
 * Reckons the slots of an expression in a zone; null is the process's own. A clock that is put forward or back is met as crontab
 * does: an expression with fixed hours and minutes fires once, at the end of the gap or at the first of two equal times; one whose
 * minute or hour begins with `*` follows the clock on the wall, so what a gap leaves out is left out and what comes twice is fired twice.
 */
export function createCron(expression: string, timezone: string | null): Cron {
  const [minute = '', hour = ''] = expression.trim().split(/\s+/);
  const fixed = !minute.startsWith('*') && !hour.startsWith('*');
  /** The first time on the wall that matches, from `from` on; walls are reckoned as if they were UTC. */
  const from = (wall: number): number | null => {
    const whole = Math.ceil(wall / MINUTE_MS) * MINUTE_MS;
    return (
      calendarOf(expression)
        .nextRun(new Date(whole - 1_000))
        ?.getTime() ?? null
    );
  };

  const next = (after_ms: number): number | null => {
    let offset = offsetOf(timezone, after_ms);
    let begin = after_ms + 1;
    let wall = begin + offset;
    // A change at the very beginning is still to come.
    let looked = after_ms;
    const changed = fixed ? transitionIn(timezone, after_ms - DAY_MS, begin) : null;
    // In an hour that comes twice, what has a fixed time was due the first time.
    if (changed !== null) wall = Math.max(wall, changed + offsetOf(timezone, changed - 1_000));
    while (begin - after_ms < HORIZON_MS) {
      const match = from(wall);
      if (match === null) return null;
      const at = match - offset;
      const change = transitionIn(timezone, looked, at);
      if (change === null) return at;
      // The clock changes first: what lies before the change is over, what it leaves out or repeats is decided here.
      const before = change + offset;
      offset = offsetOf(timezone, change);
      const behind = change + offset;
      if (fixed && match < behind) return change;
      begin = change;
      looked = change;
      wall = fixed ? Math.max(before, behind) : behind;
    }
    return null;
  };
  return { next };
}

/** Calendars that are kept: each of croner's has a list of 10,000 years, 80 KB, and is made in half a millisecond. */
const CALENDARS_KEPT = 256;

/** Calendars by expression, that of the last question last. They hold no state between two questions. */
const calendars = new Map<string, Calendar>();

/** Times on the wall that match; days of month and of week are either of both when neither begins with `*` (crontab(5)). */
function calendarOf(expression: string): Calendar {
  const key = expression.trim();
  const known = calendars.get(key);
  calendars.delete(key);
  const [, , day = '*', , weekday = '*'] = key.split(/\s+/);
  const domAndDow = day.startsWith('*') || weekday.startsWith('*');
  const calendar = known ?? new Calendar(key, { mode: '5-part', utcOffset: 0, domAndDow, paused: true });
  calendars.set(key, calendar);
  const [oldest] = calendars.keys();
  if (calendars.size > CALENDARS_KEPT && oldest !== undefined) calendars.delete(oldest);
  return calendar;
}
