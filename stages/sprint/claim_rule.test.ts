import { addMs } from '@caloron/types';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { commentOf } from '../testing/memory_forge.ts';
import {
  ahead,
  CLAIM_MINUTES,
  claimOf,
  nextGeneration,
  standingClaim,
  withClaim,
  type Claim,
} from './claim_rule.ts';

const AT = '2026-04-14T08:00:00.000Z';
const LINE = { home: 'home-a', generation: 1, minutes: CLAIM_MINUTES, renewals: 0 };

function claim(comment_id: number, change: Partial<Claim> = {}): Claim {
  const made = claimOf(commentOf(comment_id, 1, { body: withClaim('Mine.', LINE), created_at: AT }));
  if (made === undefined) throw new Error('no claim');
  return { ...made, since: AT, renewed_at: AT, expires_at: addMs(AT, 30 * 60_000), ...change };
}

describe('a claim', () => {
  it('is the last line of its comment, and stands from its last renewal on', () => {
    const body = withClaim('Assigned.\n\n<!-- caloron-action:1 -->', LINE);
    const renewed_at = addMs(AT, 60_000);

    expect(claimOf(commentOf(7, 1, { body, created_at: AT, updated_at: renewed_at }))).toEqual({
      ...LINE,
      comment_id: 7,
      text: 'Assigned.\n\n<!-- caloron-action:1 -->',
      by: 'ada',
      since: AT,
      renewed_at,
      expires_at: addMs(renewed_at, CLAIM_MINUTES * 60_000),
    });
  });

  it('is replaced by its renewal', () => {
    const once = withClaim('Assigned.', LINE);
    expect(withClaim(once, { ...LINE, renewals: 1 })).toBe(
      'Assigned.\n<!-- caloron-claim:v1:home-a:1:30:1 -->',
    );
  });

  it('survives a forge that gives lines back with other ends', () => {
    const body = withClaim('One.\n\nTwo.', LINE).replaceAll('\n', '\r\n');
    expect(claimOf(commentOf(7, 1, { body: `${body}\r\n` }))).toMatchObject(LINE);
  });

  it.each([
    ['quoted in the middle', `${withClaim('See:', LINE)}\nsaid somebody`],
    ['quoted with a mark', `> ${withClaim('', LINE).trim()}`],
    ['of generation 0', withClaim('', { ...LINE, generation: 0 })],
    ['of no home', '<!-- caloron-claim:v1::1:30:0 -->'],
    ['of another version', '<!-- caloron-claim:v2:home-a:1:30:0 -->'],
    ['of a number nobody can count to', '<!-- caloron-claim:v1:home-a:99999999999:30:0 -->'],
    ['of nothing', ''],
  ])('is none when %s', (_, body) => {
    expect(claimOf(commentOf(7, 1, { body }))).toBeUndefined();
  });

  it('is believed for a day at most', () => {
    const body = withClaim('', { ...LINE, minutes: 99_999 });
    expect(claimOf(commentOf(7, 1, { body, updated_at: AT }))?.expires_at).toBe(addMs(AT, 86_400_000));
  });
});

describe('of several claims', () => {
  it('the highest generation counts, then the lowest id, and none that was given back', () => {
    const old = claim(1);
    const [late, first] = [claim(9, { generation: 2 }), claim(8, { generation: 2 })];
    const given_back = claim(10, { generation: 3, minutes: 0 });

    expect(standingClaim([old, late, given_back, first])).toBe(first);
    expect(nextGeneration([old, late, given_back, first])).toBe(4);
    expect(standingClaim([given_back])).toBeUndefined();
    expect(nextGeneration([])).toBe(1);
  });

  it('one gives way to the one that counts', () => {
    const [first, second] = [claim(1), claim(2, { home: 'home-b' })];
    expect(ahead(second, [first, second])).toBe(first);
    expect(ahead(first, [first, second])).toBeUndefined();
  });

  it('one that took over what had not expired by the forge’s clock gives way', () => {
    const before = claim(1);
    const at = addMs(AT, 29 * 60_000);
    const early = claim(2, { home: 'home-b', generation: 2, since: at, renewed_at: at });
    expect(ahead(early, [before, early])).toBe(before);

    const later = addMs(AT, 30 * 60_000);
    const right = claim(2, { home: 'home-b', generation: 2, since: later, renewed_at: later });
    expect(ahead(right, [before, right])).toBeUndefined();
  });

  it('one that took over is not displaced by a renewal that came after it', () => {
    const at = addMs(AT, 31 * 60_000);
    const woken = claim(1, { renewed_at: addMs(at, 1_000), expires_at: addMs(at, 30 * 60_000) });
    const taken = claim(2, { home: 'home-b', generation: 2, since: at, renewed_at: at });

    expect(ahead(taken, [woken, taken])).toBeUndefined();
    expect(ahead(woken, [woken, taken])).toBe(taken);
  });

  it('at most one counts for itself, in whatever order they are seen', () => {
    const some = fc.array(
      fc.record({
        home: fc.constantFrom('home-a', 'home-b', 'home-c'),
        generation: fc.integer({ min: 1, max: 3 }),
        minutes: fc.constantFrom(0, 30),
        since: fc.integer({ min: 0, max: 90 }).map((n) => addMs(AT, n * 60_000)),
      }),
      { maxLength: 6 },
    );
    fc.assert(
      fc.property(some, fc.infiniteStream(fc.nat()), (facts, chance) => {
        const claims = facts.map((fact, n) => claim(n + 1, { ...fact, renewed_at: fact.since }));
        const seen = claims
          .map((each) => [chance.next().value ?? 0, each] as const)
          .toSorted(([a], [b]) => a - b)
          .map(([, each]) => each);
        const winners = claims.filter((each) => each.minutes > 0 && ahead(each, seen) === undefined);
        expect(winners.length).toBeLessThanOrEqual(1);
      }),
      { numRuns: 300 },
    );
  });
});
