import { join } from 'node:path';

import { fixedClock, systemClock } from '@caloron/capabilities/clock';
import { systemRandom } from '@caloron/capabilities/random';
import type { RunResult } from '@caloron/noether';
import { createRuntime, findHome, loadGraph, readEnvironment } from '@caloron/scheduler';
import { openStore } from '@caloron/store';
import { addMs, type Clock } from '@caloron/types';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { expectOnce, settled } from '../support/crash-once.ts';
import { SPRINT } from '../support/crash-sprint.ts';
import { type Step, withSteps } from '../support/crash-steps.ts';
import { type CrashTemplate, crashTemplate, type CrashWorld } from '../support/crash-world.ts';

/** `pnpm test` has no second process: `pnpm test:slow` has. */
const SLOW = process.env['CALORON_TEST_SLOW'] === '1';
const LEASE = `tick:${SPRINT}`;
const TTL_MS = 30_000;

let template: CrashTemplate;
let world: CrashWorld;
let undo: (() => unknown)[];

beforeAll(async () => {
  template = await crashTemplate();
});
afterAll(() => template.remove());
beforeEach(async () => {
  undo = [];
  world = await template.world();
});
afterEach(async () => {
  for (const close of undo.reverse()) await close();
  await world.close();
});

/** One run of the tick, as a scheduler of its own makes it. */
async function tick(options: { readonly clock?: Clock; readonly step?: Step } = {}): Promise<RunResult> {
  const { dir, graph, input, variables } = world;
  const { clock = systemClock, step = () => undefined } = options;
  const home = findHome({ flag: dir, cwd: dir });
  const runtime = createRuntime({
    home,
    environment: readEnvironment(variables, home),
    clock,
    random: systemRandom,
    decorate: (capabilities) => withSteps(capabilities, step),
  });
  try {
    return await runtime.run({ graph: loadGraph(graph), graph_name: graph, input });
  } finally {
    runtime.close();
  }
}

/** Does something at the first step of a name; others of that name wait until it is done. */
function once(name: string, act: () => Promise<void>): Step {
  let done: Promise<void> | undefined;
  return (at) => (at === name ? (done ??= act()) : undefined);
}

/** Another run takes the lease: by its clock the first one's has run out. */
async function takeOver(): Promise<void> {
  const clock: Clock = { now: () => addMs(systemClock.now(), TTL_MS + 1_000) };
  const store = openStore(join(world.dir, '.caloron', 'caloron.db'), {
    clock,
    uuid: () => systemRandom.uuid(),
  });
  undo.push(() => store.close());
  const taken = await store.leases.acquire(LEASE, 'another run', TTL_MS);
  expect(taken).not.toBeNull();
}

/** All that a tick changes: state, cursors, log, outbox, the forge, its repository and the processes. */
async function everything(): Promise<unknown> {
  const { octokit, repo, store } = world;
  const { data: issues } = await octokit.issues.listForRepo({ ...repo, state: 'all', per_page: 100 });
  return {
    sprint: await store.forRun({ run_id: 'test', lease: null }).state.load(SPRINT),
    log: store.events.read({ after: 0 }).map(({ kind, event_id }) => [kind, event_id]),
    outbox: store.outboxRows(SPRINT),
    issues: issues.map(({ number, updated_at, comments }) => [number, updated_at, comments]),
    main: await world.main(),
    branches: await world.branches(),
    processes: store.processes.list(),
  };
}

describe('two ticks of one sprint', () => {
  it('the second ends as skipped with a reason and changes nothing while the first runs, and runs once it has ended', async () => {
    const second: unknown[] = [];
    const first = await tick({
      step: once('before state.commit', async () => {
        const before = await everything();
        second.push(await tick());
        expect(await everything()).toEqual(before);
      }),
    });

    expect(second).toEqual([
      expect.objectContaining({
        ok: true,
        status: 'skipped',
        output: { status: 'skipped', reason: `another run holds the lease ${LEASE}` },
      }),
    ]);
    expect(first).toMatchObject({ ok: true, status: 'ok' });
    expect(await tick()).toMatchObject({ ok: true, status: 'ok' });
  });

  if (SLOW)
    it('two schedulers side by side bring about every effect once', async () => {
      const schedulers = [0, 0].map((ahead_ms) => world.scheduler({ kill: null, ahead_ms }));
      await settled(world);
      await Promise.all(schedulers.map((scheduler) => scheduler.stop()));

      await expectOnce(world);
    });
});

describe('a tick that has lost its lease', () => {
  const fenced = { ok: false, status: 'failed', error: { code: 'STORE_FENCED' } };

  it('is refused at its first transaction and writes nothing, when it has only run out and when another run has taken it', async () => {
    const clock = fixedClock(systemClock.now());
    const before = await everything();
    const expire = (): Promise<void> => Promise.resolve(clock.advance(TTL_MS + 1));

    const late = await tick({ clock, step: once('before state.commit', expire) });
    const robbed = await tick({ step: once('before state.commit', takeOver) });

    expect([late, robbed]).toMatchObject([fenced, fenced]);
    expect(await everything()).toEqual(before);
  });

  it('acts on nothing that it has intended, when it loses the lease after its first transaction', async () => {
    const result = await tick({ step: once('before outbox.start', takeOver) });

    expect(result).toMatchObject(fenced);
    const rows = world.store.outboxRows(SPRINT);
    expect(rows.length).toBeGreaterThan(0);
    expect(new Set(rows.map(({ status }) => status))).toEqual(new Set(['pending']));
    expect(await world.main()).toHaveLength(1);
    const { data: issues } = await world.octokit.issues.listForRepo({ ...world.repo, state: 'all' });
    expect(issues.filter(({ pull_request }) => pull_request === undefined)).toHaveLength(5);
    expect(world.store.processes.list()).toHaveLength(1);
  });

  if (SLOW)
    it('leaves an effect it cannot record for the next tick to find', async () => {
      const result = await tick({ step: once('after forge.merge', takeOver) });
      expect(result).toMatchObject(fenced);
      const [merge] = world.store.outboxRows(SPRINT).filter(({ action }) => action.type === 'merge_pr');
      expect(merge?.status).toBe('running');

      const scheduler = world.scheduler({ kill: null, ahead_ms: 3 * TTL_MS });
      await settled(world);
      await scheduler.stop();

      await expectOnce(world);
      const [found] = world.store.outboxRows(SPRINT).filter(({ action }) => action.type === 'merge_pr');
      expect(found?.result).toMatchObject({ already: true });
    });
});
