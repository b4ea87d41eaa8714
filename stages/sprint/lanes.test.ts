import { describe, expect, it } from 'vitest';

import { runLanes, type Work } from './lanes.ts';

/** Work that notes its begin and end and yields in between. */
function noting(log: string[], name: string, lane: Work['lane'], after: string): Work {
  return {
    lane,
    after,
    run: async () => {
      log.push(`+${name}`);
      for (let n = 0; n < 5; n += 1) await Promise.resolve();
      log.push(`-${name}`);
    },
  };
}

describe('lanes', () => {
  it('run serial work in order, one at a time', async () => {
    const log: string[] = [];

    await runLanes(
      ['a', 'b', 'c'].map((name) => noting(log, name, 'serial', name)),
      4,
    );

    expect(log).toEqual(['+a', '-a', '+b', '-b', '+c', '-c']);
  });

  it('run pooled work at once, up to the width', async () => {
    const log: string[] = [];

    await runLanes(
      ['a', 'b', 'c'].map((name) => noting(log, name, 'pool', name)),
      2,
    );

    expect(log.slice(0, 2)).toEqual(['+a', '+b']);
    expect(log.indexOf('+c')).toBeGreaterThan(log.indexOf('-a'));
  });

  it('keep the order of one task across both lanes', async () => {
    const log: string[] = [];

    await runLanes(
      [
        noting(log, 'stop', 'serial', 't'),
        noting(log, 'spawn', 'pool', 't'),
        noting(log, 'comment', 'serial', 't'),
        noting(log, 'other', 'pool', 'u'),
      ],
      1,
    );

    expect(log.filter((line) => !line.includes('other'))).toEqual([
      '+stop',
      '-stop',
      '+spawn',
      '-spawn',
      '+comment',
      '-comment',
    ]);
  });

  it('end with the first error after all that had begun, and begin nothing more', async () => {
    const log: string[] = [];
    const failing: Work = { lane: 'serial', after: 'x', run: () => Promise.reject(new Error('lost')) };

    const ran = runLanes([failing, noting(log, 'a', 'pool', 'a'), noting(log, 'never', 'serial', 'n')], 1);

    await expect(ran).rejects.toThrow('lost');
    expect(log).toEqual(['+a', '-a']);
  });

  it('do nothing with nothing', async () => {
    await expect(runLanes([], 4)).resolves.toBeUndefined();
  });
});
