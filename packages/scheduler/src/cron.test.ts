import { describe, expect, it } from 'vitest';

import { checkCron, splitDays, startCron } from './cron.ts';

describe('a cron expression', () => {
  it.each(['* * * * *', '*/5 * * * *', '0 * * * *', '0 9 * * 1-5', '0 18 * * 5', '0 0 1 * *'])(
    'of the documentation is accepted: %s',
    (expression) => {
      expect(checkCron(expression, null)).toBeNull();
    },
  );

  it.each(['* * * * * *', '@daily', '61 * * * *', '* * *', '', '* 25 * * *'])(
    'outside the five fields is refused: %j',
    (expression) => {
      expect(checkCron(expression, null)).toEqual(expect.any(String));
    },
  );

  it('with both day fields means either of them', () => {
    expect(splitDays('0 12 13 * 5')).toEqual(['0 12 13 * *', '0 12 * * 5']);
    expect(splitDays('0 12 13 * *')).toEqual(['0 12 13 * *']);
    expect(splitDays('0 12 * * 5')).toEqual(['0 12 * * 5']);
  });

  it('gives its next slot in its own zone', () => {
    const timer = startCron('0 9 1 1 *', 'Asia/Tokyo', () => undefined);
    const next = timer.next();
    timer.stop();

    expect(next?.toISOString()).toMatch(/^\d{4}-01-01T00:00:00\.000Z$/);
  });

  it('of a day that never comes has no next slot or a far one, and does not throw', () => {
    const timer = startCron('0 0 29 2 *', null, () => undefined);

    expect(timer.next()).toBeInstanceOf(Date);
    timer.stop();
  });
});
