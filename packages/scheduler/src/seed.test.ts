import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { fixedClock } from '@caloron/capabilities/clock';
import { createLoggerTo } from '@caloron/capabilities/logger';
import { systemRandom } from '@caloron/capabilities/random';
import { readStageSpec } from '@caloron/noether/records';
import { findHome, openStageStore } from '@caloron/store';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { loadCatalog } from './catalog.ts';
import { readConfig } from './config.ts';
import { readEnvironment } from './environment.ts';
import { graphProblems, graphsOf, warnOfGraphs } from './graph-problems.ts';
import { createRuntime, type Runtime } from './runtime.ts';
import { startScheduler } from './scheduler.ts';
import { watchedWebhooks } from './webhook-log.ts';
import { createWebhooks } from './webhooks.ts';

const ROOT = join(import.meta.dirname, '../../..');
const WAIT = { timeout: 30_000 };
const MINUTE_MS = 60_000;

/** The example of the page, with the local store in place of the registry. */
const EXAMPLE = {
  store_path: '.noether/store.json',
  jobs: [
    {
      name: 'sprint-tick',
      cron: '* * * * *',
      graph: 'compositions/sprint_tick.json',
      input: { sprint_id: 'sprint-1', repo: 'owner/repo' },
    },
    {
      name: 'retro',
      cron: '0 18 * * 5',
      graph: 'compositions/retro.json',
      input: { sprint_id: 'sprint-1' },
      webhook: 'https://hooks.example.com/retro-ready',
    },
  ],
};

interface Posted {
  readonly path: string;
  readonly body: unknown;
}

let dir: string;
let undo: (() => unknown)[];
let lines: Record<string, unknown>[];
let posted: Posted[];
let url: string;
let clock: ReturnType<typeof fixedClock>;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'caloron-page-'));
  undo = [() => rmSync(dir, { recursive: true, force: true })];
  lines = [];
  posted = [];
  clock = fixedClock('2026-04-14T08:29:30.000Z');
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      posted.push({ path: request.url ?? '', body: JSON.parse(text) as unknown });
      response.writeHead(request.url === '/broken' ? 503 : 200).end();
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

const logger = () =>
  createLoggerTo(
    { name: 'test' },
    { write: (line) => lines.push(JSON.parse(line) as Record<string, unknown>) },
  );
const logged = (msg: string) => lines.filter((line) => line['msg'] === msg);

function graph(name: string, root: unknown): string {
  writeFileSync(join(dir, name), JSON.stringify({ description: 'test', version: '0.1.0', root }));
  return name;
}

function config(value: unknown): ReturnType<typeof readConfig> {
  writeFileSync(join(dir, 'scheduler.json'), JSON.stringify(value));
  return readConfig('scheduler.json', dir);
}

/** A scheduler over the folder; its clock stands half a minute before a slot. */
function start(jobs: readonly unknown[]): Runtime {
  const home = findHome({ flag: dir, cwd: dir });
  const seams = { clock, random: systemRandom };
  const runtime = createRuntime({ home, environment: readEnvironment({}, home), ...seams });
  const log = logger();
  const webhooks = createWebhooks({
    outbox: runtime.store.forRun({ run_id: 'w', lease: null }).outbox,
    clock,
    variables: {},
    allow: ['127.0.0.1'],
    ...watchedWebhooks(log),
  });
  const scheduler = startScheduler({ ...seams, config: config({ jobs }), runtime, logger: log, webhooks });
  undo.push(
    () => runtime.close(),
    () => webhooks.close(0),
    () => scheduler.stop(0),
  );
  return runtime;
}

/** Goes on to the next minute and waits until so many runs of a job are recorded. */
async function nextMinute(on: Runtime, job: string, runs: number): Promise<void> {
  clock.advance(MINUTE_MS);
  await ended(on, job, runs);
}

async function ended(on: Runtime, job: string, runs: number): Promise<void> {
  const settled = (): readonly string[] =>
    on.store.slots
      .list({ job, limit: 100 })
      .map(({ status }) => status)
      .filter((status) => status === 'ok' || status === 'failed');
  await vi.waitFor(() => expect(settled()).toHaveLength(runs), WAIT);
}

const EVERY = '* * * * *';
const CONST = { op: 'Const', value: { a: 1 } };

describe('noether-scheduler', () => {
  it('S1 S2 S12 S17 runs graphs by cron; every fire captures the trace and posts the result, under the job’s name', async () => {
    const path = graph('g.json', { op: 'Stage', id: 'to_text' });
    const on = start([{ name: 'tick', cron: EVERY, graph: path, input: 7, webhook: `${url}/hook` }]);
    await nextMinute(on, 'tick', 1);
    await nextMinute(on, 'tick', 2);
    await vi.waitFor(() => expect(posted).toHaveLength(2), WAIT);

    const slots = ['2026-04-14T08:30:00Z', '2026-04-14T08:31:00Z'];
    const runs = on.store.runs.list().toReversed();
    expect(runs.map(({ labels }) => labels)).toMatchObject(
      slots.map((slot) => ({ job: 'tick', slot, cause: 'cron' })),
    );
    for (const { run_id } of runs)
      expect(on.store.runs.get(run_id)).toMatchObject({
        run: { status: 'ok' },
        steps: [{ stage_name: 'to_text', path: 'root' }],
      });
    expect(logged('job done')).toMatchObject(slots.map((slot) => ({ job: 'tick', slot })));
    const composition_id = runs[0]!.composition_id;
    expect(composition_id).toMatch(/^[0-9a-f]{64}$/);
    expect(posted).toEqual(
      slots.map((fired_at) => ({
        path: '/hook',
        body: {
          job: 'tick',
          composition_id,
          ok: true,
          output: '7',
          duration_ms: expect.any(Number) as number,
          fired_at,
        },
      })),
    );
  });

  it('S3 S16 posts nothing for a job without a webhook', async () => {
    const path = graph('g.json', CONST);
    const on = start([
      { name: 'silent', cron: EVERY, graph: path },
      { name: 'told', cron: EVERY, graph: path, webhook: `${url}/hook` },
    ]);
    await nextMinute(on, 'silent', 1);
    await vi.waitFor(() => expect(posted).toHaveLength(1), WAIT);
    expect(posted[0]?.body).toMatchObject({ job: 'told', output: { a: 1 } });
  });

  it('S15 gives the graph its input, any JSON value: scalar, record, list; null where there is none', async () => {
    const inputs = [5, 'text', true, null, { a: { b: [1] } }, [1, 'x', null], undefined];
    const path = graph('g.json', { op: 'Stage', id: 'to_json' });
    const jobs = inputs.map((input, n) => ({ name: `j${n}`, cron: EVERY, graph: path, input }));
    const on = start(jobs.map((job) => ({ ...job, webhook: `${url}/hook` })));
    await nextMinute(on, 'j6', 1);
    await vi.waitFor(() => expect(posted).toHaveLength(inputs.length), WAIT);

    const outputs = new Map(
      posted.map(({ body }) => {
        const { job, output } = body as { readonly job: string; readonly output: string };
        return [job, JSON.parse(output) as unknown];
      }),
    );
    expect(jobs.map(({ name }) => outputs.get(name))).toEqual(inputs.map((input) => input ?? null));
  });
});

describe('Webhook responses', () => {
  it('S19 are not inspected: 2xx and 5xx are treated identically, the scheduler logs and moves on', async () => {
    const path = graph('g.json', CONST);
    const on = start(
      ['hook', 'broken'].map((name) => ({ name, cron: EVERY, graph: path, webhook: `${url}/${name}` })),
    );
    for (const n of [1, 2]) {
      await nextMinute(on, 'hook', n);
      await ended(on, 'broken', n);
      await vi.waitFor(() => expect(logged('webhook sent')).toHaveLength(n * 2), WAIT);
    }

    for (const [job, status] of [
      ['hook', 200],
      ['broken', 503],
    ] as const) {
      expect(posted.filter(({ path: to }) => to === `/${job}`)).toHaveLength(2);
      const about = { level: 30, job, attempt: 1, status };
      expect(logged('webhook sent').filter((line) => line['job'] === job)).toMatchObject([about, about]);
      expect(on.store.slots.list({ job, limit: 9 }).map((slot) => slot.status)).toEqual(['ok', 'ok']);
    }
  });

  it('S29 that never come are in the log, with the host and why, and are not waited for again', async () => {
    let connections = 0;
    const ending = createTcpServer((socket) => {
      connections += 1;
      socket.destroy();
    });
    await new Promise<void>((resolve) => ending.listen(0, '127.0.0.1', resolve));
    undo.push(() => ending.close());
    const host = `127.0.0.1:${(ending.address() as AddressInfo).port}`;
    const path = graph('g.json', CONST);
    const on = start([{ name: 'j', cron: EVERY, graph: path, webhook: `http://${host}/x?key=private` }]);
    for (const n of [1, 2]) {
      await nextMinute(on, 'j', n);
      await vi.waitFor(() => expect(logged('webhook failed')).toHaveLength(n), WAIT);
      // One attempt for each run, and none of them again.
      expect(connections).toBe(n);
    }

    expect(logged('webhook failed')[0]).toMatchObject({
      level: 50,
      job: 'j',
      host,
      slot: '2026-04-14T08:30:00Z',
      attempt: 1,
      error: { code: 'WEBHOOK_UNREACHABLE', message: `${host} cannot be reached: ECONNRESET` },
    });
    expect(JSON.stringify(lines)).not.toContain('private');
  });
});

describe('the config file', () => {
  it('S7 S14 of the example is taken as it is: its graphs are there and take what they are given', async () => {
    cpSync(join(ROOT, 'compositions'), join(dir, 'compositions'), { recursive: true });
    const { store_path, jobs } = config(EXAMPLE);

    expect(store_path).toBe(join(dir, '.noether/store.json'));
    expect(jobs).toMatchObject([
      { name: 'sprint-tick', input: { sprint_id: 'sprint-1', repo: 'owner/repo' }, webhook: null },
      { name: 'retro', cron: '0 18 * * 5', webhook: { url: 'https://hooks.example.com/retro-ready' } },
    ]);
    expect(await graphProblems(graphsOf(jobs), store_path)).toEqual([]);
  });

  it('S8 S12 S13 S14 needs jobs, and of each job name, cron and graph', () => {
    const told = (value: unknown): unknown => {
      try {
        return config(value);
      } catch (error) {
        return (error as { readonly details: { readonly problems: readonly string[] } }).details.problems;
      }
    };
    expect(told({})).toEqual([expect.stringMatching(/^jobs: missing: expected/)]);
    expect(told({ jobs: [{}] })).toEqual([
      'jobs[0].name: missing: expected string',
      'jobs[0].cron: missing: expected string',
      'jobs[0].graph: missing: expected string',
    ]);
    expect(told({ jobs: [] })).toMatchObject({ jobs: [] });
  });

  it('S10 names one of store_path and registry_url, and not both', () => {
    const both = { store_path: 'a', registry_url: 'https://registry.example.com', jobs: [] };
    expect(() => config(both)).toThrow(/store_path, registry_url: expected exactly one of them/);
  });
});

describe('a pure consumer of the stage store', () => {
  it('S9 S24 finds by it what a graph names, and never writes to it', async () => {
    const file = join(dir, '.noether', 'store.json');
    const stages = openStageStore({ file });
    const older = {
      name: 'old_to_text',
      input: 'Any',
      output: 'Text',
      implementation: 'def execute(value):\n    return str(value)\n',
      examples: [{ input: 'a', output: 'a' }],
    };
    const { record } = await stages.put({ ...readStageSpec(older, 'old').record, lifecycle: 'Active' });
    await stages.seed([loadCatalog().resolve('to_text').record]);
    await stages.deprecate('old_to_text', 'to_text');
    const before = { text: readFileSync(file, 'utf8'), at: statSync(file).mtimeMs };
    const names = readdirSync(join(dir, '.noether')).toSorted();

    const on = start([
      { name: 'good', cron: EVERY, graph: graph('g.json', { op: 'Stage', id: record.id }), input: 1 },
      { name: 'bad', cron: EVERY, graph: graph('b.json', { op: 'Stage', id: 'nobodys_stage' }) },
    ]);
    await nextMinute(on, 'good', 1);
    await ended(on, 'bad', 1);

    expect(logged('job done')).toMatchObject([{ job: 'good' }]);
    expect(logged('job failed')).toMatchObject([
      {
        job: 'bad',
        error: { code: 'GRAPH_STAGE_UNKNOWN', message: 'root: no stage is called `nobodys_stage`' },
        next: `./noether check ${join(dir, 'b.json')}`,
      },
    ]);
    expect({ text: readFileSync(file, 'utf8'), at: statSync(file).mtimeMs }).toEqual(before);
    expect(readdirSync(join(dir, '.noether')).toSorted()).toEqual(names);
  });
});

describe('Troubleshooting', () => {
  it('S28 what many jobs have in common is looked at once, and told of each', async () => {
    const path = graph('g.json', { op: 'Stage', id: 'text_uper' });
    const { jobs } = config({
      jobs: Array.from({ length: 2_000 }, (_, n) => ({ name: `j${n}`, cron: EVERY, graph: path })),
    });
    const problems = await graphProblems(graphsOf(jobs), join(dir, 'store.json'));

    expect(problems).toHaveLength(2_000);
    expect(problems.at(-1)).toMatch(
      /^jobs\[1999\]\.graph: .*g\.json: root: no stage is called `text_uper`; did you/,
    );
  });

  it('S28 a stage that is not found is told by its place, with where was looked and how it comes there', async () => {
    const file = join(dir, 'my store.json');
    const store = { store_path: 'my store.json' };
    const { jobs } = config({
      ...store,
      jobs: [{ name: 'j', cron: EVERY, graph: graph('g.json', { op: 'Stage', id: 'zzqqzz' }) }],
    });
    const [problem] = await graphProblems(graphsOf(jobs), file);

    expect(problem).toBe(
      `jobs[0].graph: ${join(dir, 'g.json')}: root: no stage is called \`zzqqzz\`, neither in this program nor in ${file}; ` +
        `./noether stage sync ./stages/ --store '${file}' puts yours there`,
    );
    await warnOfGraphs(jobs, file, loadCatalog(), logger());
    expect(logged('the graph of a job cannot run as it is')).toMatchObject([
      { job: 'j', problems: [expect.stringContaining('./noether stage sync ./stages/')] },
    ]);
  });

  it('S27 a graph whose path leads nowhere is told in full, with where paths count from, before it fires and when it does', async () => {
    const on = start([{ name: 'j', cron: EVERY, graph: 'nowhere.json' }]);
    await nextMinute(on, 'j', 1);

    const message = `cannot read the graph ${join(dir, 'nowhere.json')}: there is no such file`;
    expect(logged('job failed')).toMatchObject([
      {
        job: 'j',
        error: { code: 'SCHEDULER_GRAPH_MISSING', message },
        next: expect.stringContaining('counts from the working directory') as string,
      },
    ]);
    expect(await graphProblems([{ at: 'jobs[0]', path: join(dir, 'nowhere.json') }], '')).toEqual([
      `jobs[0].graph: ${message}; the path counts from the working directory; use an absolute one where that may change`,
    ]);
  });
});

describe('Deployment', () => {
  const unit = readFileSync(join(ROOT, 'deploy/systemd/noether-scheduler.service'), 'utf8');

  it('S22 has a systemd unit that starts it with its config, in its folder, again when it ends', () => {
    expect(unit).toMatch(/^ExecStart=.*\bnoether-scheduler --config \/\S+\/scheduler\.json/m);
    expect(unit).toMatch(/^Restart=always\nRestartSec=10$/m);
    expect(unit).toMatch(/^WorkingDirectory=\//m);
    expect(unit).toMatch(/^WantedBy=multi-user\.target$/m);
  });

  it('S23 has a container whose scheduler reads its config by its full path', () => {
    const compose = readFileSync(join(ROOT, 'deploy/docker/compose.yaml'), 'utf8');
    expect(compose).toMatch(
      /- noether-scheduler\n(?:\s+- .*\n)*?\s+- --config\n\s+- \/\S+\/scheduler\.json\n/,
    );
  });
});
