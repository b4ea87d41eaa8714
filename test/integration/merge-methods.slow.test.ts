import { afterEach, expect, it } from 'vitest';

import { SprintWorld } from '../support/sprint-world.ts';
import { Ticks } from '../support/ticks.ts';

let world: SprintWorld | undefined;

afterEach(async () => {
  await world?.close();
  world = undefined;
});

it.each(['rebase', 'squash'] as const)(
  '5.5.5 a sprint that merges by %s keeps one line, and what depends on a merge begins on it',
  async (merge_method) => {
    world = new SprintWorld({ reviewer: true, settings: { num_agents: 2, merge_method } });
    const write = (name: string) => [
      { write: `${name}.txt`, content: 'done\n' },
      { commit: `Write ${name}` },
    ];
    for (const name of ['one', 'two', 'three']) world.script(name, { steps: write(name) });
    await world.start();
    // One and two begin on the same commit: whichever is merged second is behind.
    await world.kickoff('s', ['[one] The first', '[two] The second', '[three] The third (after: one, two)']);
    const ticks = new Ticks(world, { sprint_id: 's', deadline_ms: 120_000, step_ms: 2_000 });

    await ticks.until((tasks) => {
      expect(Object.values(tasks).map(({ status }) => status)).toEqual(['Done', 'Done', 'Done']);
    });

    expect(Object.values(await ticks.tasks()).map(({ rebases }) => rebases)).toEqual([0, 0, 0]);
    await world.git('fetch', '--quiet', world.remote, 'main');
    const log = await world.git('log', '--format=%P', 'FETCH_HEAD');
    const parents = log.split('\n').map((line) => line.split(' ').filter((sha) => sha !== '').length);
    expect(parents.filter((count) => count > 1)).toEqual([]);
    const files = await world.git('ls-tree', '--name-only', 'FETCH_HEAD');
    expect(files.split('\n')).toEqual(expect.arrayContaining(['one.txt', 'three.txt', 'two.txt']));
  },
);
