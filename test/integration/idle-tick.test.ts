import { afterEach, describe, expect, it } from 'vitest';

import { PollWorld } from '../support/poll-world.ts';

let world: PollWorld | undefined;

afterEach(async () => {
  await world?.close();
  world = undefined;
});

// With 200 pull requests, checks under way, an outage: idle-tick.slow.test.ts.
describe('an idle tick', () => {
  it.each([0, 3])(
    '5.4.7 makes three requests, all answered 304, with %i open pull requests',
    async (pulls) => {
      world = new PollWorld({ pulls });
      await world.open();
      await world.tick();
      await world.tick();

      const { asked, output } = await world.tick();

      expect(asked.map(({ status }) => status)).toEqual([304, 304, 304]);
      expect(output.errors.filter((error) => !error.startsWith('shell: '))).toEqual([]);
    },
  );

  it('adds to its traces alone, which are deleted when they are old', async () => {
    world = new PollWorld({ pulls: 0 });
    await world.open();
    for (let n = 0; n < 2; n += 1) await world.tick();
    const before = world.rows();

    await world.tick();
    await world.tick();

    const { runs = 0, run_steps = 0, ...after } = world.rows();
    expect({ ...before, ...after }).toEqual(before);
    expect(runs - (before['runs'] ?? 0)).toBe(2);
    expect(run_steps).toBeGreaterThan(before['run_steps'] ?? 0);
  });
});
