import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { systemClock } from '@caloron/capabilities/clock';
import { createLogger } from '@caloron/capabilities/logger';
import { systemRandom } from '@caloron/capabilities/random';
import type { RunningForge } from '@caloron/forge';
import { loadGraph, readConfig, type Runtime } from '@caloron/scheduler';
import { DELIVERED, INBOUND_PATH, inboundRoutes } from '@caloron/scheduler/inbound';
import { startScheduler } from '@caloron/scheduler/scheduler';
import { startServer } from '@caloron/scheduler/server';
import { watchesRepo } from '@caloron/scheduler/wakeup';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { temporaryHome } from '../support/home.ts';
import { LIB, libForge, runtimeAt } from '../support/lib-forge.ts';
import { ROOT } from '../support/tree.ts';

const SECRET = 'shared-with-the-forge';
const NEVER = '0 0 1 1 *';
const KICKOFF = join(ROOT, 'compositions/kickoff.json');

let dir: string;
let undo: (() => unknown)[];
let forge: RunningForge;
let token: string;
let runtime: Runtime;
/** What the webhook's route does with a delivery instead of taking it. */
let lose: boolean;

beforeEach(async () => {
  const home = temporaryHome();
  undo = [() => home.remove()];
  dir = home.dir;
  lose = false;
  ({ forge, token } = await libForge(join(dir, 'forge')));
  undo.push(() => forge.close());
  runtime = await kickedOff();
});
afterEach(async () => {
  for (const step of undo.reverse()) await step();
});

/** A request of a person. */
async function ask(method: string, path: string, body: unknown): Promise<unknown> {
  const response = await fetch(`${forge.url}${path}`, {
    method,
    headers: { authorization: `token ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${String(response.status)} ${await response.text()}`);
  return response.json();
}

/** A home with a sprint of two tasks; no shell runs. */
async function kickedOff(): Promise<Runtime> {
  const settings = { host: forge.url, token_env: 'CALORON_FORGE_TOKEN', framework: 'stub' };
  const made = runtimeAt(join(dir, 'home'), settings, { CALORON_FORGE_TOKEN: token });
  undo.push(() => made.close());
  const input = { brief: '- [one] Do one thing\n- [two] Do another', repo: LIB, sprint_id: 's1' };
  const begun = await made.run({ graph: loadGraph(KICKOFF), graph_name: KICKOFF, input });
  expect(begun).toMatchObject({ ok: true, output: { issues_created: [1, 2] } });
  return made;
}

/** The scheduler with the tick as its job, which no cron fires. */
async function schedule(): Promise<string> {
  const graph = join(ROOT, 'compositions/sprint_tick.json');
  const on = [DELIVERED, 'sprint.resumed'];
  const jobs = [{ name: 'tick', cron: NEVER, graph, input_from: 'kv:caloron:active_sprint', on }];
  writeFileSync(join(dir, 'scheduler.json'), JSON.stringify({ jobs }));
  const config = readConfig('scheduler.json', dir);
  const { store } = runtime;
  const deliveries = {
    accept: (...given: Parameters<typeof store.deliveries.accept>) =>
      lose ? Promise.reject(new Error('lost')) : store.deliveries.accept(...given),
  };
  const watches = (repo: string): Promise<boolean> => watchesRepo(store, config.jobs, repo);
  const server = await startServer({ jobs: () => [] }, { db_id: store.db_id, port: 0 }, (app) =>
    inboundRoutes(app, { secret: SECRET, deliveries, watches, warn: () => undefined }),
  );
  undo.push(() => server.close());
  const logger = createLogger({ name: 'test', level: 'silent' });
  const scheduler = startScheduler({ config, runtime, logger, clock: systemClock, random: systemRandom });
  undo.push(() => scheduler.stop(0));
  return `${server.url}${INBOUND_PATH}`;
}

const closed = (): readonly unknown[] =>
  runtime.store.events
    .read({ after: 0, kinds: ['issue_closed'] })
    .map(({ payload }) => (payload as { issue_number: unknown }).issue_number);
/** The slots that deliveries fire. */
const delivered = (): readonly string[] =>
  runtime.store.events.read({ after: 0, kinds: [DELIVERED] }).map(({ seq }) => `event:${String(seq)}`);
const ticks = (): number =>
  runtime.store.slots.list({ job: 'tick', limit: 100 }).filter(({ status }) => status === 'ok').length;

/** Makes a tick, as cron does each minute. */
const resume = (event_id: string): Promise<unknown> =>
  runtime.store.events.append([{ event_id, kind: 'sprint.resumed', sprint_id: 's1', payload: {} }]);

describe('a forge that posts its events', () => {
  it('has a tick made by its delivery, and what no delivery told is found by the one that cron makes', async () => {
    const url = await schedule();
    await ask('POST', `/repos/${LIB}/hooks`, {
      config: { url, secret: SECRET, content_type: 'json' },
      events: ['issues', 'issue_comment', 'pull_request', 'push'],
    });
    // The first tick learns of the issues; polls begin there.
    await resume('first');
    await vi.waitFor(() => expect(ticks()).toBeGreaterThan(0), { timeout: 30_000 });

    await ask('PATCH', `/repos/${LIB}/issues/1`, { state: 'closed' });
    await vi.waitFor(() => expect(closed()).toEqual([1]), { timeout: 30_000 });
    const told = delivered();
    const slots = runtime.store.slots.list({ job: 'tick', limit: 100 }).map(({ slot }) => slot);
    expect(slots.filter((slot) => told.includes(slot))).not.toEqual([]);

    lose = true;
    await ask('PATCH', `/repos/${LIB}/issues/2`, { state: 'closed' });
    let minute = 0;
    // A tick that is under way may have asked the forge before, and takes the word of this minute with it.
    const cron = async (): Promise<void> => {
      minute += 1;
      await resume(`as-cron-${String(minute)}`);
      expect(closed()).toEqual([1, 2]);
    };
    await vi.waitFor(cron, { timeout: 30_000, interval: 500 });
    expect(delivered()).toEqual(told);
  });
});
