import { setTimeout as delay } from 'node:timers/promises';

import { afterEach, beforeEach, expect, it } from 'vitest';

import { type ClaimHome, ClaimWorld } from '../support/claim-world.ts';

const TASKS = 6;
const DEADLINE_MS = 120_000;
/** A claim's term and a little. */
const TERM_MS = 31 * 60_000;

let world: ClaimWorld;
beforeEach(async () => {
  world = new ClaimWorld();
  await world.open(TASKS);
});
afterEach(() => world.close());

async function until(holds: () => boolean | Promise<boolean>, what: () => string): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`never came true: ${what()}`);
    await delay(50);
  }
}

const startedBy = (...homes: readonly ClaimHome[]): readonly string[] =>
  homes.flatMap(({ started }) => started).toSorted();
const all = Array.from({ length: TASKS }, (_, n) => `task-${String(n)}`);

/** Tasks that wait in a home for another one that has them. */
async function waiting(home: ClaimHome): Promise<readonly string[]> {
  const tasks = await home.tasks();
  return tasks.filter(({ put_back }) => put_back?.reason.startsWith('claimed: ')).map(({ id }) => id);
}

it('G9 two orchestrators with a database each start every task once, and one takes over what a dead one had', async () => {
  const [a, b] = [await world.addHome('a'), await world.addHome('b')];
  a.run();
  b.run();
  await until(
    async () => (await waiting(a)).length + (await waiting(b)).length === TASKS,
    () => [...a.errors, ...b.errors].slice(-5).join('\n'),
  );
  expect(startedBy(a, b)).toEqual(all);
  for (const said of await world.comments())
    expect(said.filter((body) => /<!-- caloron-claim:v1:[^:]+:1:30:0 -->$/.test(body))).toHaveLength(1);

  const had = [...a.started];
  await a.kill();
  await b.kill();
  world.ahead_ms = TERM_MS;
  b.run();
  await until(
    () => b.started.length === TASKS,
    () => b.errors.slice(-5).join('\n'),
  );
  expect(startedBy(b)).toEqual(all);
  expect(a.at_work().toSorted()).toEqual(had.toSorted());

  // It comes back, and finds out.
  a.run();
  await until(
    () => a.at_work().length === 0,
    () => a.errors.slice(-5).join('\n'),
  );
  expect(startedBy(a)).toEqual(had.toSorted());
  await until(
    () => had.every((id) => a.errors.some((line) => line.startsWith(`claim:${id}: another orchestrator`))),
    () => a.errors.join('\n'),
  );
});
