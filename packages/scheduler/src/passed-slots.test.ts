import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { lookAtClock } from './calendar.ts';
import { createCron } from './cron.ts';
import type { JobState } from './job-state.ts';
import { type PassedSlots, passedSlots } from './passed-slots.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const BEGIN = Date.parse('2026-03-28T22:00:00Z');

/** One slot after the other, as it is written down. */
function walked(expression: string, zone: string, after_ms: number, now_ms: number): PassedSlots | null {
  const cron = createCron(expression, zone);
  const all: number[] = [];
  for (let at = cron.next(after_ms); at !== null && at <= now_ms; at = cron.next(at)) all.push(at);
  const newest = all.pop();
  if (newest === undefined) return null;
  const [first] = all;
  return {
    newest,
    earlier: first === undefined ? null : { first, last: all.at(-1) ?? first, count: all.length },
  };
}

describe('the slots between two looks at the clock', () => {
  it('are the newest one, and the first, the last and the number of those before it', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(
          '* * * * *',
          '0,1 * * * *',
          '0,5 3 * * *',
          '*/7 0-4 * * *',
          '30 2 * * *',
          '0 9 * * 1-5',
        ),
        fc.constantFrom('UTC', 'Europe/Madrid', 'America/New_York', 'Asia/Kathmandu'),
        fc.integer({ min: 0, max: DAY_MS }),
        fc.oneof(fc.integer({ min: 0, max: 3 * MINUTE_MS }), fc.integer({ min: 0, max: 3 * DAY_MS })),
        (expression, zone, begin, passed) => {
          const after = BEGIN + begin;
          const found = passedSlots(createCron(expression, zone), after, after + passed);
          expect(found).toEqual(walked(expression, zone, after, after + passed));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('are found at once after years, the newest as it is and the others counted to 10,000', () => {
    const found = passedSlots(createCron('* * * * *', 'UTC'), BEGIN, BEGIN + 3_000 * DAY_MS);
    expect(found).toMatchObject({ newest: BEGIN + 3_000 * DAY_MS, earlier: { count: 10_000 } });
  });
});

describe('a slot that is found late', () => {
  const look = (late_ms: number, jitter_s = 0) => {
    const cron = createCron('0 * * * *', 'UTC');
    const slot = BEGIN + 60 * MINUTE_MS;
    const state = { job: { misfire: 'skip', jitter_s }, cron, checked_ms: BEGIN, next_ms: slot } as JobState;
    return lookAtClock(state, slot + late_ms);
  };

  it('is fired up to a minute after it was due, and was missed after that', () => {
    expect(look(-1)).toBe(null);
    const fire = { slot: '2026-03-28T23:00:00Z', cause: 'cron' };
    for (const late_ms of [0, MINUTE_MS])
      expect(look(late_ms)).toEqual({ fire: { ...fire, within_ms: 0 }, skipped: null });
    expect(look(MINUTE_MS + 1)).toMatchObject({ fire: null, skipped: { slot: fire.slot } });
  });

  it('is fired within the rest of its jitter', () => {
    for (const [late_ms, within_ms] of [
      [0, 300_000],
      [200_000, 100_000],
      [320_000, 0],
    ] as const)
      expect(look(late_ms, 300)).toMatchObject({ fire: { cause: 'cron', within_ms } });
    expect(look(300_000 + MINUTE_MS + 1, 300)).toMatchObject({ fire: null });
  });
});
