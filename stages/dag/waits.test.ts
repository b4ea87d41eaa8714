import { EndClass } from '@caloron/types';
import type { Sprint } from '@caloron/types';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { sha } from '../testing/drive.ts';
import type { Happening } from '../testing/happening.ts';
import { SmallWorld } from '../testing/small_world.ts';

const LONG = process.env['CALORON_TEST_LONG'] === '1';
/** Milliseconds the law may take: half a minute for its long form. */
const LONG_MS = 180_000;

const head = fc.constantFrom('a', 'b', 'c');
const happening: fc.Arbitrary<Happening> = fc.oneof(
  { arbitrary: fc.constant({ what: 'act_all' } as const), weight: 5 },
  { arbitrary: fc.record({ what: fc.constant('finish' as const), head }), weight: 4 },
  { arbitrary: fc.record({ what: fc.constant('push' as const), head }), weight: 3 },
  fc.constant({ what: 'act' } as const),
  fc.constant({ what: 'wait' } as const),
  fc.record({
    what: fc.constant('refuse' as const),
    code: fc.constantFrom(
      'FORGE_NOT_MERGEABLE',
      'FORGE_BEHIND',
      'FORGE_MERGE_UNSETTLED',
      'MERGE_BASE_BEHIND',
      'MERGE_OTHER_BASE',
      'FORGE_HEAD_MOVED',
      'SHELL_REFUSED',
    ),
  }),
  fc.record({
    what: fc.constant('forbid' as const),
    code: fc.constantFrom('MERGE_DRAFT' as const, 'MERGE_BLOCKED' as const),
  }),
  fc.record({ what: fc.constant('end' as const), cause: fc.constantFrom(...EndClass.options) }),
  fc.record({
    what: fc.constant('review' as const),
    says: fc.constantFrom('approved' as const, 'changes_requested' as const, 'dismissed' as const),
  }),
  fc.record({ what: fc.constant('late' as const), head }),
  fc.record({ what: fc.constant('restart' as const), to: fc.constantFrom(null, 'agent-2') }),
  fc.record({ what: fc.constantFrom('issue' as const, 'pull' as const) }),
  fc.record({
    what: fc.constant('word' as const),
    word: fc.constantFrom('resolved' as const, 'adopt' as const, 'break-down' as const, 'cancel' as const),
  }),
);

/** What binds what is started: proof of each head, money that pays one run at a time, room for one agent. */
const sprint = fc.constantFrom<Partial<Sprint>>(
  {},
  { verify: [['true']], require_receipt: false },
  { budget: { agent: { tokens: 60 }, task: { tokens: 100 }, sprint: { tokens: 110 } } },
  { capacity: { sprint: 1 } },
);

const heads = (world: SmallWorld): readonly string[] =>
  world.drive.causes('spawn_agent').filter((cause) => cause.startsWith('reviewer'));
const play = (...history: readonly Happening[]): SmallWorld => {
  const world = new SmallWorld();
  for (const one of history) world.happen(one);
  return world;
};
const [started, gone] = [{ what: 'act_all' }, { what: 'end', cause: 'crash' }] as const;
const pushed = (to: string) => ({ what: 'push', head: to }) as const;

describe('a task', () => {
  it('whose head comes back is reviewed again, and the same evaluation again intends the same', () => {
    const world = play(started, pushed('b'), started, pushed('a'));
    const again = `reviewer:review:1:${sha('a')}:again1`;

    expect(heads(world)).toEqual([...['a', 'b'].map((of) => `reviewer:review:1:${sha(of)}`), again]);
    expect(world.drive.tick()).toEqual([]);
    expect(world.settle()).toBe(true);
  });

  it('asks people for a review of a head that comes back, and once of one that stays', () => {
    const world = play(started, pushed('b'), started, pushed('a'), { what: 'issue' }, { what: 'issue' });

    expect(world.drive.causes('submit_pr_for_review')).toEqual([
      `7:${sha('a')}`,
      `7:${sha('b')}`,
      `7:${sha('a')}:again1`,
    ]);
  });

  it('whose issue is closed and opened again is reviewed by another process', () => {
    const world = play(started, { what: 'issue' }, started, { what: 'issue' });

    expect(heads(world)).toHaveLength(2);
    expect(world.settle()).toBe(true);
  });

  it('whose reviewer ends while its pull request is closed is reviewed when that is open again', () => {
    const world = play(started, { what: 'pull' }, gone, { what: 'pull' });

    expect(heads(world)).toHaveLength(2);
    expect(world.drive.task().reviewer_run?.over).toBe(true);
    expect(world.settle()).toBe(true);
  });

  it('whose merge was refused of a head that comes back approved is merged', () => {
    const world = play(started, { what: 'review', says: 'approved' }, { what: 'checks' });
    expect(world.drive.task().status_reason).toBe('merging');
    world.happen({ what: 'refuse', code: 'MERGE_BASE_BEHIND' });
    world.happen(pushed('b'));
    world.happen(pushed('a'));

    expect(world.drive.causes('merge_pr')).toEqual([`7:${sha('a')}`]);
    world.happen({ what: 'checks' });
    expect(world.drive.causes('merge_pr')).toEqual([`7:${sha('a')}`, `7:${sha('a')}:again1`]);
    expect(world.settle()).toBe(true);
  });

  it('whose pull request is opened again after a person was asked, and closed again, asks again', () => {
    const close = { what: 'pull' } as const;
    const world = play(close, close, close, close, close);

    expect(world.drive.causes('escalate')).toEqual(['pr_closed:0']);
    world.happen(close);
    world.happen(close);
    world.happen(close);
    world.happen(close);
    expect(world.drive.causes('escalate').length).toBeGreaterThan(1);
  });

  it(
    'never waits for an action that was intended before and has ended: whatever happened, it comes to its end',
    () => {
      const law = fc.property(fc.array(happening, { maxLength: 10 }), sprint, (history, change) => {
        const world = new SmallWorld(change);
        for (const one of history) world.happen(one);

        const settled = world.settle();
        const { status, status_reason } = world.drive.task();
        const reason = status === 'Cancelled' ? 'cancel' : null;
        expect([settled, status_reason, world.drive.intended()]).toEqual([
          true,
          reason,
          world.drive.intended(),
        ]);
      });
      fc.assert(law, { numRuns: LONG ? 20_000 : 150 });
    },
    LONG_MS,
  );

  it(
    'that a person gives up has no agent any more, and its sprint closes, whatever happened before and meanwhile',
    () => {
      const histories = fc.array(happening, { maxLength: 8 });
      const law = fc.property(histories, histories, sprint, (history, meanwhile, change) => {
        const world = new SmallWorld(change);
        for (const one of history) world.happen(one);
        world.happen({ what: 'word', word: 'cancel' });
        const { status } = world.drive.task();
        // Sooner or later, as the outbox gets to it.
        for (const one of meanwhile) world.happen(one);
        for (let drain = 0; drain < 3; drain += 1) world.happen({ what: 'act_all' });

        expect([status, 'Done']).toContain(world.drive.task().status);
        expect([world.works, world.drive.state.status, world.drive.intended()]).toEqual([
          false,
          'completed',
          world.drive.intended(),
        ]);
      });
      fc.assert(law, { numRuns: LONG ? 20_000 : 100 });
    },
    LONG_MS,
  );
});
