import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { createCron, cronProblems, isZone } from './cron.ts';
import { otherNext, walkedSlots } from './testing/wall-clock.ts';
import { offsetOf, transitionIn } from './zone.ts';

const DAY_MS = 24 * 60 * 60_000;
const SOME_YEAR = Date.parse('2024-01-01T00:00:00Z');

const ZONES = [
  'UTC',
  'Europe/Madrid',
  'America/New_York',
  'America/St_Johns',
  'Australia/Lord_Howe',
  'Asia/Kathmandu',
  'Africa/Casablanca',
  'America/Santiago',
  'Pacific/Chatham',
];

/** The first slots of an expression after an instant, as text to the minute. */
function slots(expression: string, zone: string | null, after: string, count: number): readonly string[] {
  const cron = createCron(expression, zone);
  const found: string[] = [];
  for (let at = cron.next(Date.parse(after)); at !== null && found.length < count; at = cron.next(at))
    found.push(new Date(at).toISOString().slice(0, 16));
  return found;
}

describe('Standard 5-field crontab', () => {
  it.each([
    ['* * * * *', 'every minute', ['2026-04-15T10:08', '2026-04-15T10:09']],
    ['*/5 * * * *', 'every 5 minutes', ['2026-04-15T10:10', '2026-04-15T10:15']],
    ['0 * * * *', 'every hour on the hour', ['2026-04-15T11:00', '2026-04-15T12:00']],
    ['0 9 * * 1-5', '09:00 on weekdays', ['2026-04-16T09:00', '2026-04-17T09:00', '2026-04-20T09:00']],
    ['0 18 * * 5', '18:00 on Fridays', ['2026-04-17T18:00', '2026-04-24T18:00']],
    ['0 0 1 * *', 'midnight on the 1st of each month', ['2026-05-01T00:00', '2026-06-01T00:00']],
  ])('S13 S20 %s is %s', (expression, _meaning, expected) => {
    expect(cronProblems(expression)).toEqual([]);
    expect(slots(expression, 'UTC', '2026-04-15T10:07:30Z', expected.length)).toEqual(expected);
  });

  it.each([
    ['61 * * * *', /^minute: 61 is outside 0 to 59$/],
    ['* 25 * * *', /^hour: 25 is outside 0 to 23$/],
    ['0 0 0 * *', /^day of month: 0 is outside 1 to 31$/],
    ['0 0 1 13 *', /^month: 13 is outside 1 to 12$/],
    ['0 0 * * 8', /^weekday: 8 is outside 0 to 7$/],
    ['0 0 * * frx', /^weekday: frx is outside/],
    ['* * * * * *', /^expected five fields .* got 6: .*no field for seconds$/],
    ['@daily', /^expected five fields .* got 1: "@daily"; write "0 0 \* \* \*"$/],
    ['* * *', /got 3/],
    ['', /got 0/],
    ['0 0 30 2 *', /never comes/],
    ['0 0 31 4,6,9,11 *', /never comes/],
    ['50-10 * * * *', /^minute: 50-10 runs backwards; write it as two ranges, as 50-59,0-10$/],
    ['5/15 * * * *', /^minute: 5\/15 has a step without a range; write 5-59\/15$/],
    ['*/0 * * * *', /step 0/],
    ['*/70 * * * *', /step 70 is outside 1 to 60/],
    ['0 0 L * *', /L is outside/],
    ['0 0 ? * *', /"\?" is none of/],
    ['0 0 * * 5#2', /"5#2" is none of/],
    [', * * * *', /"" is none of/],
  ])('refuses %j and says why', (expression, reason) => {
    expect(cronProblems(expression)).toEqual(expect.arrayContaining([expect.stringMatching(reason)]));
  });

  it('tells every wrong field at once', () => {
    expect(cronProblems('61 25 0 13 8')).toHaveLength(5);
  });

  it('knows months and weekdays by name, and Sunday as 0 and as 7', () => {
    expect(slots('0 0 * jan-Mar MON', 'UTC', '2026-01-01T00:00:00Z', 1)).toEqual(['2026-01-05T00:00']);
    expect(slots('0 0 * * 7', 'UTC', '2026-01-01T00:00:00Z', 3)).toEqual(
      slots('0 0 * * 0', 'UTC', '2026-01-01T00:00:00Z', 3),
    );
  });

  it('means either day where day of month and weekday are both restricted, and both where one begins with *', () => {
    const from = '2026-02-01T00:00:00Z';

    expect(slots('0 12 13 * 5', 'UTC', from, 4)).toEqual([
      '2026-02-06T12:00',
      '2026-02-13T12:00',
      '2026-02-20T12:00',
      '2026-02-27T12:00',
    ]);
    expect(slots('0 0 10 * 1', 'UTC', from, 3)).toEqual([
      '2026-02-02T00:00',
      '2026-02-09T00:00',
      '2026-02-10T00:00',
    ]);
    expect(slots('0 0 */2 * 1', 'UTC', from, 2)).toEqual(['2026-02-09T00:00', '2026-02-23T00:00']);
  });

  it('meets months of every length and leap days, 2100 without one', () => {
    expect(slots('0 0 31 * *', 'UTC', '2026-01-31T00:00:00Z', 3)).toEqual([
      '2026-03-31T00:00',
      '2026-05-31T00:00',
      '2026-07-31T00:00',
    ]);
    expect(slots('0 0 29 2 *', 'UTC', '2092-03-01T00:00:00Z', 2)).toEqual([
      '2096-02-29T00:00',
      '2104-02-29T00:00',
    ]);
  });

  it.each(['Mars/Base', '', 'Europe/Madri', '../etc'])('knows no zone %j', (zone) => {
    expect(isZone(zone)).toBe(false);
  });
});

describe('The scheduler runs in the process’s local timezone', () => {
  it('S21 where a job names no zone, as TZ gives it', () => {
    const before = process.env['TZ'];
    try {
      process.env['TZ'] = 'Europe/Madrid';
      expect(slots('0 9 * * *', null, '2026-07-01T12:00:00Z', 1)).toEqual(['2026-07-02T07:00']);
      process.env['TZ'] = 'Asia/Tokyo';
      expect(slots('0 9 * * *', null, '2026-07-01T12:00:00Z', 1)).toEqual(['2026-07-02T00:00']);
    } finally {
      if (before === undefined) delete process.env['TZ'];
      else process.env['TZ'] = before;
    }
  });
});

describe('a clock that changes', () => {
  const spring = '2026-03-28T23:00:00Z';
  const autumn = '2026-10-24T23:00:00Z';

  it('fires what has a fixed time once, at the end of the gap', () => {
    expect(slots('30 2 * * *', 'Europe/Madrid', spring, 2)).toEqual(['2026-03-29T01:00', '2026-03-30T00:30']);
    expect(slots('0,15,45 2,3 * * *', 'Europe/Madrid', spring, 3)).toEqual([
      '2026-03-29T01:00',
      '2026-03-29T01:15',
      '2026-03-29T01:45',
    ]);
  });

  it('fires what has a fixed time once when the hour comes twice, the first time', () => {
    expect(slots('30 2 * * *', 'Europe/Madrid', autumn, 2)).toEqual(['2026-10-25T00:30', '2026-10-26T01:30']);
    expect(slots('0,30 1-3 * * *', 'Europe/Madrid', autumn, 4)).toEqual([
      '2026-10-24T23:30',
      '2026-10-25T00:00',
      '2026-10-25T00:30',
      '2026-10-25T02:00',
    ]);
  });

  it('follows the wall for what has none: nothing in the gap, both of what comes twice', () => {
    expect(slots('*/30 2 * * *', 'Europe/Madrid', spring, 1)).toEqual(['2026-03-30T00:00']);
    expect(slots('*/30 2 * * *', 'Europe/Madrid', autumn, 4)).toEqual([
      '2026-10-25T00:00',
      '2026-10-25T00:30',
      '2026-10-25T01:00',
      '2026-10-25T01:30',
    ]);
  });

  it('is found from inside the repeated hour as from before it', () => {
    expect(slots('30 2 * * *', 'Europe/Madrid', '2026-10-25T01:10:00Z', 1)).toEqual(['2026-10-26T01:30']);
    expect(slots('45 * * * *', 'Europe/Madrid', '2026-10-25T00:50:00Z', 1)).toEqual(['2026-10-25T01:45']);
  });

  it('that leaves out a whole day fires its slots once, at its end', () => {
    expect(slots('0 9 30 12 *', 'Pacific/Apia', '2011-12-01T00:00:00Z', 1)).toEqual(['2011-12-30T10:00']);
  });
});

const restricted = (min: number, max: number): fc.Arbitrary<string> =>
  fc.oneof(
    fc.integer({ min, max }).map(String),
    fc.uniqueArray(fc.integer({ min, max }), { minLength: 2, maxLength: 4 }).map((list) => list.join(',')),
    fc
      .tuple(fc.integer({ min, max }), fc.integer({ min, max }), fc.integer({ min: 1, max: 5 }))
      .map(([a, b, step]) => `${Math.min(a, b)}-${Math.max(a, b)}${step === 1 ? '' : `/${step}`}`),
  );
const stepped = (most: number): fc.Arbitrary<string> =>
  fc.oneof(
    fc.constant('*'),
    fc.integer({ min: 2, max: most }).map((step) => `*/${step}`),
  );
const any = (min: number, max: number): fc.Arbitrary<string> =>
  fc.oneof(restricted(min, max), stepped(Math.floor(max / 2)));
const star = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | '*'> => fc.oneof(fc.constant('*' as const), value);
const expressions = fc
  .tuple(any(0, 59), any(0, 23), star(restricted(1, 28)), star(restricted(1, 12)), star(restricted(0, 6)))
  .map((fields) => fields.join(' '));
const zones = fc.constantFrom(...ZONES);

describe('the next slot', () => {
  it('is the one another implementation gives, wherever no clock changes', () => {
    const instants = fc
      .integer({ min: 0, max: 10 * 366 * 1_440 })
      .map((minutes) => SOME_YEAR + minutes * 60_000);

    fc.assert(
      fc.property(expressions, zones, instants, (expression, zone, after) => {
        const other = otherNext(expression, zone, after);
        fc.pre(other !== null);
        if (other === null) return;
        fc.pre(
          other - after > 40 * DAY_MS || transitionIn(zone, after - 2 * DAY_MS, other + 2 * DAY_MS) === null,
        );
        // Over a change that is far from both ends the two agree as well.
        fc.pre(transitionIn(zone, after - 2 * DAY_MS, after + 2 * DAY_MS) === null);
        fc.pre(transitionIn(zone, other - 2 * DAY_MS, other + 2 * DAY_MS) === null);

        const own = createCron(expression, zone).next(after);
        // A slot in a gap or in a repeated hour on the way is one the two put elsewhere.
        fc.pre(own === null || transitionIn(zone, own - DAY_MS, own + DAY_MS) === null);

        expect(own).toBe(other);
      }),
      { numRuns: 300 },
    );
  });

  it('is the one a walk along the clock on the wall finds, around each change of it', () => {
    fc.assert(
      fc.property(expressions, zones, fc.integer({ min: 0, max: 18 }), (expression, zone, half) => {
        const begin = SOME_YEAR + half * 183 * DAY_MS;
        const change = transitionIn(zone, begin, begin + 366 * DAY_MS) ?? begin;
        const [from, to] = [change - 5 * 3_600_000, change + 5 * 3_600_000];

        const cron = createCron(expression, zone);
        const own: number[] = [];
        for (let at = cron.next(from - 1); at !== null && at < to; at = cron.next(at)) own.push(at);

        const walked = walkedSlots(expression, zone, from, to);
        expect(own).toEqual(walked);
        for (let at = from; at < to; at += 17 * 60_000) {
          const next = walked.find((slot) => slot > at);
          if (next !== undefined) expect(cron.next(at)).toBe(next);
        }
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    ['1,2 2,3 14,15 4,5 *', 'Africa/Casablanca', '2024-04-14T02:00:00Z', '2024-04-14T02:00:00Z'],
    ['30 2 * * *', 'Europe/Madrid', '2026-03-29T01:00:00Z', '2026-03-29T01:00:00Z'],
    ['*/30 * * * *', 'Europe/Madrid', '2026-03-29T01:00:00Z', '2026-03-29T01:00:00Z'],
    ['30 2 * * *', 'Europe/Madrid', '2026-10-25T01:00:00Z', '2026-10-26T01:30:00Z'],
    ['5 3 * * *', 'Europe/Madrid', '2026-10-25T01:00:00Z', '2026-10-25T02:05:00Z'],
  ])(
    'of %s in %s is the same when it is asked for at the very change of the clock',
    (expression, zone, change, slot) => {
      const cron = createCron(expression, zone);
      expect(cron.next(Date.parse(change) - 1)).toBe(Date.parse(slot));
    },
  );

  it('comes after the instant it is asked for, and nothing comes between', () => {
    fc.assert(
      fc.property(
        expressions,
        zones,
        fc.integer({ min: 0, max: 5_000_000_000 }),
        (expression, zone, past) => {
          const cron = createCron(expression, zone);
          const after = SOME_YEAR + past;
          const at = cron.next(after);
          if (at === null) return;

          expect(at).toBeGreaterThan(after);
          expect(at % 60_000).toBe(0);
          expect(cron.next(at - 1)).toBe(at);
          expect(cron.next(Math.floor((after + at) / 2))).toBe(at);
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('the offset of a zone', () => {
  it('is what its clock is ahead of UTC', () => {
    expect(offsetOf('Asia/Kathmandu', SOME_YEAR)).toBe((5 * 60 + 45) * 60_000);
    expect(offsetOf('America/New_York', SOME_YEAR)).toBe(-5 * 3_600_000);
    expect(offsetOf('UTC', SOME_YEAR)).toBe(0);
  });
});
