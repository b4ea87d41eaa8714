import { join } from 'node:path';

import { systemClock } from '@caloron/capabilities/clock';
import { systemRandom } from '@caloron/capabilities/random';
import { createRuntime, findHome, loadGraph, readEnvironment } from '@caloron/scheduler';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { type CrashWorld, crashWorld, SPRINT } from '../support/crash-world.ts';
import { ROOT } from '../support/tree.ts';

describe('a second tick of a sprint', () => {
  let world: CrashWorld;

  beforeEach(async () => {
    world = await crashWorld();
  });

  afterEach(() => world.close());

  it('ends as skipped with a reason while the first holds the lease, and changes nothing', async () => {
    const { dir, store } = world;
    const home = findHome({ flag: dir, cwd: dir });
    const runtime = createRuntime({
      home,
      environment: readEnvironment({}, home),
      clock: systemClock,
      random: systemRandom,
    });
    try {
      const held = await store.leases.acquire(`tick:${SPRINT}`, 'the first tick', 30_000);
      const before = store.events.lastSeq();
      const path = join(ROOT, 'compositions/sprint_tick.json');

      const result = await runtime.run({
        graph: loadGraph(path),
        graph_name: path,
        input: { sprint_id: SPRINT, repo: 'agent/work' },
      });

      expect(held).not.toBeNull();
      expect(result).toMatchObject({
        ok: true,
        status: 'skipped',
        output: { status: 'skipped', reason: expect.stringContaining(`tick:${SPRINT}`) as string },
      });
      expect(store.events.lastSeq()).toBe(before);
    } finally {
      runtime.close();
    }
  });
});
