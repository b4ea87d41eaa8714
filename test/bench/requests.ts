import { PollWorld, type PolledTick } from '../support/poll-world.ts';
import type { Row } from './table.ts';

/** Open pull requests of the repository that is polled. */
const PULLS = 200;
const CHANGED = 10;
const RUNS = 5;

/** What a tick asks of the forge and how long it takes: idle, with 10 changed pull requests, and with 200 that wait on their checks. */
export async function benchRequests(): Promise<readonly Row[]> {
  return [
    ...(await measured(0, `idle tick, no pull request`)),
    ...(await measured(PULLS, `idle tick, ${PULLS} open pull requests`)),
    ...(await changed()),
    ...(await measured(PULLS, `tick, ${PULLS} approved heads with checks under way`, true)),
  ];
}

async function measured(pulls: number, what: string, waiting = false): Promise<readonly Row[]> {
  return inWorld({ pulls, waiting }, async (world) => rowsOf(what, await ticks(world, async () => {})));
}

async function changed(): Promise<readonly Row[]> {
  const what = `tick, ${CHANGED} of ${PULLS} pull requests commented on`;
  return inWorld({ pulls: PULLS }, async (world) => {
    const comment = async (round: number): Promise<void> => {
      // What was opened in one go a moment ago would be looked through again.
      world.ahead_ms += round === 0 ? 180_000 : 0;
      const some = world.pulls.slice(round * CHANGED, (round + 1) * CHANGED);
      for (const number of some) await world.comment(number, `round ${round}`);
    };
    return rowsOf(what, await ticks(world, comment));
  });
}

async function inWorld(
  options: ConstructorParameters<typeof PollWorld>[0],
  measure: (world: PollWorld) => Promise<readonly Row[]>,
): Promise<readonly Row[]> {
  const world = new PollWorld(options);
  try {
    await world.open();
    return await measure(world);
  } finally {
    await world.close();
  }
}

async function ticks(
  world: PollWorld,
  before: (round: number) => Promise<void>,
): Promise<readonly PolledTick[]> {
  // The first ticks read the repository, and ask for the checks of each head once.
  for (let warm = 0; warm < PULLS / 20 + 2; warm += 1) await world.tick();
  const found: PolledTick[] = [];
  for (let round = 0; round < RUNS; round += 1) {
    await before(round);
    found.push(await world.tick());
  }
  return found;
}

function rowsOf(what: string, found: readonly PolledTick[]): readonly Row[] {
  const full = ({ asked }: PolledTick) => asked.filter(({ status }) => status !== 304).length;
  return [
    { what, unit: 'requests', values: found.map(({ asked }) => asked.length) },
    { what: '  of them not answered 304', unit: 'requests', values: found.map(full) },
    { what: '  latency', unit: 'ms', values: found.map(({ ms }) => ms) },
  ];
}
