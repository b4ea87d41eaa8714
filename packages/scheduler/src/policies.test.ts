import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

import { createLogger } from '@caloron/capabilities/logger';
import { bootId, groupMembers, pidNamespace, statOf } from '@caloron/capabilities/process-identity';
import { systemRandom } from '@caloron/capabilities/random';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { slotName } from './passed-slots.ts';
import { runOnce } from './run-once.ts';
import { schedulerWorld, type SchedulerWorld } from './testing/scheduler-world.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const NOON = '2026-04-15T12:00:30.000Z';
const WITHIN = { timeout: 30_000 };

describe('a slot', () => {
  let world: SchedulerWorld;
  let servers: Server[];

  beforeEach(() => {
    world = schedulerWorld(NOON);
    servers = [];
  });
  afterEach(async () => {
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
    await world.close();
  });

  const quick = (): string => world.graph('quick.json', { op: 'Const', value: 1 });
  /** A graph whose run lasts until it is let go. */
  const held = async (): Promise<{ graph: string; begun: () => number; letGo: () => void }> => {
    const waiting: (() => void)[] = [];
    let begun = 0;
    let open = false;
    const server = createServer((request, response) => {
      request.resume();
      begun += 1;
      const answer = (): void => void response.end(JSON.stringify({ ok: true, data: { output: 'done' } }));
      if (open) answer();
      else waiting.push(answer);
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const root = { op: 'RemoteStage', url, input: { kind: 'Any' }, output: { kind: 'Text' } };
    const letGo = (): void => {
      open = true;
      for (const answer of waiting.splice(0)) answer();
    };
    return { graph: world.graph('held.json', root), begun: () => begun, letGo };
  };
  const settled = (job: string, slots: readonly unknown[]): Promise<void> =>
    vi.waitFor(() => expect(world.slots(job)).toEqual(slots), WITHIN);
  const ok = (slot: string): object => ({ slot, status: 'ok', reason: null });
  const skipped = (slot: string, reason: RegExp): object => ({
    slot,
    status: 'skipped',
    reason: expect.stringMatching(reason) as string,
  });

  it('is fired when the clock reaches it and not before, in the zone of its job', async () => {
    world.start([
      { name: 'utc', cron: '1 12 * * *', timezone: 'UTC', graph: quick() },
      { name: 'madrid', cron: '2 14 * * *', timezone: 'Europe/Madrid', graph: quick() },
    ]);
    world.clock.advance(30_000);
    await settled('utc', [ok('2026-04-15T12:01:00Z')]);
    expect(world.slots('madrid')).toEqual([]);

    world.clock.advance(MINUTE_MS);
    await settled('madrid', [ok('2026-04-15T12:02:00Z')]);
    expect(world.causes()).toEqual(['cron', 'cron']);
  });

  it('of a disabled job is never fired', async () => {
    const job = { cron: '* * * * *', timezone: 'UTC', graph: quick() };
    const scheduler = world.start([
      { ...job, name: 'off', enabled: false },
      { ...job, name: 'on' },
    ]);
    world.clock.advance(MINUTE_MS);
    await settled('on', [ok('2026-04-15T12:01:00Z')]);

    expect(world.slots('off')).toEqual([]);
    expect(scheduler.jobs().map(({ name }) => name)).toEqual(['on']);
  });

  it('that comes during a run is left out and recorded with the reason, unless overlap says otherwise', async () => {
    const { graph, begun, letGo } = await held();
    world.start([{ name: 'j', cron: '* * * * *', timezone: 'UTC', graph }]);
    world.clock.advance(MINUTE_MS);
    await vi.waitFor(() => expect(begun()).toBe(1), WITHIN);
    world.clock.advance(MINUTE_MS);
    await vi.waitFor(() => expect(world.slots('j')).toHaveLength(2), WITHIN);
    letGo();

    await settled('j', [
      ok('2026-04-15T12:01:00Z'),
      skipped('2026-04-15T12:02:00Z', /^the job was still running$/),
    ]);
    world.clock.advance(MINUTE_MS);
    await vi.waitFor(() => expect(world.slots('j').at(-1)).toEqual(ok('2026-04-15T12:03:00Z')), WITHIN);
  });

  it('that comes during a run is fired after it with overlap: queue, the latest of several', async () => {
    const { graph, begun, letGo } = await held();
    world.start([{ name: 'j', cron: '* * * * *', timezone: 'UTC', graph, overlap: 'queue' }]);
    world.clock.advance(MINUTE_MS);
    await vi.waitFor(() => expect(begun()).toBe(1), WITHIN);
    world.clock.advance(MINUTE_MS);
    await new Promise((resolve) => setTimeout(resolve, 300));
    world.clock.advance(MINUTE_MS);
    await vi.waitFor(() => expect(world.slots('j')).toHaveLength(2), WITHIN);
    expect(begun()).toBe(1);
    letGo();

    await settled('j', [
      ok('2026-04-15T12:01:00Z'),
      skipped('2026-04-15T12:02:00Z', /still running, and a later slot came$/),
      ok('2026-04-15T12:03:00Z'),
    ]);
  });

  it('that nobody was there to fire is left out and recorded, how many as well', async () => {
    world.start([{ name: 'j', cron: '0 * * * *', timezone: 'UTC', graph: quick() }]);
    // The machine sleeps.
    world.clock.advance(5 * HOUR_MS + 10 * MINUTE_MS);
    await settled('j', [
      skipped('2026-04-15T17:00:00Z', /^missed, with the 4 before it since 2026-04-15T13:00:00Z/),
    ]);

    world.clock.advance(50 * MINUTE_MS);
    await vi.waitFor(() => expect(world.slots('j').at(-1)).toEqual(ok('2026-04-15T18:00:00Z')), WITHIN);
    expect(world.causes()).toEqual(['cron']);
  });

  it('that nobody was there to fire is made up for with misfire: once, the latest of several', async () => {
    world.start([{ name: 'j', cron: '0 * * * *', timezone: 'UTC', graph: quick(), misfire: 'once' }]);
    world.clock.advance(5 * HOUR_MS + 10 * MINUTE_MS);
    await vi.waitFor(() => expect(world.causes()).toEqual(['misfire']), WITHIN);
    await vi.waitFor(
      () =>
        expect(world.slots('j')).toEqual(
          expect.arrayContaining([
            ok('2026-04-15T17:00:00Z'),
            skipped('2026-04-15T16:00:00Z', /the 3 before it/),
          ]),
        ),
      WITHIN,
    );
  });

  it.each([
    ['skip', 'skipped'],
    ['once', 'ok'],
  ])('missed while no scheduler was up is seen at the next start: misfire %s', async (misfire, status) => {
    const job = { name: 'j', cron: '0 * * * *', timezone: 'UTC', graph: quick(), misfire };
    const first = world.start([job]);
    world.clock.advance(HOUR_MS - 30_000);
    await settled('j', [ok('2026-04-15T13:00:00Z')]);
    await first.stop(0);
    world.clock.advance(HOUR_MS + 10 * MINUTE_MS);
    world.start([job]);

    await vi.waitFor(
      () => expect(world.slots('j').at(-1)).toMatchObject({ slot: '2026-04-15T14:00:00Z', status }),
      WITHIN,
    );
  });

  it('that passed while its scheduler was restarted is fired a little late', async () => {
    const job = { name: 'j', cron: '* * * * *', timezone: 'UTC', graph: quick() };
    const first = world.start([job]);
    world.clock.advance(MINUTE_MS);
    await settled('j', [ok('2026-04-15T12:01:00Z')]);
    await first.stop(0);
    world.clock.advance(50_000);
    world.start([job]);

    await settled('j', [ok('2026-04-15T12:01:00Z'), ok('2026-04-15T12:02:00Z')]);
  });

  it('is not fired again when the clock is put back', async () => {
    world.start([{ name: 'j', cron: '* * * * *', timezone: 'UTC', graph: quick() }]);
    world.clock.advance(MINUTE_MS);
    await settled('j', [ok('2026-04-15T12:01:00Z')]);
    world.clock.advance(-2 * MINUTE_MS);
    await vi.waitFor(
      () => expect(world.runtime.store.slots.list({ job: 'j', limit: 9 })).toHaveLength(1),
      WITHIN,
    );
    for (let minute = 1; minute <= 3; minute += 1) {
      world.clock.advance(MINUTE_MS);
      await new Promise((resolve) => setTimeout(resolve, 250));
    }

    await vi.waitFor(() => expect(world.slots('j').at(-1)?.slot).toBe('2026-04-15T12:02:00Z'), WITHIN);
    const slots = world.slots('j').map(({ slot }) => slot);
    expect(slots).toHaveLength(new Set(slots).size);
    expect(slots.filter((slot) => slot === '2026-04-15T12:01:00Z')).toHaveLength(1);
  });

  it('of a job with jitter_s is fired later by chance, under its own name', async () => {
    const random = { ...systemRandom, fraction: () => 0.5 };
    world.start([{ name: 'j', cron: '1 12 * * *', timezone: 'UTC', graph: quick(), jitter_s: 40 }], random);
    world.clock.advance(30_000);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(world.slots('j')).toEqual([]);

    world.clock.advance(20_000);
    await settled('j', [ok('2026-04-15T12:01:00Z')]);
  });

  it('that waits for its jitter is fired though the next one of its job was fired before it', async () => {
    const fractions = [0.9, 0];
    const random = { ...systemRandom, fraction: () => fractions.shift() ?? 0 };
    world.start(
      [{ name: 'j', cron: '1,2 12 * * *', timezone: 'UTC', graph: quick(), jitter_s: 100 }],
      random,
    );
    world.clock.advance(30_000);
    await vi.waitFor(() => expect(fractions).toEqual([0]), WITHIN);
    world.clock.advance(MINUTE_MS);
    await settled('j', [ok('2026-04-15T12:02:00Z')]);
    world.clock.advance(MINUTE_MS);

    await vi.waitFor(
      () => expect(world.slots('j')).toEqual([ok('2026-04-15T12:02:00Z'), ok('2026-04-15T12:01:00Z')]),
      WITHIN,
    );
    expect(world.causes()).toEqual(['cron', 'cron']);
  });

  it('that waits for its jitter when its scheduler is started again is fired before that has passed', async () => {
    const job = { name: 'j', cron: '0 * * * *', timezone: 'UTC', graph: quick(), jitter_s: 1_800 };
    const first = world.start([job], { ...systemRandom, fraction: () => 0 });
    world.clock.advance(HOUR_MS);
    await settled('j', [ok('2026-04-15T13:00:00Z')]);
    await first.stop(0);
    world.clock.advance(HOUR_MS + 9 * MINUTE_MS + 30_000);
    let asked = 0;
    const fraction = (): number => ((asked += 1), 0.5);
    world.start([job], { ...systemRandom, fraction });
    await vi.waitFor(() => expect(asked).toBe(1), WITHIN);

    // Ten of its thirty minutes are over: half of the rest is ten.
    world.clock.advance(9 * MINUTE_MS + 50_000);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(world.slots('j')).toHaveLength(1);
    world.clock.advance(20_000);
    await settled('j', [ok('2026-04-15T13:00:00Z'), ok('2026-04-15T14:00:00Z')]);
    expect(world.causes()).toEqual(['cron', 'cron']);
  });

  it('whose run lasts longer than timeout_s fails and says so', async () => {
    const { graph } = await held();
    world.start([{ name: 'j', cron: '* * * * *', timezone: 'UTC', graph, timeout_s: 0.2 }]);
    world.clock.advance(MINUTE_MS);

    await vi.waitFor(
      () =>
        expect(world.slots('j')[0]).toMatchObject({
          status: 'failed',
          reason: expect.stringMatching(/deadline of 200 ms/) as string,
        }),
      WITHIN,
    );
  });

  it('whose run lasts longer than timeout_s leaves no program behind', async () => {
    const file = join(world.dir, 'pid');
    const args = ['-c', `echo $$ > ${file}.new; mv ${file}.new ${file}; sleep 300 & wait`];
    const graph = world.graph('program.json', {
      op: 'Stage',
      id: 'run_command',
      config: { cmd: 'sh', args },
    });
    world.start([{ name: 'j', cron: '* * * * *', timezone: 'UTC', graph, input: {}, timeout_s: 3 }]);
    world.clock.advance(MINUTE_MS);
    const pid = await vi.waitFor(() => {
      // On a slow machine the run is over before its program says who it is: there is another one.
      const { status } = world.slots('j').at(-1) ?? {};
      if (!existsSync(file) && status === 'failed') world.clock.advance(MINUTE_MS);
      return Number(readFileSync(file, 'utf8'));
    }, WITHIN);
    expect(pid).toBeGreaterThan(1);

    await vi.waitFor(() => expect(world.slots('j').at(-1)?.status).toBe('failed'), WITHIN);
    await vi.waitFor(() => expect(groupMembers(pid)).toEqual([]), WITHIN);
  });

  it('of a bad job is no matter of the others', async () => {
    world.start([
      { name: 'bad', cron: '* * * * *', timezone: 'UTC', graph: 'missing.json' },
      { name: 'good', cron: '* * * * *', timezone: 'UTC', graph: quick() },
    ]);
    world.clock.advance(MINUTE_MS);

    await settled('good', [ok('2026-04-15T12:01:00Z')]);
    await vi.waitFor(() => expect(world.slots('bad')[0]?.status).toBe('failed'), WITHIN);
  });

  it('is fired by the jobs that are given at a reload, and a run that is under way ends', async () => {
    const { graph, begun, letGo } = await held();
    const job = { cron: '* * * * *', timezone: 'UTC', graph: quick() };
    const scheduler = world.start([
      { ...job, name: 'kept' },
      { ...job, name: 'gone', graph },
    ]);
    world.clock.advance(MINUTE_MS);
    await vi.waitFor(() => expect(begun()).toBe(1), WITHIN);
    await settled('kept', [ok('2026-04-15T12:01:00Z')]);

    scheduler.reload(
      world.config([
        { ...job, name: 'kept', cron: '5 12 * * *' },
        { ...job, name: 'new' },
      ]).jobs,
    );
    world.clock.advance(MINUTE_MS);
    await settled('new', [ok('2026-04-15T12:02:00Z')]);
    letGo();
    await settled('gone', [ok('2026-04-15T12:01:00Z')]);
    world.clock.advance(3 * MINUTE_MS - 30_000);

    await settled('kept', [ok('2026-04-15T12:01:00Z'), ok('2026-04-15T12:05:00Z')]);
    expect(world.slots('gone')).toHaveLength(1);
    expect(scheduler.jobs().map(({ name }) => name)).toEqual(['kept', 'new']);
  });

  it('that was due just before a reload is fired, and what waits for a run or its jitter waits on', async () => {
    const { graph, begun, letGo } = await held();
    const fractions = [0.9, 0.9];
    const random = { ...systemRandom, fraction: () => fractions.shift() ?? 0.9 };
    const job = { cron: '1,2 12 * * *', timezone: 'UTC' };
    const jobs = [
      { ...job, name: 'queued', graph, overlap: 'queue' },
      { ...job, name: 'late', cron: '1 12 * * *', graph: quick(), jitter_s: 100 },
      { ...job, name: 'due', cron: '2 12 * * *', graph: quick() },
    ];
    const scheduler = world.start(jobs, random);
    world.clock.advance(30_000);
    await vi.waitFor(() => expect([begun(), fractions]).toEqual([1, []]), WITHIN);
    world.clock.advance(MINUTE_MS);
    scheduler.reload(world.config(jobs).jobs);
    await settled('due', [ok('2026-04-15T12:02:00Z')]);
    scheduler.reload(world.config(jobs).jobs);
    expect([world.slots('late'), begun()]).toEqual([[], 1]);
    letGo();
    world.clock.advance(MINUTE_MS);

    await settled('queued', [ok('2026-04-15T12:01:00Z'), ok('2026-04-15T12:02:00Z')]);
    await settled('late', [ok('2026-04-15T12:01:00Z')]);
  });

  it('that waits when its job is taken out is recorded as left out', async () => {
    const { graph, begun, letGo } = await held();
    const fractions = [0, 0.9];
    const random = { ...systemRandom, fraction: () => fractions.shift() ?? 0 };
    const job = { cron: '1,2 12 * * *', timezone: 'UTC' };
    const jobs = [
      { ...job, name: 'queued', graph, overlap: 'queue' },
      { ...job, name: 'late', cron: '1 12 * * *', graph: quick(), jitter_s: 100 },
    ];
    const scheduler = world.start(jobs, random);
    world.clock.advance(30_000);
    await vi.waitFor(() => expect([begun(), fractions]).toEqual([1, []]), WITHIN);
    world.clock.advance(MINUTE_MS);
    await vi.waitFor(() => expect(scheduler.jobs()[0]?.next_at).toMatch(/^2026-04-16/u), WITHIN);
    scheduler.reload(world.config([]).jobs);
    letGo();

    const reason = /^its job was taken out of the config, or disabled$/;
    await settled('queued', [ok('2026-04-15T12:01:00Z'), skipped('2026-04-15T12:02:00Z', reason)]);
    await settled('late', [skipped('2026-04-15T12:01:00Z', reason)]);
  });

  it('is left out while another process runs its job, and nothing of that one is made again', async () => {
    const other = spawn('sleep', ['300']);
    try {
      const pid = other.pid ?? 0;
      const owner = [pid, statOf(pid)?.start_ticks ?? '', bootId(), pidNamespace()].join(' ');
      const { slots } = world.runtime.store;
      const at = { scheduler_id: 'default', job: 'j' };
      await slots.claim({ ...at, slot: '2026-04-15T12:00:00Z', run_id: 'other', owner });
      world.start([{ name: 'j', cron: '* * * * *', timezone: 'UTC', graph: quick() }]);
      world.clock.advance(MINUTE_MS);

      await settled('j', [
        { slot: '2026-04-15T12:00:00Z', status: 'fired', reason: null },
        skipped('2026-04-15T12:01:00Z', /^the job was still running in another process$/),
      ]);
      expect(world.causes()).toEqual([]);
    } finally {
      other.kill('SIGKILL');
    }
  });

  it('is counted when it is fired, how late, and when it is left out', async () => {
    const { graph, begun, letGo } = await held();
    const ran: unknown[] = [];
    const skips: string[] = [];
    const metrics = {
      ran: ({ job, status }: { job: string; status: string }, cause: string, late_ms: number | null) =>
        void ran.push([job, status, cause, late_ms]),
      skipped: (job: string) => void skips.push(job),
    };
    world.start([{ name: 'j', cron: '* * * * *', timezone: 'UTC', graph }], systemRandom, { metrics });
    world.clock.advance(MINUTE_MS);
    await vi.waitFor(() => expect(begun()).toBe(1), WITHIN);
    world.clock.advance(MINUTE_MS);
    await vi.waitFor(() => expect(skips).toEqual(['j']), WITHIN);
    letGo();

    // The clock stood at 30 seconds past the minute.
    await vi.waitFor(() => expect(ran).toEqual([['j', 'ok', 'cron', 30_000]]), WITHIN);
  });

  it('whose run goes on when the scheduler is stopped may finish within the grace', async () => {
    const { graph, begun, letGo } = await held();
    const scheduler = world.start([{ name: 'j', cron: '* * * * *', timezone: 'UTC', graph }]);
    world.clock.advance(MINUTE_MS);
    await vi.waitFor(() => expect(begun()).toBe(1), WITHIN);
    const stopped = scheduler.stop(10_000);
    letGo();
    await stopped;

    expect(world.slots('j')).toEqual([ok('2026-04-15T12:01:00Z')]);
  });

  it('whose run goes on beyond the grace is interrupted, left to the next process, and the scheduler ends', async () => {
    const { graph, begun } = await held();
    const scheduler = world.start([{ name: 'j', cron: '* * * * *', timezone: 'UTC', graph }]);
    world.clock.advance(MINUTE_MS);
    await vi.waitFor(() => expect(begun()).toBe(1), WITHIN);
    await scheduler.stop(100);

    expect(world.slots('j')).toMatchObject([{ status: 'fired' }]);
    expect(world.runtime.store.runs.list()).toMatchObject([
      { status: 'failed', error: { code: 'GRAPH_RUN_ABORTED' } },
    ]);
    world.clock.advance(MINUTE_MS);
    expect(world.slots('j')).toHaveLength(1);
  });

  it('is fired once by three schedulers on one database, one of which is stopped each minute', async () => {
    const job = { name: 'j', cron: '* * * * *', timezone: 'UTC', graph: quick() };
    const three = [world.start([job]), world.start([job]), world.start([job])];
    const expected: object[] = [];
    for (let minute = 1; minute <= 3; minute += 1) {
      await three[minute % 3]?.stop(0);
      world.clock.advance(MINUTE_MS);
      expected.push(ok(`2026-04-15T12:0${minute}:00Z`));
      await settled('j', expected);
      three[minute % 3] = world.start([job]);
    }

    expect(world.causes()).toEqual(['cron', 'cron', 'cron']);
  });

  it('of a name that no job has is not fired, and the job that was meant is named', async () => {
    const config = world.config([{ name: 'good', cron: '* * * * *', graph: quick() }]);
    const { runtime, clock } = world;
    const logger = createLogger({ name: 'test', level: 'silent' });
    const { signal } = new AbortController();

    await expect(
      runOnce(config, 'god', { runtime, clock, random: systemRandom, logger, signal }),
    ).rejects.toThrow(expect.objectContaining({ code: 'SCHEDULER_JOB_UNKNOWN', hint: 'did you mean good?' }));
  });

  it('is named by its instant in whole seconds', () => {
    expect(slotName(Date.parse(NOON) - 30_000)).toBe('2026-04-15T12:00:00Z');
  });
});
