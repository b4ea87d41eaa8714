import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { systemClock } from '@caloron/capabilities/clock';
import { createLogger } from '@caloron/capabilities/logger';
import { systemRandom } from '@caloron/capabilities/random';
import { findHome } from '@caloron/store';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { readConfig } from './config.ts';
import { readEnvironment } from './environment.ts';
import { DELIVERED, INBOUND_PATH, inboundRoutes } from './inbound.ts';
import { createRuntime, type Runtime } from './runtime.ts';
import { startScheduler } from './scheduler.ts';
import { startServer } from './server.ts';
import { watchesRepo } from './wakeup.ts';

interface Example {
  readonly name: string;
  readonly examples: readonly { readonly repository?: { readonly full_name?: string } }[];
}

const SECRET = 'It’s a secret';
const NEVER = '0 0 1 1 *';
const WATCHED = 'Codertocat/Hello-World';
/** Recorded payloads of every event of github.com. */
const examples = createRequire(import.meta.url)('@octokit/webhooks-examples') as {
  readonly default?: readonly Example[];
} & readonly Example[];

let dir: string;
let undo: (() => unknown)[];
let runtime: Runtime;
let url: string;
let warned: string[];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'caloron-inbound-'));
  undo = [() => rmSync(dir, { recursive: true, force: true })];
  const home = findHome({ flag: dir, cwd: dir });
  const environment = readEnvironment({}, home);
  runtime = createRuntime({ home, environment, clock: systemClock, random: systemRandom });
  undo.push(() => runtime.close());
  warned = [];
});
afterEach(async () => {
  for (const step of undo.reverse()) await step();
});

/** Jobs that wake at deliveries, and the port forges post to. */
async function listen(
  jobs: readonly object[] = [],
  secret: string | null = SECRET,
  root: object = { op: 'Const', value: 1 },
): Promise<void> {
  const graph = join(dir, 'g.json');
  writeFileSync(graph, JSON.stringify({ description: 'test', version: '0.1.0', root }));
  const made = jobs.map((job, i) => ({ name: `j${i}`, cron: NEVER, graph, on: [DELIVERED], ...job }));
  writeFileSync(join(dir, 'scheduler.json'), JSON.stringify({ jobs: made }));
  const config = readConfig('scheduler.json', dir);
  const { store } = runtime;
  const server = await startServer({ jobs: () => [] }, { db_id: 'd', port: 0 }, (app) => {
    if (secret === null) return;
    inboundRoutes(app, {
      secret,
      deliveries: store.deliveries,
      watches: (repo) => watchesRepo(store, config.jobs, repo),
      warn: (facts, message) => void warned.push(`${message} ${JSON.stringify(facts)}`),
    });
  });
  undo.push(() => server.close());
  ({ url } = server);
  const logger = createLogger({ name: 'test', level: 'silent' });
  const scheduler = startScheduler({ config, runtime, logger, clock: systemClock, random: systemRandom });
  undo.push(() => scheduler.stop(0));
}

const signed = (body: string | Buffer, secret = SECRET): string =>
  createHmac('sha256', secret).update(body).digest('hex');

interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

async function post(body: string | Buffer, headers: Readonly<Record<string, string>>): Promise<Answer> {
  const response = await fetch(`${url}${INBOUND_PATH}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : new Uint8Array(body),
  });
  return { status: response.status, body: (await response.json()) as Answer['body'] };
}

/** As GitHub delivers. */
const deliver = (id: string, event: string, payload: unknown): Promise<Answer> => {
  const body = JSON.stringify(payload);
  return post(body, {
    'x-github-delivery': id,
    'x-github-event': event,
    'x-hub-signature-256': `sha256=${signed(body)}`,
  });
};

const opened = { action: 'opened', repository: { full_name: WATCHED }, issue: { title: 'told' } };
const rows = () => runtime.store.events.read({ after: 0, kinds: [DELIVERED] });
const fired = (name: string): number =>
  runtime.store.slots.list({ job: name, limit: 1_000 }).filter(({ status }) => status === 'ok').length;

describe('a delivery', () => {
  it('of every example of GitHub is taken once, however often it comes, and no text of it is kept', async () => {
    await listen([{ input: { repo: WATCHED } }]);
    const all = (examples.default ?? examples).flatMap(({ name, examples: of_event }) =>
      of_event.map((payload, i) => ({ id: `${name}-${i}`, name, payload })),
    );
    expect(all.length).toBeGreaterThan(150);
    const send = ({ id, name, payload }: (typeof all)[number]): Promise<Answer> => deliver(id, name, payload);

    const first: Answer[] = [];
    const again: Answer[] = [];
    for (const example of all) first.push(await send(example));
    for (const example of all) again.push(await send(example));

    expect(all.filter((_, i) => first[i]?.status !== 202).map(({ id }) => id)).toEqual([]);
    expect(all.filter((_, i) => again[i]?.status !== 200).map(({ id }) => id)).toEqual([]);
    expect(new Set(again.map(({ body }) => body['duplicate']))).toEqual(new Set([true]));
    const waking = all.filter((_, i) => first[i]?.body['wakes'] === true);
    expect(rows()).toHaveLength(waking.length);
    const events = new Set(waking.map(({ name }) => name));
    for (const name of [
      'issues',
      'issue_comment',
      'pull_request',
      'pull_request_review',
      'push',
      'check_run',
    ])
      expect(events).toContain(name);
    for (const name of ['ping', 'star', 'member', 'release']) expect(events).not.toContain(name);
    for (const { payload } of rows()) {
      expect(Object.keys(payload as object).toSorted()).toEqual(['action', 'event', 'repo']);
      expect((payload as { repo: string }).repo).toBe(WATCHED);
    }
  });

  it.each([
    ['without a signature', {}],
    ['signed with another secret', { 'x-hub-signature-256': `sha256=${signed('{}', 'other')}` }],
    ['signed for another body', { 'x-hub-signature-256': `sha256=${signed('{ }')}` }],
    ['signed with nothing', { 'x-hub-signature-256': 'sha256=' }],
    ['signed in part', { 'x-hub-signature-256': `sha256=${signed('{}').slice(0, 63)}` }],
    [
      'signed by SHA-1 alone',
      { 'x-hub-signature': `sha1=${createHmac('sha1', SECRET).update('{}').digest('hex')}` },
    ],
    ['signed by Gitea with another secret', { 'x-gitea-signature': signed('{}', 'other') }],
    [
      'signed for GitHub wrongly and by Gitea rightly',
      { 'x-hub-signature-256': 'sha256=0', 'x-gitea-signature': signed('{}') },
    ],
  ])('%s is refused with 401, and leaves nothing', async (_name, headers) => {
    await listen([{ input: { repo: WATCHED } }]);

    const answer = await post('{}', { 'x-github-delivery': 'd', 'x-github-event': 'issues', ...headers });

    expect(answer).toMatchObject({ status: 401, body: { ok: false, code: 'WEBHOOK_SIGNATURE_INVALID' } });
    expect(await runtime.store.deliveries.claim('d')).toBe(true);
    expect([rows(), JSON.stringify([answer, warned])]).toEqual([[], expect.not.stringContaining(SECRET)]);
    expect(warned).toEqual([expect.stringContaining('a delivery was refused')]);
  });

  it('is refused when one byte of it is another', async () => {
    await listen([{ input: { repo: WATCHED } }]);
    const body = Buffer.from(JSON.stringify(opened));
    const headers = {
      'x-github-delivery': 'd',
      'x-github-event': 'issues',
      'x-hub-signature-256': `sha256=${signed(body)}`,
    };
    for (const at of [0, 10, body.length - 1]) {
      const changed = Buffer.from(body);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect((await post(changed, headers)).status).toBe(401);
    }

    expect((await post(body, headers)).status).toBe(202);
  });

  it('of Gitea and Forgejo counts by their own signature, id and event', async () => {
    await listen([{ input: { repo: WATCHED } }]);
    const body = JSON.stringify(opened);
    const answers = [];
    for (const forge of ['gitea', 'forgejo'])
      answers.push(
        await post(body, {
          [`x-${forge}-delivery`]: `of-${forge}`,
          [`x-${forge}-event`]: 'pull_request_approved',
          [`x-${forge}-signature`]: signed(body),
        }),
      );

    expect(answers).toEqual([
      { status: 202, body: { ok: true, wakes: true } },
      { status: 202, body: { ok: true, wakes: true } },
    ]);
    expect(rows().map(({ payload }) => payload)).toEqual([
      { repo: WATCHED, event: 'pull_request_approved', action: 'opened' },
      { repo: WATCHED, event: 'pull_request_approved', action: 'opened' },
    ]);
  });

  it('as a form, which GitHub sends unless told otherwise, is taken', async () => {
    await listen([{ input: { repo: WATCHED } }]);
    const body = new URLSearchParams({ payload: JSON.stringify(opened) }).toString();

    const answer = await post(body, {
      'content-type': 'application/x-www-form-urlencoded',
      'x-github-delivery': 'd',
      'x-github-event': 'issues',
      'x-hub-signature-256': `sha256=${signed(body)}`,
    });

    expect(answer).toEqual({ status: 202, body: { ok: true, wakes: true } });
  });

  it.each([
    ['no JSON', '{"a":', {}],
    ['no object', '7', {}],
    ['nothing', '', {}],
    ['no id', '{}', { 'x-github-delivery': '' }],
    ['an id with a path', '{}', { 'x-github-delivery': '../x' }],
    ['no event', '{}', { 'x-github-event': 'Issues; x' }],
  ])('that is signed and has %s is refused with 400', async (_name, body, headers) => {
    await listen();

    const answer = await post(body, {
      'x-github-delivery': 'd',
      'x-github-event': 'issues',
      'x-hub-signature-256': `sha256=${signed(body)}`,
      ...headers,
    });

    expect(answer).toMatchObject({ status: 400, body: { ok: false, code: 'WEBHOOK_INVALID' } });
  });

  it('with strange fields is taken for what it says of its repository alone', async () => {
    await listen([{ input: { repo: WATCHED } }]);
    const strange = [
      { action: { a: 1 }, repository: { full_name: WATCHED } },
      { action: 'x'.repeat(1_000), repository: { full_name: '../..' } },
      { repository: null, __proto__: null },
      JSON.parse('{"__proto__":{"repository":{"full_name":"a/b"}},"constructor":7}') as unknown,
    ];

    const answers = [];
    for (const [i, payload] of strange.entries()) answers.push(await deliver(`d${i}`, 'issues', payload));

    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202, 202]);
    expect(rows().map(({ payload }) => payload)).toEqual([{ repo: WATCHED, event: 'issues', action: null }]);
  });

  it('of more than 25 MB is refused with 413 by what it says of its length', async () => {
    await listen();
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const sent = request(`${url}${INBOUND_PATH}`, {
        method: 'POST',
        headers: { 'content-length': 25 * 1024 * 1024 + 1, 'x-gitea-signature': signed('') },
      });
      sent.on('response', (response) => {
        resolve(response.statusCode);
        sent.destroy();
      });
      sent.on('error', reject);
      sent.flushHeaders();
    });

    expect(status).toBe(413);
  });

  it('finds no route without a secret', async () => {
    await listen([], null);

    expect((await deliver('d', 'issues', opened)).status).toBe(404);
  });
});

describe('a job that wakes at deliveries', () => {
  it('runs within a second, for its own repository alone', async () => {
    await listen([{ input: { repo: WATCHED.toLowerCase() } }, { input: { repo: 'somebody/else' } }]);
    // A second as this process has it: what keeps it from its turn counts once.
    let tenths = 0;
    const ticking = setInterval(() => (tenths += 1), 100);
    undo.push(() => clearInterval(ticking));

    expect((await deliver('d', 'issues', opened)).body).toEqual({ ok: true, wakes: true });
    await vi.waitFor(() => expect(fired('j0')).toBe(1), { timeout: 30_000, interval: 10 });
    expect(tenths).toBeLessThan(10);

    const other = { ...opened, repository: { full_name: 'nobody/knows' } };
    expect((await deliver('e', 'issues', other)).body).toEqual({ ok: true, wakes: false });
    expect([fired('j0'), fired('j1')]).toEqual([1, 0]);
  });

  it('runs for the repository of the sprint that its input is taken from', async () => {
    await runtime.store.kv.put('caloron:active_sprint', { sprint_id: 's', repo: WATCHED });
    await listen([{ input_from: 'kv:caloron:active_sprint' }]);

    await deliver('d', 'push', opened);

    await vi.waitFor(() => expect(fired('j0')).toBe(1), { timeout: 30_000 });
  });

  it('runs again for a delivery that came while it ran, whatever of the log that run has read', async () => {
    let answers = 0;
    const held: (() => void)[] = [];
    const remote = createServer((_request, response) => {
      answers += 1;
      const body = JSON.stringify({ ok: true, data: { output: { consumed_seq: 1_000_000 } } });
      held.push(() => response.setHeader('content-type', 'application/json').end(body));
    });
    await new Promise<void>((resolve) => remote.listen(0, '127.0.0.1', resolve));
    undo.push(
      () => remote.closeAllConnections(),
      () => remote.close(),
    );
    const output = { kind: 'Record', value: { consumed_seq: { kind: 'Number' } } };
    const at = `http://127.0.0.1:${(remote.address() as AddressInfo).port}/`;
    const root = { op: 'RemoteStage', url: at, input: { kind: 'Any' }, output };
    await listen([{ input: { repo: WATCHED } }], SECRET, root);

    await deliver('first', 'issues', opened);
    await vi.waitFor(() => expect(answers).toBe(1), { timeout: 30_000 });
    await deliver('second', 'issues', opened);
    for (const answer of held.splice(0)) answer();
    await vi.waitFor(() => expect(answers).toBe(2), { timeout: 30_000 });
    for (const answer of held.splice(0)) answer();
    await vi.waitFor(() => expect(fired('j0')).toBe(2), { timeout: 30_000 });
  });

  it('makes at most two runs of a hundred deliveries at once', async () => {
    await listen([{ input: { repo: WATCHED } }]);
    const begun = performance.now();

    await Promise.all(Array.from({ length: 100 }, (_, i) => deliver(`d${i}`, 'issues', opened)));

    expect(rows()).toHaveLength(100);
    await vi.waitFor(() => expect(fired('j0')).toBeGreaterThan(0), { timeout: 30_000 });
    // A run that begins after the newest is for it, whichever of them its slot is named after.
    const since = rows().at(-1)!.at;
    await vi.waitFor(() => expect(runtime.store.runs.list({ since })).not.toHaveLength(0), {
      timeout: 30_000,
    });
    // One more for each two seconds that a slow machine took.
    expect(runtime.store.slots.list({ job: 'j0', limit: 100 }).length).toBeLessThanOrEqual(
      1 + Math.floor((performance.now() - begun) / 2_000),
    );
  });
});
