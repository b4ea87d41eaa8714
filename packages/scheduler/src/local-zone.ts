import { existsSync } from 'node:fs';

import { isZone } from './cron.ts';
import { offsetOf } from './zone.ts';

/** Other names of UTC that a process reckons by rightly, though they name no zone. */
const UTC = /^(?:UTC|UCT|GMT|Z|Zulu)[+-]?0{0,2}$/iu;

/** A day of January and one of July: a zone that is not UTC is ahead of it, or behind, on one of them. */
const DAYS: readonly number[] = [Date.UTC(2026, 0, 15), Date.UTC(2026, 6, 15)];

/**
 * Why the process does not reckon by its variable `TZ`; null when it does. A zone it does not know is silently UTC, and its jobs would be
 * fired at other times than their author thinks.
 */
export function localZoneProblem(given: string | undefined): string | null {
  const name = (given ?? '').replace(/^:/u, '');
  if (name === '' || UTC.test(name)) return null;
  const place = `TZ is ${JSON.stringify(given)}`;
  const next = 'expected an IANA zone like Europe/Madrid; jobs would be fired by UTC';
  if (name.startsWith('/')) return existsSync(name) ? null : `${place}, and there is no such file: ${next}`;
  const followed = isZone(name)
    ? DAYS.every((day) => offsetOf(name, day) === offsetOf(null, day))
    : DAYS.some((day) => offsetOf(null, day) !== 0);
  return followed ? null : `${place}: ${next}`;
}
