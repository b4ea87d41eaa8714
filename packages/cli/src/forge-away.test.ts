import { describe, expect, it } from 'vitest';

import { awayLines, awayOf } from './forge-away.ts';
import type { Io } from './output.ts';

const io: Io = { out: () => undefined, err: () => undefined };
const NOW = '2026-04-14T10:12:00.000Z';
const OPEN = { sprint_id: 's', status: 'active' } as const;
const away = {
  since: '2026-04-14T10:00:00.000Z',
  until: null,
  code: 'FORGE_UNAVAILABLE',
  message: 'could not list the issues: no answer came\u001b[2J',
};
const kvWith = (value: unknown) => ({
  kv: { get: () => Promise.resolve({ value, rev: 1 }) } as unknown as Parameters<typeof awayOf>[0]['kv'],
});

describe('a forge that is away', () => {
  it('is told with since when, what goes on, and when it is asked again', () => {
    expect(awayLines(io, away, NOW)).toEqual([
      'FORGE AWAY for 12 min, since 2026-04-14 10:00:00 UTC: agents go on and are watched; what happens on the forge is read when it is back, and it is asked at every tick',
      expect.stringMatching(/^ {2}FORGE_UNAVAILABLE: could not list the issues: no answer came/),
    ]);
    expect(awayLines(io, away, NOW).join('')).not.toContain('\u001b');
  });

  it('is told with until when, as long as that is to come', () => {
    const until = '2026-04-14T10:30:00.000Z';
    expect(awayLines(io, { ...away, until }, NOW)[0]).toContain('asked from 2026-04-14 10:30:00 UTC on');
    expect(awayLines(io, { ...away, until }, until)[0]).toContain('asked at every tick');
  });

  it('is read from the cursors of the sprint; what cannot be read says nothing', async () => {
    expect(await awayOf(kvWith({ v: 1, log_seq: 0, forge: {}, away }), OPEN)).toEqual(away);
    expect(await awayOf(kvWith({ v: 1, log_seq: 0, forge: {} }), OPEN)).toBeNull();
    expect(await awayOf(kvWith({ v: 9 }), OPEN)).toBeNull();
    expect(awayLines(io, null, NOW)).toEqual([]);
    const over = { ...OPEN, status: 'completed' } as const;
    expect(await awayOf(kvWith({ v: 1, log_seq: 0, forge: {}, away }), over)).toBeNull();
  });
});
