import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { z } from 'zod';

import { processesOf } from '../support/processes.ts';
import { SprintWorld } from '../support/sprint-world.ts';

const WAIT = { timeout: 120_000, interval: 100 } as const;
const Wip = z.object({ data: z.array(z.looseObject({ ref: z.string() })) });

let world: SprintWorld;

beforeEach(async () => {
  world = new SprintWorld({ settings: { isolation: { sandbox: 'off' } } });
  world.script('one', {
    steps: [{ write: 'one.txt', content: 'half\n' }, world.gate('one'), { commit: 'Write one' }],
  });
  await world.start();
  await world.startScheduler();
});
afterEach(() => world.close());

const statuses = async (sprint: string): Promise<readonly string[]> =>
  Object.values(await world.tasks(sprint)).map(({ status }) => status);

it('a sprint that a person ends stops its agents, keeps their work, tells nobody to decide, and lets the next one begin', async () => {
  await world.kickoff('s-1', ['[one] The first', '[two] The second (after: one)'], '--num-agents', '2');
  await vi.waitFor(() => expect(existsSync(join(world.dir, 'one.begun'))).toBe(true), WAIT);
  const refused = await world.caloron('kickoff', '- [x] Other', '--repo', world.forge.repo);
  expect(refused).toMatchObject({ code: 1 });
  expect(refused.stderr).toMatch(
    /^caloron kickoff: sprint s-1 on agent\/lib is still open \[KICKOFF_SPRINT_ACTIVE\]\n +next: .*caloron end --sprint s-1/,
  );

  await world.said('pause');
  const said = await world.said('end');
  expect(said).toMatch(/^sprint s-1: 2 tasks cancelled, 0 left alone; it is not paused any more\./);
  await vi.waitFor(
    async () => expect((await world.said('history')).split('\n').join(' ')).toMatch(/s-1 +.*completed/),
    WAIT,
  );
  expect(await statuses('s-1')).toEqual(['Cancelled', 'Cancelled']);
  expect(processesOf(world.dir).filter(({ command }) => command.includes('one.go'))).toEqual([]);
  expect(Wip.parse(JSON.parse(await world.said('wip', 'list', '--output', 'json'))).data).toHaveLength(1);
  const issues = (await world.ask('issues?state=open')) as readonly { readonly title: string }[];
  // Those of its tasks stay open, and no other was opened for a person.
  expect(issues.map(({ title }) => title).toSorted()).toEqual(['The first', 'The second']);
  expect(await world.said('end', '--sprint', 's-1')).toBe('sprint s-1 is over already');

  expect(
    await world.said('kickoff', '- [x] Other', '--repo', world.forge.repo, '--sprint-id', 's-1'),
  ).toMatch(/^sprint s-1 is over already: nothing was changed\n[^]*\nBegin another one: .* --sprint-id/);

  await world.kickoff('s-2', ['[one] Again', '[two] Needs it (after: one)', '[three] Alone']);
  expect(await world.said('cancel', 'one')).toMatch(
    /^one: cancel\. The next tick acts on it\.\nWhat needs it waits .* cancel two$/,
  );
  await vi.waitFor(async () => {
    const { one, two } = await world.tasks('s-2');
    expect([one?.status, two?.status]).toEqual(['Cancelled', 'Blocked']);
  }, WAIT);
  expect(await world.said('status')).toContain('dependency_cancelled:one');
  // What is over is given up by nobody, and nothing waits for a tick.
  expect(await world.said('cancel', 'one')).toBe('one is Cancelled already: nothing changes');
});
