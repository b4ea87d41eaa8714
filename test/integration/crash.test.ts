import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { expectOnce, settled } from '../support/crash-once.ts';
import { type CrashTemplate, crashTemplate, type Kill } from '../support/crash-world.ts';

/** `pnpm test:long` kills at every step, `pnpm test` at a sample. */
const LONG = process.env['CALORON_TEST_LONG'] === '1';
/** Set for `pnpm test:slow`. */
const SLOW = process.env['CALORON_TEST_SLOW'] === '1';
/** Steps of the sample beside those that are always tried. */
const SPREAD = SLOW ? 3 : 1;
const AT_ONCE = 4;
/** A dead run's lease of 30 s has run out for a process this much further ahead. */
const AHEAD_MS = 31_000;

/** Calls around which the scheduler is always killed: the transactions and the effects that must not be repeated. */
const ALWAYS = [
  'state.commit',
  'outbox.start',
  'forge.createIssue',
  'forge.merge',
  'forge.comment',
  'shell.spawn',
  'outbox.succeed',
];

/** Those around which every test run kills it: the two effects that are people's worst fears. */
const OFTEN = ['forge.merge', 'shell.spawn'];

let template: CrashTemplate;

/** Runs a sprint without a kill; gives the steps of its tick. */
async function undisturbed(): Promise<readonly string[]> {
  const world = await template.world();
  try {
    const scheduler = world.scheduler({ kill: null, ahead_ms: 0 });
    await settled(world);
    const { steps } = await scheduler.stop();
    await expectOnce(world);
    return steps;
  } finally {
    await world.close();
  }
}

/** Kills the scheduler at one step after the other, starting it again in between and at last for good, and looks at what became of every effect. Gives the steps; null for one the tick did not come to. */
async function crash(kills: readonly Kill[]): Promise<readonly (string | null)[]> {
  const world = await template.world();
  try {
    const made: (string | null)[] = [];
    for (const [at, kill] of kills.entries()) {
      const { killed_at } = await world.scheduler({ kill, ahead_ms: at * AHEAD_MS }).ended;
      made.push(killed_at);
    }
    const last = world.scheduler({ kill: null, ahead_ms: kills.length * AHEAD_MS });
    await settled(world);
    await last.stop();
    await expectOnce(world);
    return made;
  } catch (error) {
    throw new Error(`killed at ${kills.join(', then ')}: ${String(error)}`, { cause: error });
  } finally {
    await world.close();
  }
}

/** Tries all cases, some at once; gives the steps they were killed at. Every failure is told, not only the first. */
async function crashAll(cases: readonly (readonly Kill[])[]): Promise<readonly (string | null)[]> {
  const queue = [...cases];
  const made: (string | null)[] = [];
  const failures: string[] = [];
  const worker = async (): Promise<void> => {
    for (let kills = queue.shift(); kills !== undefined; kills = queue.shift()) {
      try {
        made.push(...(await crash(kills)));
      } catch (error) {
        failures.push(String(error));
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  expect(failures).toEqual([]);
  return made;
}

describe('a scheduler that is killed during a tick', () => {
  let steps: readonly string[] = [];

  beforeAll(async () => {
    template = await crashTemplate();
    steps = await undisturbed();
  });

  afterAll(() => template.remove());

  it('has both transactions, their rounds and every effect among its steps', () => {
    for (const call of ALWAYS) {
      expect(steps).toContain(`before ${call}`);
      expect(steps).toContain(`after ${call}`);
    }
    // T1 and T2, then T1 of the two further rounds.
    expect(steps.filter((name) => name === 'after state.commit')).toHaveLength(4);
  });

  if (SLOW)
    it('leaves every effect once, killed before a transaction or an effect and once more after it', async () => {
      const around = [
        ...(LONG || SLOW ? ALWAYS : OFTEN).map((call) => [`before ${call}`, `after ${call}`]),
        // Of the two issues a tick opens, one is a task's and one an escalation.
        ['before forge.createIssue 2', 'after forge.createIssue'],
      ];
      const made = await crashAll(around);

      expect(new Set(made)).toEqual(new Set(around.flat()));
    });

  it(
    LONG
      ? 'leaves every effect once, killed at each of its steps'
      : 'leaves every effect once, killed at some of its steps',
    async () => {
      const tried = LONG ? steps.length : SPREAD;
      const apart = LONG ? 1 : steps.length / (SPREAD + 1);
      const made = await crashAll(Array.from({ length: tried }, (_, at) => [Math.round((at + 1) * apart)]));

      // Work side by side takes its steps in another order each time: one tick may have a few fewer than another.
      const missed = made.filter((name) => name === null).length;
      expect(missed).toBeLessThanOrEqual(LONG ? steps.length / 20 : 0);
      if (LONG) process.stderr.write(`${made.length} crashes at ${made.length - missed} steps of one tick\n`);
    },
    LONG ? 3_600_000 : 300_000,
  );
});
