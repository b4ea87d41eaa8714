import { epochMs, minutesBetween, type Timestamp } from '@caloron/types';

import type { Progress } from './task-evidence.ts';

/** A span of time in words; at least nothing. */
export function spanWords(from: Timestamp, to: Timestamp): string {
  const seconds = Math.max(0, Math.round(minutesBetween(from, to) * 60));
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** The last sign of an agent's work and how long ago it was: `files 12 s`. */
export function signWords(sign: Progress | null, now: Timestamp): string {
  return sign === null ? '-' : `${sign.kind} ${spanWords(sign.at, now)}`;
}

/** How long an agent says it needs until it shows progress: `in 40 min`, or that this time has passed. */
export function promiseWords(next_by: Timestamp | null, now: Timestamp): string {
  if (next_by === null) return '-';
  return epochMs(next_by) > epochMs(now) ? `in ${spanWords(now, next_by)}` : 'passed';
}
