import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { SprintWorld } from '../support/sprint-world.ts';

const WAIT = { timeout: 120_000, interval: 100 } as const;
const SPRINT = 's';

const world = new SprintWorld({
  reviewer: true,
  // The scripts write beside their worktrees, where a sandbox lets nobody write.
  settings: { isolation: { sandbox: 'off' }, capacity: { host: 1 } },
});

/** Agents that say that they have begun, and deliver once they may. */
beforeAll(async () => {
  for (const task of ['one', 'two'])
    world.script(task, {
      steps: [
        world.gate(task, 'all'),
        { write: `${task}.txt`, content: 'done\n' },
        { commit: `Write ${task}` },
      ],
    });
  await world.start();
  await world.startScheduler();
  await world.kickoff(SPRINT, ['[one] The first', '[two] The second'], '--num-agents', '2');
});
afterAll(() => world.close());

describe('a machine with room for one agent', () => {
  it('D13 runs one after the other, tells what the others wait for, and ends the sprint with no attempt lost', async () => {
    await vi.waitFor(async () => {
      const reasons = Object.values(await world.tasks(SPRINT)).map(({ status_reason }) => status_reason);
      expect(
        reasons.filter((reason) => reason?.startsWith('capacity: 1 of at most 1 agents') === true),
      ).toHaveLength(1);
    }, WAIT);
    const begun = (): number =>
      ['one', 'two'].filter((task) => existsSync(join(world.dir, `${task}.begun`))).length;
    await vi.waitFor(() => expect(begun()).toBe(1), WAIT);
    const waiting =
      Object.entries(await world.tasks(SPRINT)).find(([, task]) => task.status === 'Ready')?.[0] ?? '';
    expect(await world.said('show', waiting)).toMatch(
      /capacity: 1 of at most 1 agents[^]*next\n {2}nothing: it starts by itself/,
    );

    world.open('all');
    await vi.waitFor(async () => {
      const all = Object.values(await world.tasks(SPRINT));
      expect(all.map(({ status }) => status)).toEqual(['Done', 'Done']);
      expect(all.map(({ failed_attempts }) => failed_attempts)).toEqual([0, 0]);
    }, WAIT);
  });
});
