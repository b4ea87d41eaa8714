import { schedule, validateDetailed, type ScheduledTask } from 'node-cron';

/** Seeds' cron has five fields; node-cron would take six and words like @daily as well. */
const FIELDS = 5;

/** Says what is wrong with a cron expression or zone; null when nothing is. */
export function checkCron(expression: string, timezone: string | null): string | null {
  const fields = expression.trim().split(/\s+/);
  if (fields.length !== FIELDS) {
    return `expected five fields (minute hour day month weekday), got ${fields.length}: ${JSON.stringify(expression)}`;
  }
  const { valid, errors } = validateDetailed(fields.join(' '));
  if (!valid) return errors.map(({ field, message }) => `${field}: ${message}`).join('; ');
  if (timezone !== null && !isZone(timezone))
    return `timezone ${timezone} is no IANA zone like Europe/Madrid`;
  return null;
}

function isZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

/** The expressions whose union is the given one: crontab ORs day of month and weekday when both are restricted, node-cron ANDs them. */
export function splitDays(expression: string): readonly string[] {
  const [minute = '*', hour = '*', day = '*', month = '*', weekday = '*'] = expression.trim().split(/\s+/);
  if (day.startsWith('*') || weekday.startsWith('*')) return [[minute, hour, day, month, weekday].join(' ')];
  return [[minute, hour, day, month, '*'].join(' '), [minute, hour, '*', month, weekday].join(' ')];
}

/** A cron expression that fires. */
export interface CronTimer {
  /** The soonest coming slot; null when there is none. */
  next(): Date | null;
  stop(): void;
}

/** Fires `onSlot` with the slot's instant (whole minute, `…:00Z`) at each match; a slot both day fields name fires twice and is de-duplicated by the slot's claim. */
export function startCron(
  expression: string,
  timezone: string | null,
  onSlot: (slot: string) => void,
): CronTimer {
  const tasks: ScheduledTask[] = splitDays(expression).map((part) =>
    schedule(
      part,
      ({ date }) => {
        const slot = new Date(date);
        slot.setUTCSeconds(0, 0);
        onSlot(slot.toISOString().replace('.000Z', 'Z'));
      },
      { suppressMissedWarning: true, ...(timezone === null ? {} : { timezone }) },
    ),
  );
  return {
    next: () => {
      const runs = tasks.map((task) => task.getNextRun()).filter((run) => run !== null);
      return runs.reduce<Date | null>(
        (soonest, run) => (soonest === null || run < soonest ? run : soonest),
        null,
      );
    },
    stop: () => tasks.forEach((task) => void task.destroy()),
  };
}
