import { afterEach, describe, expect, it } from 'vitest';

import { type Asked, PollWorld, type PollWorldOptions, type PolledTick } from '../support/poll-world.ts';

let world: PollWorld | undefined;

afterEach(async () => {
  await world?.close();
  world = undefined;
});

async function open(options: PollWorldOptions): Promise<PollWorld> {
  world = new PollWorld(options);
  await world.open();
  return world;
}

async function ticks(polled: PollWorld, count: number): Promise<PolledTick> {
  let last = await polled.tick();
  for (let n = 1; n < count; n += 1) last = await polled.tick();
  return last;
}

const statuses = (asked: readonly Asked[]) => asked.map(({ status }) => status);
const comments = (polled: PollWorld) => polled.events().filter((id) => id.startsWith('issue_comment:'));

describe('an idle tick', () => {
  it('5.4.7 makes three requests, all answered 304, with 200 open pull requests', async () => {
    const polled = await open({ pulls: 200 });

    expect(statuses((await ticks(polled, 3)).asked)).toEqual([304, 304, 304]);
  });

  it('asks at most twenty heads that wait on their checks, and is answered 304', async () => {
    const polled = await open({ pulls: 25, waiting: true });

    const { asked } = await ticks(polled, 5);

    expect(asked).toHaveLength(43);
    expect(new Set(statuses(asked))).toEqual(new Set([304]));
  });

  it('5.4.7 after a change asks for the reviews of what changed, and not of its neighbours', async () => {
    const polled = await open({ pulls: 12 });
    await ticks(polled, 3);
    // Times are whole seconds, and this forge's clock is not that of its Date header: a change in the second of the last poll looks like none.
    polled.ahead_ms += 1_000;
    for (const number of polled.pulls.slice(0, 10)) await polled.comment(number, 'note');

    const { asked } = await polled.tick();

    expect(asked.filter((one) => one.path.endsWith('/reviews'))).toHaveLength(10);
    expect(asked).toHaveLength(13);
    expect(statuses((await polled.tick()).asked)).toEqual([304, 304, 304]);
  });
});

describe('a forge whose clock is another', () => {
  it.each([600_000, -600_000])('5.4.13 by %i ms tells every event once', async (ahead_ms) => {
    const polled = await open({ pulls: 2, ahead_ms });
    await ticks(polled, 2);
    const [first = 0, second = 0] = polled.pulls;
    await polled.comment(first, 'one');
    await polled.tick();
    await polled.comment(second, 'two');
    await ticks(polled, 3);

    expect(comments(polled)).toHaveLength(2);
    expect(new Set(polled.events()).size).toBe(polled.events().length);
  });
});

describe('a forge that goes away and comes back', () => {
  it('5.4.13 has lost nothing that happened there meanwhile', async () => {
    const polled = await open({ pulls: 1 });
    await ticks(polled, 2);
    const [number = 0] = polled.pulls;
    await polled.comment(number, 'before it went');
    await polled.stopForge();

    const away = await polled.tick();
    await polled.startForge();
    await polled.comment(number, 'when it was back');
    const back = await polled.tick();

    expect(away.output.forge_away).toMatchObject({ code: 'FORGE_UNAVAILABLE', until: null });
    expect(back.output.forge_away).toBeUndefined();
    expect(comments(polled)).toHaveLength(2);
  });
});
