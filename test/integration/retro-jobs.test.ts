import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { keys, Learnings, newTask, RetroOutput, type Task } from '@caloron/types';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';

import { JobsWorld } from '../support/jobs-world.ts';
import { LIB } from '../support/lib-forge.ts';
import { stateOf, storeState } from '../support/stored-sprint.ts';
import { ROOT } from '../support/tree.ts';

/** `pnpm test` makes some of them, `pnpm test:slow` all. */
const SLOW = process.env['CALORON_TEST_SLOW'] === '1';
const MINUTE_MS = 60_000;
const WEEK_MS = 7 * 1_440 * MINUTE_MS;
/** A Friday. */
const BEFORE_SIX = '2026-04-17T17:59:30.000Z';
const WITHIN = { timeout: 30_000 };

const feedback = {
  task_id: 'form',
  agent_role: 'developer',
  task_clarity: 8,
  blockers: [],
  tools_used: ['stub'],
  tokens_consumed: 10,
  time_to_complete_min: 1,
  notes: '',
  self_assessment: 'completed' as const,
};

/** The job as `caloron init` and the repository's scheduler.json have it. */
function retroJob(): { readonly name: string; readonly graph: string } {
  const Jobs = z.object({ jobs: z.array(z.looseObject({ name: z.string(), graph: z.string() })) });
  const { jobs } = Jobs.parse(JSON.parse(readFileSync(join(ROOT, 'scheduler.json'), 'utf8')));
  const [job] = jobs.filter(({ name }) => name === 'retro');
  if (job === undefined) throw new Error('scheduler.json has no retro');
  return { ...job, graph: 'retro' };
}

describe('the retro job', () => {
  let world: JobsWorld;

  beforeEach(async () => {
    world = new JobsWorld(BEFORE_SIX);
    await world.open();
  });
  afterEach(() => world.close());

  /** A sprint whose one task is done, as the active one. */
  const begin = async (sprint_id: string): Promise<void> => {
    const { store } = world.runtime;
    const plan = {
      id: 'form',
      title: 'Add a form',
      description: '',
      depends_on: [],
      agent_id: 'agent-1',
      reviewer_id: null,
    };
    const task: Task = { ...newTask(sprint_id, plan, BEFORE_SIX), status: 'Done' };
    const host = world.forgeUrl;
    await storeState(store, stateOf([task], { sprint_id, goal: 'A form', repo: LIB, host }));
    const told = { issue_number: null, author: null, created_at: null, feedback };
    await store.kv.put(keys.feedback(sprint_id), { v: 1, items: [told] });
    await store.kv.put(keys.activeSprint, { sprint_id, repo: LIB, stall_threshold_m: 20 });
  };
  const runs = () =>
    world.runtime.store.runs
      .list({ labels: { job: 'retro' } })
      .filter(({ status }) => status !== 'running')
      .toReversed();
  const over = (n: number): Promise<void> => vi.waitFor(() => expect(runs()).toHaveLength(n), WITHIN);
  const report = async (sprint_id: string): Promise<RetroOutput | undefined> => {
    const found = await world.runtime.store.kv.get(keys.report(sprint_id));
    return found === undefined ? undefined : RetroOutput.parse(found.value);
  };
  const learnings = async (): Promise<readonly string[]> => {
    const found = await world.runtime.store.kv.get(keys.learnings);
    return found === undefined ? [] : Learnings.parse(found.value).items.map((item) => item.sprint_id);
  };
  const settle = async (ms = 700): Promise<void> => {
    // Whatever was going to happen besides has happened: events are looked at each 200 ms.
    await new Promise((resolve) => setTimeout(resolve, ms));
  };

  it('writes an interim report on Friday, the last one when the sprint is over, and doubles nothing after', async () => {
    await begin('s-1');
    world.start([retroJob()]);
    world.clock.advance(MINUTE_MS);
    await over(1);
    expect(await report('s-1')).toMatchObject({ interim: true, learnings: [] });
    expect(await learnings()).toEqual([]);

    await world.complete('s-1');
    await over(2);
    expect(runs()[1]).toMatchObject({ status: 'ok', labels: { cause: 'sprint.completed', sprint: 's-1' } });
    const last = await report('s-1');
    expect(last).toMatchObject({ interim: false });
    const learnt = await learnings();
    expect(learnt.length).toBeGreaterThan(0);

    world.clock.advance(WEEK_MS);
    await over(3);
    await settle();
    expect(runs()[2]).toMatchObject({ status: 'ok', labels: { cause: 'cron' } });
    expect(runs()).toHaveLength(3);
    expect(await report('s-1')).toEqual(last);
    expect(await learnings()).toEqual(learnt);
    expect(existsSync(resolve(world.dir, last?.report_path ?? ''))).toBe(true);
  });

  it('looks back on each sprint that is over, also when the next one has begun before it ran', async () => {
    await begin('s-1');
    await world.complete('s-1');
    await begin('s-2');
    await world.complete('s-2');
    await begin('s-3');
    world.start([retroJob()]);
    await over(2);
    await settle();

    expect(runs().map(({ labels }) => labels['sprint'])).toEqual(['s-1', 's-2']);
    expect(await report('s-1')).toMatchObject({ interim: false });
    expect(await report('s-2')).toMatchObject({ interim: false });
    expect(await report('s-3')).toBeUndefined();
    expect(new Set(await learnings())).toEqual(new Set(['s-1', 's-2']));
  });

  if (SLOW)
    it('is not missed for a sprint that ends as Friday’s slot is fired for the next one', async () => {
      await begin('s-1');
      world.start([retroJob()]);
      await begin('s-2');
      // The slot comes before the end can be seen: a run for that would let it out.
      const completed = world.complete('s-1');
      world.clock.advance(MINUTE_MS);
      await completed;
      await vi.waitFor(async () => expect(await report('s-1')).toMatchObject({ interim: false }), WITHIN);
      await vi.waitFor(async () => expect(await report('s-2')).toMatchObject({ interim: true }), WITHIN);
      await over(2);
      await settle();

      expect(new Set(await learnings())).toEqual(new Set(['s-1']));
      expect(runs().map(({ labels }) => labels['sprint'])).toHaveLength(2);
    });

  if (SLOW)
    it.each([
      ['one name', 'default'],
      ['two names', 'other'],
    ])(
      'of two schedulers of %s looks back once where the end falls on Friday’s slot',
      async (_, scheduler_id) => {
        await begin('s-1');
        const runtime = world.newRuntime();
        try {
          world.start([retroJob()]);
          const second = world.start([retroJob()], { scheduler_id, runtime });
          world.clock.advance(MINUTE_MS);
          await world.complete('s-1');
          await vi.waitFor(async () => expect(await report('s-1')).toMatchObject({ interim: false }), WITHIN);
          // A run that found the lease taken is made again after two seconds.
          await settle(3_000);
          await second.stop(10_000);

          expect(runs().filter(({ status }) => status === 'failed')).toEqual([]);
          const learnt = await learnings();
          expect(new Set(learnt)).toEqual(new Set(['s-1']));
          expect(learnt).toHaveLength((await report('s-1'))?.learnings.length ?? 0);
        } finally {
          runtime.close();
        }
      },
    );
});
