import { keys, ownOf } from '@caloron/types';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { JobsWorld } from '../support/jobs-world.ts';
import { LIB } from '../support/lib-forge.ts';

/** `pnpm test` makes one of them, `pnpm test:slow` all. */
const SLOW = process.env['CALORON_TEST_SLOW'] === '1';
const MINUTE_MS = 60_000;
const DAY_MS = 1_440 * MINUTE_MS;
const WITHIN = { timeout: 30_000 };

const brief = '- [form] Add a form\n- [mail] Mail a welcome (after: form)';
const kickoff = (name: string, input: object) => ({
  name,
  cron: '* * * * *',
  graph: 'kickoff',
  input: { brief, repo: LIB, ...input },
});

describe('a kickoff by cron', () => {
  let world: JobsWorld;
  let slots = 0;

  beforeEach(async () => {
    world = new JobsWorld('2026-04-15T12:00:30.000Z');
    slots = 0;
    await world.open();
  });
  afterEach(() => world.close());

  /** Lets the clock reach the next slot of each job, and waits until it is over. */
  const nextSlot = async (...jobs: readonly string[]): Promise<void> => {
    world.clock.advance(MINUTE_MS);
    slots += 1;
    await vi.waitFor(() => {
      for (const job of jobs) {
        const rows = world.slots(job);
        expect(rows).toHaveLength(slots);
        expect(rows.map(({ status }) => status)).not.toContain('fired');
      }
    }, WITHIN);
  };
  const statuses = (job: string): readonly string[] => world.slots(job).map(({ status }) => status);
  const sprints = (): readonly string[] => world.runtime.store.sprints();

  if (SLOW)
    it('begins its sprint once: a sprint that is known is left as it is', async () => {
      const scheduler = world.start([kickoff('begin', { sprint_id: 's-1' })]);
      await nextSlot('begin');
      const begun = await world.state('s-1');
      await nextSlot('begin');
      await world.complete('s-1');
      await nextSlot('begin');

      expect(statuses('begin')).toEqual(['ok', 'ok', 'ok']);
      expect(scheduler.jobs()).toMatchObject([{ last: { status: 'ok', error: null } }]);
      expect(await world.issues()).toEqual(['Add a form', 'Mail a welcome']);
      expect(await world.state('s-1')).toEqual({ ...begun, status: 'completed' });
    });

  it('beside an open sprint is skipped and says why everywhere, and begins when that one is over', async () => {
    const first = world.start([kickoff('first', { sprint_id: 's-1' })]);
    await nextSlot('first');
    await first.stop(0);
    const scheduler = world.start([kickoff('second', { sprint_id: 's-2' })]);
    slots = 0;
    await nextSlot('second');

    const reason = 'sprint s-1 on agent/lib is still open';
    expect(world.slots('second')).toMatchObject([{ status: 'skipped', reason }]);
    expect(scheduler.jobs()).toMatchObject([{ last: { status: 'skipped', error: null, reason } }]);
    expect(world.runtime.store.runs.list({ status: 'skipped' })).toMatchObject([
      { labels: { job: 'second' }, error: { code: 'KICKOFF_SPRINT_ACTIVE' } },
    ]);
    expect(world.logged).toContainEqual(
      expect.objectContaining({ level: 30, job: 'second', reason, msg: 'job skipped' }),
    );

    await world.complete('s-1');
    await nextSlot('second');
    // Not again before the next slot, as after a lease that was taken.
    expect(statuses('second')).toEqual(['skipped', 'ok']);
    expect(await world.state('s-2')).toMatchObject({ status: 'active' });
    expect(await world.issues()).toHaveLength(4);
  });

  if (SLOW)
    it('takes its input of a key: nothing there is a skip', async () => {
      const { input: _input, ...job } = kickoff('queued', {});
      world.start([{ ...job, input_from: 'kv:next_kickoff' }]);
      await nextSlot('queued');
      await world.runtime.store.kv.put('next_kickoff', { brief, repo: LIB, sprint_id: 's-1' });
      await nextSlot('queued');

      expect(world.slots('queued')).toMatchObject([
        { status: 'skipped', reason: 'next_kickoff holds nothing' },
        { status: 'ok' },
      ]);
      expect(await world.issues()).toHaveLength(2);
    });

  if (SLOW)
    it('is made at once when a sprint is over by a job that is fired by its end, of what its key holds then', async () => {
      const { input, ...job } = kickoff('next', {});
      await world.runtime.store.kv.put('next_kickoff', { ...input, sprint_id: 's-1' });
      world.start([{ ...job, input_from: 'kv:next_kickoff', on: ['sprint.completed'] }]);
      await nextSlot('next');
      await world.runtime.store.kv.put('next_kickoff', { ...input, sprint_id: 's-2' });
      await world.complete('s-1');
      await vi.waitFor(() => expect(statuses('next')).toEqual(['ok', 'ok']), WITHIN);

      expect(world.slots('next')[1]?.slot).toMatch(/^event:/);
      expect(sprints()).toEqual(['s-2', 's-1']);
    });

  if (SLOW)
    it('without sprint_id begins one sprint a day of a brief, also when that is over', async () => {
      world.start([kickoff('daily', {})]);
      await nextSlot('daily');
      await nextSlot('daily');
      const [sprint_id = ''] = sprints();
      await world.complete(sprint_id);
      await nextSlot('daily');

      expect(sprint_id).toBe('add-a-form-mail-a-welcome-20260415');
      expect(statuses('daily')).toEqual(['ok', 'ok', 'ok']);
      expect(sprints()).toHaveLength(1);
      expect(await world.issues()).toHaveLength(2);

      world.clock.advance(DAY_MS);
      await vi.waitFor(() => expect(sprints()).toHaveLength(2), WITHIN);
      await vi.waitFor(() => expect(statuses('daily').at(-1)).toBe('ok'), WITHIN);
      expect(sprints()[0]).toBe('add-a-form-mail-a-welcome-20260416');
      expect(await world.issues()).toHaveLength(4);
    });

  if (SLOW)
    it.each([
      ['of one name', 'default'],
      ['of two names', 'other'],
    ])('by two schedulers %s on one database begins one sprint', async (_, scheduler_id) => {
      const runtime = world.newRuntime();
      try {
        world.start([kickoff('begin', {})]);
        const second = world.start([kickoff('begin', {})], { scheduler_id, runtime });
        world.clock.advance(MINUTE_MS);
        await vi.waitFor(() => {
          const rows = world.slots('begin');
          const over = rows.filter(({ status }) => status === 'ok');
          expect(over).toHaveLength(scheduler_id === 'default' ? 1 : 2);
          expect(rows.map(({ status }) => status)).not.toContain('fired');
        }, WITHIN);
        await second.stop(0);

        expect(sprints()).toHaveLength(1);
        expect(await world.issues()).toEqual(['Add a form', 'Mail a welcome']);
      } finally {
        runtime.close();
      }
    });

  if (SLOW)
    it('of two repositories at the same slot begins one sprint, and the other waits', async () => {
      world.start([
        kickoff('one', { sprint_id: 's-1' }),
        kickoff('two', { sprint_id: 's-2', repo: 'agent/LIB' }),
      ]);
      world.clock.advance(MINUTE_MS);
      await vi.waitFor(() => {
        const rows = [...world.slots('one'), ...world.slots('two')];
        expect(rows.map(({ status }) => status)).not.toContain('fired');
        expect(rows.filter(({ reason }) => reason?.includes('is still open') === true)).toHaveLength(1);
      }, WITHIN);

      expect(sprints()).toHaveLength(1);
      const active = (await world.runtime.store.kv.get(keys.activeSprint))?.value;
      expect(ownOf(active as Record<string, unknown>, 'sprint_id')).toBe(sprints()[0]);
      expect(await world.issues()).toHaveLength(2);
    });
});
