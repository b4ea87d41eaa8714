import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { editJson, type Serving } from '../support/bins.ts';
import { SprintWorld } from '../support/sprint-world.ts';
import { ROOT } from '../support/tree.ts';

const TASKS = Array.from({ length: 40 }, (_, n) => `task-${String(n + 1)}`);

describe('a kickoff by a scheduler that is killed in the middle', () => {
  let world: SprintWorld;

  beforeEach(async () => {
    world = new SprintWorld();
    await world.start();
  });
  afterEach(() => world.close());

  const issues = async (): Promise<readonly string[]> => {
    const path = 'issues?state=all&direction=asc&per_page=100';
    return ((await world.ask(path)) as readonly { readonly title: string }[]).map(({ title }) => title);
  };
  const kill = async ({ pid }: Serving): Promise<void> => {
    process.kill(pid, 'SIGKILL');
    await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow(), { timeout: 30_000, interval: 10 });
  };

  it('is made again at the next start, and each issue there is once', async () => {
    const brief = TASKS.map((task) => `- [${task}] Do ${task}`).join('\n');
    const job = {
      name: 'begin',
      cron: '0 0 1 1 *',
      graph: join(ROOT, 'compositions/kickoff.json'),
      input: { brief, repo: world.forge.repo },
      on: ['sprint.wanted'],
    };
    editJson(join(world.home, 'scheduler.json'), { jobs: [job] });
    const first = await world.startScheduler();
    await world.store.events.append([
      { event_id: 'want', kind: 'sprint.wanted', sprint_id: null, payload: {} },
    ]);
    await vi.waitFor(async () => expect((await issues()).length).toBeGreaterThan(2), {
      timeout: 30_000,
      interval: 10,
    });
    await kill(first);
    expect((await issues()).length).toBeLessThan(TASKS.length);

    await world.startScheduler();
    // The lease of the dead one runs out after 30 s.
    await vi.waitFor(
      () => {
        const rows = world.store.slots.list({ job: 'begin', limit: 100 });
        expect(rows.find(({ slot }) => slot.startsWith('event:'))).toMatchObject({ status: 'failed' });
        expect(rows[0]).toMatchObject({ status: 'ok' });
      },
      { timeout: 200_000, interval: 200 },
    );

    expect((await issues()).toSorted()).toEqual(TASKS.map((task) => `Do ${task}`).toSorted());
    expect(world.store.sprints()).toHaveLength(1);
  });
});
