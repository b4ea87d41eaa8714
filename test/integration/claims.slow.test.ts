import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import type { Task } from '@caloron/types';
import { afterEach, expect, it } from 'vitest';

import { writeText } from '../support/bins.ts';
import { SprintWorld } from '../support/sprint-world.ts';

const SPRINT = 'shared';
const TASKS = Array.from({ length: 6 }, (_, n) => `task-${n}`);
const DEADLINE_MS = 120_000;
const settings = { num_agents: TASKS.length, required_approvals: 0, isolation: { sandbox: 'off' } };

const worlds: SprintWorld[] = [];
afterEach(async () => {
  for (const world of worlds.splice(0).toReversed()) await world.close();
});

async function homes(): Promise<readonly [SprintWorld, SprintWorld]> {
  const one = new SprintWorld({ settings });
  worlds.push(one);
  await one.start();
  const other = new SprintWorld({ settings, forge: one.forge });
  worlds.push(other);
  await other.start();
  return [one, other];
}

async function until(holds: () => boolean | Promise<boolean>, what: () => string): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`never came true: ${what()}`);
    await delay(200);
  }
}

/** Every agent says that it began, works until it is told to go on, and commits. */
function scripts(world: SprintWorld, { ran, go }: { readonly ran: string; readonly go: string }): void {
  for (const task of TASKS) {
    const work = `echo ${task} >> ${ran}; until test -e ${go}; do sleep 0.1; done`;
    const steps = [
      { run: ['sh', '-c', work] },
      { write: `${task}.txt`, content: 'done\n' },
      { commit: `Do ${task}` },
    ];
    world.script(task, { steps });
  }
}

it('G9 two orchestrators on one repository do every task once, and the one that lost says who has it', async () => {
  const both = await homes();
  const [one] = both;
  const [ran, go] = [join(one.dir, 'ran'), join(one.dir, 'go')];
  for (const world of both) scripts(world, { ran, go });
  const tasks = TASKS.map((task) => `[${task}] Do ${task}`);
  const all = async (): Promise<readonly Task[]> =>
    (await Promise.all(both.map((world) => world.tasks(SPRINT)))).flatMap((each) => Object.values(each));
  const with_status = async (status: string): Promise<number> =>
    (await all()).filter((task) => task.status === status).length;

  // At once: each may open an issue for the same task.
  await Promise.all(both.map((world) => world.kickoff(SPRINT, tasks)));
  await Promise.all(both.map((world) => world.startScheduler()));
  const isWaiting = ({ put_back }: Task): boolean => put_back?.reason.startsWith('claimed: ') === true;
  await until(
    async () =>
      (await with_status('InProgress')) === TASKS.length &&
      (await all()).filter(isWaiting).length === TASKS.length,
    () => 'each task is worked on in one home and waits in the other',
  );
  const waits = (await one.tasks(SPRINT))['task-0'];
  const loser = waits !== undefined && isWaiting(waits) ? one : both[1];
  const told =
    /another orchestrator \(home [0-9a-f]{8}, as agent\) has issue #\d+ since \S+, until \S+ unless it renews/;
  expect(await loser.said('status', '--sprint', SPRINT)).toMatch(told);
  const shown = await loser.said('show', 'task-0', '--sprint', SPRINT);
  expect(shown).toMatch(told);
  expect(shown).toContain('it starts here by itself once that orchestrator');

  writeText(go, '');
  await until(
    async () => (await with_status('Done')) === 2 * TASKS.length,
    () => 'both homes know that everything is done',
  );
  expect(readFileSync(ran, 'utf8').trim().split('\n').toSorted()).toEqual(TASKS);
  const authors = both.flatMap(({ store }) => store.processes.list(SPRINT)).map(({ task_id }) => task_id);
  expect(authors.toSorted()).toEqual(TASKS);
  expect(await one.ask('pulls?state=all')).toHaveLength(TASKS.length);
});
