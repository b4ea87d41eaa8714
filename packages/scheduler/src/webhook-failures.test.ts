import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { systemClock } from '@caloron/capabilities/clock';
import { createLoggerTo } from '@caloron/capabilities/logger';
import { systemRandom } from '@caloron/capabilities/random';
import { findHome } from '@caloron/store';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { readConfig } from './config.ts';
import { readEnvironment } from './environment.ts';
import { createRuntime, type Runtime } from './runtime.ts';
import { startScheduler } from './scheduler.ts';
import { watchedWebhooks } from './webhook-log.ts';
import { createWebhooks } from './webhooks.ts';

/** The first run that looks for a stage reads those of the program. */
const WAIT = { timeout: 60_000 };
const NEVER = '0 0 1 1 *';
const ID = expect.stringMatching(/^[0-9a-f]{64}$/) as string;

let dir: string;
let undo: (() => unknown)[];
let url: string;
let lines: Record<string, unknown>[];
/** Requests that came for a path; `/hang` is never answered. */
let bodies: unknown[];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'caloron-told-'));
  undo = [() => rmSync(dir, { recursive: true, force: true })];
  lines = [];
  bodies = [];
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      bodies.push(JSON.parse(text));
      if (request.url === '/hang') return;
      if (request.url === '/broken') return void response.writeHead(500).end();
      response.writeHead(200).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  undo.push(() => {
    server.closeAllConnections();
    server.close();
  });
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  for (const step of undo.reverse()) await step();
});

/** A scheduler with one job that runs at each `sprint.started`. */
function start(job: Readonly<Record<string, unknown>>): Runtime {
  const jobs = [{ name: 'told', cron: NEVER, on: ['sprint.started'], ...job }];
  writeFileSync(join(dir, 'scheduler.json'), JSON.stringify({ jobs }));
  const home = findHome({ flag: dir, cwd: dir });
  const seams = { clock: systemClock, random: systemRandom };
  const environment = readEnvironment({}, home);
  const runtime = createRuntime({ home, environment, ...seams });
  const logger = createLoggerTo(
    { name: 'test' },
    { write: (line) => lines.push(JSON.parse(line) as Record<string, unknown>) },
  );
  const webhooks = createWebhooks({
    // Longer than anybody waits here.
    timeout_ms: 600_000,
    outbox: runtime.store.forRun({ run_id: 'w', lease: null }).outbox,
    clock: systemClock,
    variables: {},
    allow: ['127.0.0.1'],
    ...watchedWebhooks(logger),
  });
  const config = readConfig('scheduler.json', dir);
  const scheduler = startScheduler({ ...seams, config, runtime, logger, webhooks });
  undo.push(
    () => runtime.close(),
    () => webhooks.close(0),
    () => scheduler.stop(0),
  );
  return runtime;
}

const fire = (on: Runtime, event_id = 'a'): Promise<unknown> =>
  on.store.events.append([{ event_id, kind: 'sprint.started', sprint_id: null, payload: {} }]);
const graph = (root: unknown): string => {
  writeFileSync(join(dir, 'g.json'), JSON.stringify({ description: 'test', version: '0.1.0', root }));
  return 'g.json';
};
const remote = (to: string) => ({
  op: 'RemoteStage',
  url: `${url}${to}`,
  input: { kind: 'Any' },
  output: { kind: 'Text' },
});

describe('S18 Failures include "ok": false and "error" fields in place of "output"', () => {
  it.each<[string, () => Readonly<Record<string, unknown>>, string | null, string]>([
    ['a graph that is missing', () => ({ graph: 'missing.json' }), null, 'SCHEDULER_GRAPH_MISSING'],
    [
      'a graph that is a directory',
      () => {
        mkdirSync(join(dir, 'folder'));
        return { graph: 'folder' };
      },
      null,
      'SCHEDULER_GRAPH_MISSING',
    ],
    [
      'a graph that is no JSON',
      () => {
        writeFileSync(join(dir, 'g.json'), '{"root":');
        return { graph: 'g.json' };
      },
      null,
      'GRAPH_INVALID',
    ],
    ['a graph that is invalid', () => ({ graph: graph({ op: 'Nonsense' }) }), null, 'GRAPH_INVALID'],
    [
      'a stage that cannot be found',
      () => ({ graph: graph({ op: 'Stage', id: 'no_such_stage' }) }),
      ID,
      'GRAPH_STAGE_UNKNOWN',
    ],
    [
      'a type error',
      () => ({
        graph: graph({
          op: 'Sequential',
          stages: [
            { op: 'Const', value: 7 },
            { op: 'Stage', id: 'github_poll_events' },
          ],
        }),
      }),
      ID,
      'GRAPH_TYPE_MISMATCH',
    ],
    ['a run that fails', () => ({ graph: graph(remote('/broken')) }), ID, 'STAGE_REMOTE_FAILED'],
    ['a run out of time', () => ({ graph: graph(remote('/hang')), timeout_s: 0.2 }), ID, 'GRAPH_RUN_ABORTED'],
  ])('after %s', async (_kind, job, composition_id, code) => {
    const on = start({ ...job(), webhook: `${url}/hook` });
    await fire(on);
    const told = (): unknown => bodies.find((body) => Object.hasOwn(body as object, 'job'));
    await vi.waitFor(() => expect(told()).toBeDefined(), WAIT);

    expect(told()).toEqual({
      job: 'told',
      composition_id,
      ok: false,
      error: { code, message: expect.any(String) as string },
      duration_ms: expect.any(Number) as number,
      fired_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/) as string,
    });
  });
});

describe('a hanging endpoint', () => {
  it.each([
    ['an address', () => `${url}/hang`],
    ['an object', () => ({ url: `${url}/hang`, retries: 3 })],
  ])('never delays the next fire, the webhook being %s', async (_form, webhook) => {
    const on = start({ graph: graph({ op: 'Const', value: 1 }), webhook: webhook() });
    for (const n of [1, 2, 3, 4, 5]) {
      await fire(on, String(n));
      // All attempts before it hang.
      await vi.waitFor(() => expect(bodies).toHaveLength(n), WAIT);
    }
    const settled = (): readonly string[] =>
      on.store.slots.list({ job: 'told', limit: 9 }).map(({ status }) => status);
    await vi.waitFor(() => expect(settled()).toEqual(['ok', 'ok', 'ok', 'ok', 'ok']), WAIT);
  });
});

describe('the log', () => {
  it('names job, run, composition and slot of each run and of each webhook', async () => {
    const on = start({ graph: graph({ op: 'Const', value: 1 }), webhook: `${url}/hook?key=private` });
    await fire(on);
    const line = (msg: string) => lines.find((one) => one['msg'] === msg);
    await vi.waitFor(() => expect(line('webhook sent')).toBeDefined(), WAIT);
    await vi.waitFor(() => expect(line('job done')).toBeDefined(), WAIT);

    const run_id = on.store.runs.list()[0]?.run_id;
    for (const msg of ['job done', 'webhook sent'])
      expect(line(msg)).toMatchObject({ job: 'told', run_id, composition_id: ID, slot: 'event:1' });
    expect(JSON.stringify(lines)).not.toContain('private');
  });
});
