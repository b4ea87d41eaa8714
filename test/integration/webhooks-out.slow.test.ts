import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { systemClock } from '@caloron/capabilities/clock';
import { systemRandom } from '@caloron/capabilities/random';
import { findHome, openStore } from '@caloron/store';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { environment, must, serve, type Serving, writeText } from '../support/bins.ts';

const WAIT = { timeout: 120_000 };
/** Never due during the test: events fire the job. */
const NEVER = '0 0 1 1 *';

let dir: string;
let undo: (() => unknown)[];
let url: string;
let status: number;
let taken: { readonly headers: IncomingHttpHeaders; readonly text: string; readonly status: number }[];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'caloron-webhooks-out-'));
  undo = [() => rmSync(dir, { recursive: true, force: true })];
  taken = [];
  status = 503;
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      taken.push({ headers: request.headers, text, status });
      response.writeHead(status).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  undo.push(() => {
    server.closeAllConnections();
    server.close();
  });
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});

afterEach(async () => {
  for (const step of undo.reverse()) await step();
});

async function start(): Promise<Serving> {
  const env = environment({
    CALORON_WEBHOOK_ALLOW: '127.0.0.1',
    HOOK_SECRET: `whsec_${Buffer.alloc(32, 7).toString('base64')}`,
  });
  const scheduler = await serve('noether-scheduler', ['--home', dir], { cwd: dir, env });
  undo.push(() => scheduler.stop());
  return scheduler;
}

it('a signed webhook survives kill -9 of its scheduler between two attempts, and is taken once under one id', async () => {
  await must('noether', ['stage', 'sync', '--store', join(dir, '.noether/store.json')], { cwd: dir });
  const root = { op: 'Const', value: { a: 1 } };
  writeText(join(dir, 'g.json'), JSON.stringify({ description: 't', version: '0.1.0', root }));
  const webhook = { url, secret_env: 'HOOK_SECRET', retries: 3 };
  const job = { name: 'told', cron: NEVER, graph: 'g.json', on: ['sprint.started'], webhook };
  writeText(join(dir, 'scheduler.json'), JSON.stringify({ jobs: [job] }));
  const killed = await start();
  const store = openStore(findHome({ flag: dir, cwd: dir }).db, {
    clock: systemClock,
    uuid: () => systemRandom.uuid(),
  });
  undo.push(() => store.close());
  const statuses = (): readonly string[] => store.outboxRows(null).map((row) => row.status);

  await store.events.append([{ event_id: 'a', kind: 'sprint.started', sprint_id: null, payload: {} }]);
  await vi.waitFor(() => expect(statuses()).toEqual(['failed']), WAIT);
  process.kill(killed.pid, 'SIGKILL');
  status = 200;
  await start();
  await vi.waitFor(() => expect(statuses()).toEqual(['done']), WAIT);

  expect(taken.map((one) => one.status)).toEqual([503, 200]);
  expect(new Set(taken.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  expect(new Set(taken.map(({ text }) => text)).size).toBe(1);
  expect(taken[1]!.headers['webhook-signature']).toMatch(/^v1,/);
  expect(store.runs.list()).toHaveLength(1);
});
