import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { systemClock } from '@caloron/capabilities/clock';
import { createLogger } from '@caloron/capabilities/logger';
import { systemRandom } from '@caloron/capabilities/random';
import { findHome } from '@caloron/store';
import { addMs, type Clock } from '@caloron/types';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { readConfig } from './config.ts';
import { readEnvironment } from './environment.ts';
import { createRuntime, type Runtime } from './runtime.ts';
import { type Scheduler, startScheduler } from './scheduler.ts';
import { watchedWebhooks } from './webhook-log.ts';
import { createWebhooks } from './webhooks.ts';

/** Fires in the first minute of a year: never during a test. */
const NEVER = '0 0 1 1 *';

interface Endpoint {
  readonly url: string;
  readonly bodies: unknown[];
  /** Answers are held back while true. */
  hold: boolean;
  readonly server: Server;
}

async function endpoint(answer: unknown): Promise<Endpoint> {
  const made: { hold: boolean; bodies: unknown[] } = { hold: false, bodies: [] };
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      made.bodies.push(JSON.parse(text));
      const send = (): void => {
        if (made.hold) setTimeout(send, 10);
        else response.setHeader('content-type', 'application/json').end(JSON.stringify(answer));
      };
      send();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return Object.assign(made, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, server });
}

describe('the scheduler', () => {
  let dir: string;
  let undo: (() => unknown)[];

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'caloron-scheduler-'));
    undo = [];
  });

  afterEach(async () => {
    for (const step of undo.reverse()) await step();
    rmSync(dir, { recursive: true, force: true });
  });

  const graph = (name: string, root: unknown): string => {
    writeFileSync(join(dir, name), JSON.stringify({ description: 'test', version: '0.1.0', root }));
    return name;
  };
  const runtime = (): Runtime => {
    const home = findHome({ flag: dir, cwd: dir });
    const made = createRuntime({
      home,
      environment: readEnvironment({}, home),
      clock: systemClock,
      random: systemRandom,
    });
    undo.push(() => made.close());
    return made;
  };
  const start = (on: Runtime, jobs: readonly unknown[], clock: Clock = systemClock): Scheduler => {
    writeFileSync(join(dir, 'scheduler.json'), JSON.stringify({ jobs }));
    const config = readConfig('scheduler.json', dir);
    const logger = createLogger({ name: 'test', level: 'silent' });
    const webhooks = createWebhooks({
      outbox: on.store.forRun({ run_id: systemRandom.uuid(), lease: null }).outbox,
      clock: systemClock,
      variables: {},
      allow: ['127.0.0.1'],
      ...watchedWebhooks(logger),
    });
    undo.push(() => webhooks.close(0));
    const made = startScheduler({
      config,
      runtime: on,
      logger,
      clock,
      random: systemRandom,
      webhooks,
    });
    undo.push(() => made.stop(0));
    return made;
  };
  const announce = (on: Runtime, kind: string, id: string): Promise<unknown> =>
    on.store.events.append([{ event_id: id, kind, sprint_id: null, payload: {} }]);
  const ended = (on: Runtime): number =>
    on.store.runs.list().filter(({ status }) => status !== 'running').length;

  it('fires a job at once when an event of its kinds arrives, and for no other event', async () => {
    const on = runtime();
    start(on, [
      { name: 'j', cron: NEVER, graph: graph('g.json', { op: 'Const', value: 1 }), on: ['sprint.completed'] },
    ]);

    await announce(on, 'config.changed', 'a');
    await announce(on, 'sprint.completed', 'b');
    await vi.waitFor(() => expect(ended(on)).toBe(1), { timeout: 30_000 });
    await announce(on, 'config.changed', 'c');
    await announce(on, 'sprint.completed', 'd');
    await vi.waitFor(() => expect(ended(on)).toBe(2), { timeout: 30_000 });

    const statuses = (): readonly string[] =>
      on.store.slots.list({ job: 'j', limit: 10 }).map(({ status }) => status);
    await vi.waitFor(() => expect(statuses()).toEqual(['ok', 'ok']), { timeout: 30_000 });
  });

  it('D11 runs a tick again when an agent of its sprint is due, once, and another job of the sprint never', async () => {
    const on = runtime();
    const now = systemClock.now();
    const retry_at = addMs(now, 300);
    const slots = (name: string): readonly string[] =>
      on.store.slots.list({ job: name, limit: 10 }).map(({ slot }) => slot.replace(/:.*/, ''));
    // However slow the machine is, the first run ends before the agent is due, and the next one begins when it is.
    const clock = { now: () => (slots('tick').includes('due') ? retry_at : now) };
    await on.store.kv.put('caloron:s:state', { tasks: { a: { retry_at }, b: { retry_at: null }, c: {} } });
    const job = { cron: NEVER, on: ['sprint.started'], input: { sprint_id: 's' } };
    start(
      on,
      [
        { ...job, name: 'tick', graph: graph('tick.json', { op: 'Const', value: { consumed_seq: 0 } }) },
        { ...job, name: 'report', graph: graph('report.json', { op: 'Const', value: { report: 0 } }) },
      ],
      clock,
    );
    const begun = performance.now();
    await announce(on, 'sprint.started', 'a');

    await vi.waitFor(() => expect(slots('tick')).toEqual(['due', 'event']), { timeout: 30_000 });
    expect(performance.now() - begun).toBeGreaterThanOrEqual(300);
    await announce(on, 'sprint.started', 'b');
    await vi.waitFor(() => expect(slots('report')).toEqual(['event', 'event']), { timeout: 30_000 });
    await vi.waitFor(() => expect(slots('tick')).toEqual(['event', 'due', 'event']), { timeout: 30_000 });
  });

  it('D18 O4 goes on after a run that failed, and after a webhook nobody takes', async () => {
    const on = runtime();
    const path = graph('g.json', { op: 'Stage', id: 'github_poll_events' });
    start(on, [
      { name: 'j', cron: NEVER, graph: path, on: ['sprint.started'], webhook: 'http://127.0.0.1:1/' },
    ]);
    const slots = (): readonly string[] =>
      on.store.slots.list({ job: 'j', limit: 10 }).map(({ status }) => status);
    await announce(on, 'sprint.started', 'a');
    await vi.waitFor(() => expect(slots()).toEqual(['failed']), { timeout: 30_000 });

    graph('g.json', { op: 'Const', value: 1 });
    await announce(on, 'sprint.started', 'b');
    await vi.waitFor(() => expect(slots()).toEqual(['ok', 'failed']), { timeout: 30_000 });
  });

  it('makes one more run of all events that arrive during a run', async () => {
    const on = runtime();
    const remote = await endpoint({ ok: true, data: { output: 'done' } });
    undo.push(() => remote.server.close());
    remote.hold = true;
    const root = { op: 'RemoteStage', url: remote.url, input: { kind: 'Any' }, output: { kind: 'Text' } };
    start(on, [{ name: 'j', cron: NEVER, graph: graph('g.json', root), on: ['sprint.started'] }]);

    await announce(on, 'sprint.started', 'first');
    await vi.waitFor(() => expect(remote.bodies).toHaveLength(1), { timeout: 30_000 });
    for (const id of ['x', 'y', 'z']) await announce(on, 'sprint.started', id);
    remote.hold = false;

    await vi.waitFor(() => expect(ended(on)).toBe(2), { timeout: 30_000 });
    expect(remote.bodies).toHaveLength(2);
    // It is fired for the newest: a restart fires for none of them again.
    const slots = on.store.slots.list({ job: 'j', limit: 9 }).map(({ slot }) => slot);
    expect(slots).toEqual([`event:${on.store.events.lastSeq()}`, expect.stringMatching(/^event:/)]);
  });

  it('fires for the start of the next sprint that happens while a run of the last one goes on', async () => {
    const on = runtime();
    const remote = await endpoint({ ok: true, data: { output: { consumed_seq: 1_000_000 } } });
    undo.push(() => remote.server.close());
    remote.hold = true;
    const output = { kind: 'Record', value: { consumed_seq: { kind: 'Number' } } };
    const root = { op: 'RemoteStage', url: remote.url, input: { kind: 'Any' }, output };
    const active = (sprint_id: string): Promise<unknown> =>
      on.store.forRun({ run_id: 'test', lease: null }).kv.put('caloron:active_sprint', { sprint_id });
    const start_of = async (sprint_id: string): Promise<void> => {
      await active(sprint_id);
      await on.store.events.append([
        { event_id: sprint_id, kind: 'sprint.started', sprint_id, payload: {} },
        { event_id: `${sprint_id}-2`, kind: 'sprint.started', sprint_id, payload: {} },
      ]);
    };
    await start_of('last');
    const input_from = 'kv:caloron:active_sprint';
    start(on, [{ name: 'j', cron: NEVER, graph: graph('g.json', root), on: ['sprint.started'], input_from }]);

    await vi.waitFor(() => expect(remote.bodies).toHaveLength(1), { timeout: 30_000 });
    // The run of the last sprint reads the log to its end, beyond the start of the next.
    await start_of('next');
    remote.hold = false;

    await vi.waitFor(() => expect(ended(on)).toBe(2), { timeout: 30_000 });
    expect(JSON.stringify(remote.bodies)).toMatch(/"last".*"next"/);
  });

  it('fires an event once across two schedulers on one database', async () => {
    const one = runtime();
    const two = runtime();
    const jobs = [
      { name: 'j', cron: NEVER, graph: graph('g.json', { op: 'Const', value: 1 }), on: ['sprint.started'] },
    ];
    const schedulers = [start(one, jobs), start(two, jobs)];

    await announce(one, 'sprint.started', 'once');
    await vi.waitFor(() => expect(ended(one)).toBe(1), { timeout: 30_000 });
    // A later event is handled too: until it is, the other scheduler has had every chance to repeat the first.
    await announce(one, 'sprint.started', 'later');
    await vi.waitFor(() => expect(ended(one)).toBe(2), { timeout: 30_000 });
    await Promise.all(schedulers.map((scheduler) => scheduler.stop(0)));

    expect(one.store.slots.list({ job: 'j', limit: 10 })).toHaveLength(2);
    expect(ended(one)).toBe(2);
  });

  it('makes a fire again that was cut off by the death of its process', async () => {
    const on = runtime();
    await on.store.slots.claim({ scheduler_id: 'default', job: 'j', slot: 'event:1', run_id: 'dead' });
    start(on, [
      { name: 'j', cron: NEVER, graph: graph('g.json', { op: 'Const', value: 1 }), on: ['sprint.started'] },
    ]);

    await vi.waitFor(() => expect(ended(on)).toBe(1), { timeout: 30_000 });
    expect(on.store.runs.list()[0]?.labels).toMatchObject({ cause: 'resume' });
  });

  it('makes a run again that found the lease of its graph taken', async () => {
    const on = runtime();
    const held = await on.store.leases.acquire('busy', 'another run', 60_000);
    if (held === null) throw new Error('the lease is free');
    writeFileSync(
      join(dir, 'leased.json'),
      JSON.stringify({
        description: 'test',
        version: '0.1.0',
        lease: { name: 'busy' },
        root: { op: 'Const', value: 1 },
      }),
    );
    start(on, [{ name: 'j', cron: NEVER, graph: 'leased.json', on: ['sprint.started'] }]);

    await announce(on, 'sprint.started', 'a');
    await vi.waitFor(() => expect(on.store.runs.list()[0]?.status).toBe('skipped'), { timeout: 30_000 });
    await on.store.leases.release(held);

    await vi.waitFor(
      () => expect(on.store.runs.list()[0]).toMatchObject({ status: 'ok', labels: { cause: 'again' } }),
      { timeout: 30_000 },
    );
  });

  it('makes a run again that found the lease of its graph taken, also after a restart', async () => {
    const on = runtime();
    const held = await on.store.leases.acquire('busy', 'another run', 60_000);
    if (held === null) throw new Error('the lease is free');
    const body = { description: 'test', version: '0.1.0', lease: { name: 'busy' } };
    const root = { op: 'Const', value: 1 };
    writeFileSync(join(dir, 'leased.json'), JSON.stringify({ ...body, root }));
    const jobs = [{ name: 'j', cron: NEVER, graph: 'leased.json', on: ['sprint.started'] }];
    const first = start(on, jobs);
    await announce(on, 'sprint.started', 'a');
    const slots = () => on.store.slots.list({ job: 'j', limit: 10 });
    await vi.waitFor(() => expect(slots()[0]?.status).toBe('skipped'), { timeout: 30_000 });
    await first.stop(0);
    await on.store.leases.release(held);

    start(on, jobs);

    await vi.waitFor(() => expect(slots()[0]).toMatchObject({ status: 'ok' }), { timeout: 30_000 });
    expect(on.store.runs.list()[0]).toMatchObject({ status: 'ok', labels: { cause: 'again' } });
  });

  it('posts the documented payload after a run that went well and after one that failed', async () => {
    const on = runtime();
    const hook = await endpoint({});
    undo.push(() => hook.server.close());
    const job = { cron: NEVER, on: ['sprint.completed'], webhook: hook.url };
    start(on, [
      { ...job, name: 'good', graph: graph('good.json', { op: 'Const', value: { a: 1 } }) },
      { ...job, name: 'bad', graph: 'missing.json' },
    ]);

    await announce(on, 'sprint.completed', 'now');
    await vi.waitFor(() => expect(hook.bodies).toHaveLength(2), { timeout: 30_000 });

    const fired_at = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/) as string;
    const duration_ms = expect.any(Number) as number;
    expect(hook.bodies).toContainEqual({
      job: 'good',
      composition_id: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      ok: true,
      output: { a: 1 },
      duration_ms,
      fired_at,
    });
    expect(hook.bodies).toContainEqual({
      job: 'bad',
      composition_id: null,
      ok: false,
      error: { code: 'SCHEDULER_GRAPH_MISSING', message: expect.stringContaining('missing.json') as string },
      duration_ms,
      fired_at,
    });
  });

  it('O3 skips a job whose input key holds nothing, and says why', async () => {
    const on = runtime();
    start(on, [
      {
        name: 'j',
        cron: NEVER,
        graph: graph('g.json', { op: 'Const', value: 1 }),
        input_from: 'kv:caloron:active_sprint',
        on: ['sprint.started'],
      },
    ]);

    await announce(on, 'sprint.started', 'a');

    await vi.waitFor(
      () =>
        expect(on.store.slots.list({ job: 'j', limit: 1 })[0]).toMatchObject({
          status: 'skipped',
          reason: 'caloron:active_sprint holds nothing',
        }),
      { timeout: 30_000 },
    );
    expect(ended(on)).toBe(0);
  });
});
