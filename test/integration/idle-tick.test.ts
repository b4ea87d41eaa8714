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
});
