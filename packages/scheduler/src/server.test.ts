import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { systemClock } from '@caloron/capabilities/clock';
import { createLogger } from '@caloron/capabilities/logger';
import { systemRandom } from '@caloron/capabilities/random';
import { findHome } from '@caloron/store';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { readEnvironment } from './environment.ts';
import type { JobOutcome } from './job.ts';
import { createOperation, type Operation, warnOfSecrets } from './operation.ts';
import { createRuntime, type Runtime } from './runtime.ts';
import type { JobStatus } from './scheduler.ts';
import { type SchedulerServer, startServer } from './server.ts';
import { payloadOf } from './webhooks.ts';

const DOCUMENT = readFileSync(new URL('../../../docs/operations.md', import.meta.url), 'utf8');
const last = { run_id: 'r', status: 'ok', duration_ms: 4, error: null, reason: null } as const;
const JOB: JobStatus = { name: 'j', cron: '* * * * *', running: true, next_at: null, last };

let undo: (() => unknown)[];
let runtime: Runtime;
let operation: Operation;
let server: SchedulerServer;
let url: string;

beforeEach(async () => {
  const dir = mkdtempSync(join(tmpdir(), 'caloron-server-'));
  undo = [() => rmSync(dir, { recursive: true, force: true })];
  const home = findHome({ flag: dir, cwd: dir });
  const environment = readEnvironment({}, home);
  const seams = { clock: systemClock, random: systemRandom };
  runtime = createRuntime({ home, environment, ...seams });
  undo.push(() => runtime.close());
  const logger = createLogger({ name: 'test', level: 'silent' });
  const jobs = () => [JOB];
  operation = createOperation({
    ...seams,
    runtime,
    environment,
    logger,
    jobs,
    unrecorded: () => 2,
    pid: 7,
  });
  const { health, metrics } = operation;
  const { db_id, slots } = runtime.store;
  server = await startServer({ jobs }, { db_id, port: 0, health, metrics, slots });
  undo.push(() => server.close());
  url = server.url;
});

afterEach(async () => {
  for (const step of undo.reverse()) await step();
});

/** The first cells of a table of the document, by how its heading begins. */
function documented(head: string): readonly string[] {
  const lines = DOCUMENT.split('\n');
  const begin = lines.findIndex((line) => line.startsWith(`| ${head} `));
  const end = lines.findIndex((line, at) => at > begin && !line.startsWith('|'));
  return lines.slice(begin + 2, end).map((line) => /`([^`]+)`/.exec(line)?.[1] ?? '');
}

describe("the scheduler's port", () => {
  it('tells of its health, every field documented', async () => {
    const response = await fetch(`${url}/health`);
    const health = (await response.json()) as object;

    expect(response.status).toBe(200);
    expect(health).toEqual({
      ok: true,
      db_id: runtime.store.db_id,
      pid: 7,
      started_at: expect.stringMatching(/^\d{4}-/) as string,
      jobs: 1,
      running: 1,
      webhooks_waiting: 0,
      unrecorded: 2,
      registry: null,
      error: null,
    });
    expect(Object.keys(health)).toEqual(documented('field of /health'));
  });

  it('answers 503 while the database cannot be read', async () => {
    runtime.store.close();
    const response = await fetch(`${url}/health`);

    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({
      ok: false,
      webhooks_waiting: null,
      error: { message: expect.any(String) as string },
    });
  });

  it('tells of its jobs, every field documented', async () => {
    const { jobs } = (await (await fetch(`${url}/jobs`)).json()) as { jobs: readonly object[] };

    expect(jobs).toEqual([JOB]);
    expect(Object.keys(JOB)).toEqual(documented('field of /jobs'));
    const row = DOCUMENT.split('\n').find((line) => line.startsWith('| `last` ')) ?? '';
    for (const field of Object.keys(last)) expect(row).toContain(`\`${field}\``);
  });

  it('tells of slots, the newest first, each with how it ended or why it was not fired', async () => {
    const { slots } = runtime.store;
    const at = { scheduler_id: 'default', job: 'j' };
    await slots.claim({ ...at, slot: '2026-04-15T12:00:00Z', run_id: 'r' });
    await slots.note({ ...at, slot: '2026-04-15T12:01:00Z' }, 'skipped', 'the job was still running');
    await slots.note({ ...at, job: 'other', slot: '2026-04-15T12:01:00Z' }, 'ok', null);
    const told = async (query: string): Promise<readonly object[]> =>
      ((await (await fetch(`${url}/slots${query}`)).json()) as { slots: readonly object[] }).slots;

    expect(await told('')).toMatchObject([{ job: 'other' }, { status: 'skipped' }, { status: 'fired' }]);
    expect(await told('?limit=1')).toMatchObject([{ job: 'other' }]);
    const [skipped, fired] = await told('?job=j');
    expect(skipped).toEqual({
      scheduler_id: 'default',
      job: 'j',
      slot: '2026-04-15T12:01:00Z',
      status: 'skipped',
      reason: 'the job was still running',
      run_id: null,
      at: expect.stringMatching(/^\d{4}-/) as string,
    });
    expect(fired).toMatchObject({ run_id: 'r', reason: null });
    expect(Object.keys(skipped ?? {})).toEqual(documented('field of /slots'));
  });

  it.each(['?limit=0', '?limit=x', '?limit=1001', '?job=a&job=b', '?jobs=a'])(
    'tells what is wrong with %s',
    async (query) => {
      const response = await fetch(`${url}/slots${query}`);
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({
        ok: false,
        code: 'SCHEDULER_QUERY_INVALID',
        error: expect.stringMatching(/^\?(?:limit|job|jobs): /u) as string,
      });
    },
  );

  it('is closed soon, also while somebody sends half of a request', async () => {
    const { hostname, port } = new URL(url);
    const half = connect(Number(port), hostname);
    undo.push(() => half.destroy());
    const ended = new Promise((resolve) => half.once('close', resolve).on('error', () => undefined));
    await new Promise<void>((resolve) => half.once('connect', resolve));
    await new Promise<void>((resolve) => half.write('GET /health HTTP/1.1\r\nHost: x\r\n', () => resolve()));
    // What was sent before is there when this is answered.
    expect((await fetch(`${url}/jobs`)).status).toBe(200);

    await server.close();
    await ended;
  });

  it('tells its metrics, every name and label documented', async () => {
    const response = await fetch(`${url}/metrics`);
    const text = await response.text();

    expect(response.headers.get('content-type')).toContain('text/plain; version=0.0.4');
    const names = [...text.matchAll(/^# TYPE (noether_\S+)/gm)].map(([, name = '']) => name);
    expect([...names].sort()).toEqual([...documented('metric')].sort());
    expect(names.length).toBeGreaterThan(5);
    operation.metrics.ran({ job: 'j', status: 'ok', duration_ms: 1 }, 'cron', 0);
    operation.metrics.skipped('j');
    operation.metrics.told({ job: 'j', result: 'sent', duration_ms: 1 });
    const filled = await operation.metrics.text();
    for (const name of names) {
      const [, labels = ''] = new RegExp(`^${name}(?:_sum)?(?:\\{([^}]*)\\})? `, 'm').exec(filled) ?? [];
      const row = DOCUMENT.split('\n').find((line) => line.startsWith(`| \`${name}\``)) ?? '';
      const own = [...(row.split('|')[2] ?? '').matchAll(/`([a-z]+)`/g)].map(([, label]) => label);
      expect(
        [...labels.matchAll(/([a-z]+)="/g)].map(([, label]) => label).filter((label) => label !== 'le'),
      ).toEqual(own);
    }
  });
});

describe('the payload of a webhook', () => {
  it('has the documented fields', () => {
    const outcome: JobOutcome = {
      job: 'j',
      run_id: 'r',
      composition_id: 'c',
      input: null,
      status: 'ok',
      lease_taken: false,
      output: 1,
      error: null,
      duration_ms: 4,
      consumed_seq: null,
      reason: null,
    };
    const fields = documented('field of the payload');
    const error = { code: 'X', message: 'x' };
    const failed = payloadOf({ ...outcome, status: 'failed', output: null, error }, 's');

    expect(Object.keys(payloadOf(outcome, 's'))).toEqual(fields.filter((field) => field !== 'error'));
    expect(Object.keys(failed)).toEqual(fields.filter((field) => field !== 'output'));
  });
});

describe('a webhook that cannot be signed', () => {
  it('is warned of before its first run, where its job is enabled', () => {
    const warned: unknown[] = [];
    const webhook = { url: 'https://x.example', secret_env: 'HOOK', retries: 1 };
    warnOfSecrets(
      [
        { name: 'on', enabled: true, webhook },
        { name: 'off', enabled: false, webhook },
        { name: 'plain', enabled: true, webhook: { ...webhook, secret_env: null } },
      ],
      { variables: {} },
      { warn: (facts: object) => void warned.push(facts) } as never,
    );
    expect(warned).toEqual([{ job: 'on', secret_env: 'HOOK', reason: 'it is not set' }]);
  });
});
