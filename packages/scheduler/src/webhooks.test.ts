import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { openStore, type Store } from '@caloron/store';
import { addMs, type Clock } from '@caloron/types';
import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { createAddressRule } from './webhook-address.ts';
import type { Attempt, WebhookDeps } from './webhook-queue.ts';
import { createWebhooks, firedAt, type Webhooks } from './webhooks.ts';

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const WAIT = { timeout: 30_000 };

interface Taken {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

interface Endpoint {
  readonly url: string;
  readonly port: number;
  readonly taken: Taken[];
  answer: (response: ServerResponse, request: Taken) => void;
}

let undo: (() => unknown)[] = [];
let store: Store;
let attempts: Attempt[];
let failures: unknown[];
/** Stands still unless it is moved. */
let clock: Clock & { at: string };

async function endpoint(): Promise<Endpoint> {
  const made: Omit<Endpoint, 'url' | 'port'> = {
    taken: [],
    answer: (response) => void response.writeHead(204).end(),
  };
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      const taken = { path: request.url ?? '', headers: request.headers, text };
      made.taken.push(taken);
      made.answer(response, taken);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  undo.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return Object.assign(made, { url: `http://127.0.0.1:${port}/hook?key=private`, port });
}

function webhooks(more: Partial<WebhookDeps> = {}): Webhooks {
  const made = createWebhooks({
    outbox: store.forRun({ run_id: `webhooks:${Math.random()}`, lease: null }).outbox,
    clock,
    variables: { HOOK_SECRET: SECRET },
    allow: ['127.0.0.1'],
    told: (attempt) => attempts.push(attempt),
    failed: (error) => failures.push(error),
    delays_ms: [5_000, 60_000],
    ...more,
  });
  undo.push(() => made.close(0));
  return made;
}

const telling = (slot = '2026-04-14T08:30:00Z', output: unknown = { a: 1 }) => ({
  scheduler_id: 'default',
  slot,
  run_id: 'run-1',
  payload: {
    job: 'j',
    composition_id: 'c',
    ok: true,
    output,
    duration_ms: 4,
    fired_at: '2026-04-14T08:30:00Z',
  },
});
const once = (url: string) => ({ url, secret_env: null, retries: null });
const again = (url: string, retries = 2) => ({ url, secret_env: 'HOOK_SECRET', retries });
const statuses = (): readonly string[] => store.outboxRows(null).map(({ status }) => status);

beforeEach(() => {
  const dir = mkdtempSync(join(tmpdir(), 'caloron-webhooks-'));
  const at = '2026-04-14T08:30:00.250Z';
  clock = { at, now: () => clock.at };
  store = openStore(join(dir, 'caloron.db'), { clock, uuid: () => 'db' });
  attempts = [];
  failures = [];
  undo = [() => rmSync(dir, { recursive: true, force: true }), () => store.close()];
});

afterEach(async () => {
  for (const step of undo.reverse()) await step();
  expect(failures).toEqual([]);
});

describe('a webhook that is an address', () => {
  it('is told of the run in one attempt, and nothing of the answer is acted on', async () => {
    const hook = await endpoint();
    hook.answer = (response) => void response.writeHead(500).end('no');
    await webhooks().tell(once(hook.url), telling());
    await vi.waitFor(() => expect(attempts).toHaveLength(1), WAIT);

    expect(hook.taken).toHaveLength(1);
    expect(JSON.parse(hook.taken[0]!.text)).toEqual(telling().payload);
    expect(hook.taken[0]!.headers).toMatchObject({ 'content-type': 'application/json' });
    expect(hook.taken[0]!.headers).not.toHaveProperty('webhook-signature');
    expect(attempts[0]).toMatchObject({
      job: 'j',
      run_id: 'run-1',
      composition_id: 'c',
      slot: '2026-04-14T08:30:00Z',
      host: `127.0.0.1:${hook.port}`,
      attempt: 1,
      result: 'sent',
      status: 500,
      error: null,
    });
    expect(statuses()).toEqual([]);
  });

  it('is given up after its time when the endpoint hangs, and nobody waits for it', async () => {
    const hook = await endpoint();
    hook.answer = () => undefined;
    const late = new AbortController();
    const timeout = vi.spyOn(AbortSignal, 'timeout').mockReturnValue(late.signal);
    undo.push(() => timeout.mockRestore());
    const made = webhooks({ timeout_ms: 150 });
    await made.tell(once(hook.url), telling());
    await vi.waitFor(() => expect(hook.taken).toHaveLength(1), WAIT);
    expect([attempts, timeout.mock.calls]).toEqual([[], [[150]]]);
    late.abort(new DOMException('its time is over', 'TimeoutError'));

    await vi.waitFor(() => expect(attempts[0]?.error?.code).toBe('WEBHOOK_TIMEOUT'), WAIT);
    expect(hook.taken).toHaveLength(1);
    expect(JSON.stringify(attempts)).not.toContain('private');
  });

  it('takes an answer whose body never ends', async () => {
    const hook = await endpoint();
    hook.answer = (response) => {
      response.writeHead(200);
      const more = setInterval(() => response.write('x'.repeat(50_000)), 5);
      response.on('close', () => clearInterval(more));
      undo.push(() => clearInterval(more));
    };
    await webhooks().tell(once(hook.url), telling());
    await vi.waitFor(() => expect(attempts[0]).toMatchObject({ result: 'sent', status: 200 }), WAIT);
  });

  it('is not sent to an address that is not of the internet, unless it is allowed', async () => {
    const hook = await endpoint();
    const made = webhooks({ allow: [] });
    await made.tell(once(hook.url), telling());
    await made.tell(once(hook.url.replace('127.0.0.1', '2130706433')), telling());
    await vi.waitFor(() => expect(attempts).toHaveLength(2), WAIT);

    for (const { error } of attempts) {
      expect(error?.code).toBe('WEBHOOK_ADDRESS_REFUSED');
      expect(error?.hint).toContain('CALORON_WEBHOOK_ALLOW');
    }
    expect(hook.taken).toEqual([]);
  });

  it('goes to the address that was checked, though the name has another one the next time', async () => {
    const hook = await endpoint();
    const answers = ['127.0.0.1', '127.0.0.2', '127.0.0.2'];
    const rule = createAddressRule(['127.0.0.1'], (_host, done) =>
      done(null, [{ address: answers.shift() ?? '127.0.0.2', family: 4 }]),
    );
    const made = webhooks({ rule });
    const url = hook.url.replace('127.0.0.1', 'rebinding.example.com');
    await made.tell(once(url), telling());
    await vi.waitFor(() => expect(attempts[0]?.result).toBe('sent'), WAIT);
    expect(hook.taken).toHaveLength(1);
    expect(answers).toHaveLength(2);

    await made.tell(once(url), telling());
    await vi.waitFor(() => expect(attempts[1]?.error?.code).toBe('WEBHOOK_ADDRESS_REFUSED'), WAIT);
  });

  it('follows a redirect that repeats the request within its host, and none to another host', async () => {
    const hook = await endpoint();
    const other = await endpoint();
    const made = webhooks();
    const redirect =
      (status: number, location: string) =>
      (response: ServerResponse, { path }: Taken) =>
        void (path === '/there'
          ? response.writeHead(200).end()
          : response.writeHead(status, { location }).end());
    const cases = [
      { status: 307, location: '/there', ends: 200, asked: 2 },
      { status: 308, location: '/there', ends: 200, asked: 2 },
      { status: 302, location: '/there', ends: 302, asked: 1 },
      { status: 307, location: other.url, ends: 307, asked: 1 },
      { status: 307, location: `http://localhost:${hook.port}/there`, ends: 307, asked: 1 },
      { status: 307, location: '/on-and-on', ends: 307, asked: 4 },
    ];
    for (const [n, { status, location, ends, asked }] of cases.entries()) {
      hook.taken.length = 0;
      hook.answer = redirect(status, location);
      await made.tell(once(hook.url), telling());
      await vi.waitFor(() => expect(attempts[n]).toMatchObject({ status: ends }), WAIT);
      expect(hook.taken).toHaveLength(asked);
    }
    expect(other.taken).toEqual([]);
  });

  it('takes no place of other hosts when its own hangs, and is given up where too many wait', async () => {
    const hanging = await endpoint();
    hanging.answer = () => undefined;
    const hook = await endpoint();
    const made = webhooks();
    for (let n = 0; n < 1_017; n += 1) await made.tell(once(hanging.url), telling());
    await made.tell(once(hook.url), telling());

    await vi.waitFor(() => expect(hook.taken).toHaveLength(1), WAIT);
    await vi.waitFor(() => expect(hanging.taken).toHaveLength(16), WAIT);
    expect(attempts.filter(({ error }) => error?.code === 'WEBHOOK_CROWDED')).toHaveLength(1);
  });
});

describe('a webhook with retries', () => {
  it('is signed as Standard Webhooks says, with one id over all attempts', async () => {
    const hook = await endpoint();
    hook.answer = (response) => void response.writeHead(hook.taken.length === 1 ? 503 : 200).end();
    await webhooks().tell(again(hook.url), telling());
    await vi.waitFor(() => expect(statuses()).toEqual(['failed']), WAIT);
    clock.at = addMs(clock.at, 5_000);
    await vi.waitFor(() => expect(statuses()).toEqual(['done']), WAIT);

    const headers = hook.taken.map((taken) => taken.headers as Record<string, string>);
    expect(headers.map((one) => one['webhook-id'])).toEqual([
      headers[0]!['webhook-id'],
      headers[0]!['webhook-id'],
    ]);
    expect(headers.map((one) => Number(one['webhook-timestamp']) * 1000)).toEqual([
      Date.parse('2026-04-14T08:30:00Z'),
      Date.parse('2026-04-14T08:30:05Z'),
    ]);
    for (const { text, headers: own } of hook.taken) {
      const signed = `${String(own['webhook-id'])}.${String(own['webhook-timestamp'])}.${text}`;
      const mac = createHmac('sha256', Buffer.alloc(32, 7)).update(signed).digest('base64');
      expect(own['webhook-signature']).toBe(`v1,${mac}`);
      expect(JSON.parse(text)).toEqual(telling().payload);
    }
    expect(attempts.map(({ attempt, result, status }) => [attempt, result, status])).toEqual([
      [1, 'retried', 503],
      [2, 'sent', 200],
    ]);
    expect(JSON.stringify([attempts, store.outboxRows(null).map(({ error }) => error)])).not.toMatch(
      /private|whsec_/,
    );
  });

  it('holds for a receiver that verifies with the public library, also while the secret is changed', async () => {
    const hook = await endpoint();
    const next = `whsec_${Buffer.alloc(24, 9).toString('base64')}`;
    const now = addMs(new Date().toISOString(), 0);
    clock.at = now;
    await webhooks({ variables: { HOOK_SECRET: `${SECRET} ${next}` } }).tell(again(hook.url), telling());
    await vi.waitFor(() => expect(statuses()).toEqual(['done']), WAIT);

    const { text, headers } = hook.taken[0]!;
    for (const secret of [SECRET, next])
      expect(new Webhook(secret).verify(text, headers as Record<string, string>)).toEqual(telling().payload);
    expect(() => new Webhook(SECRET).verify(`${text} `, headers as Record<string, string>)).toThrow(
      /No matching/,
    );
  });

  it('is tried as often as it says and then left, and for ever left at 410', async () => {
    const hook = await endpoint();
    hook.answer = (response) => void response.writeHead(500).end();
    const made = webhooks();
    await made.tell(again(hook.url, 1), telling('a'));
    await vi.waitFor(() => expect(statuses()).toEqual(['failed']), WAIT);
    clock.at = addMs(clock.at, 4_999);
    await made.tell(again(hook.url, 0), telling('b'));
    await vi.waitFor(() => expect(statuses()).toEqual(['failed', 'dead']), WAIT);
    expect(hook.taken).toHaveLength(2);
    clock.at = addMs(clock.at, 1);
    await vi.waitFor(() => expect(statuses()).toEqual(['dead', 'dead']), WAIT);

    hook.answer = (response) => void response.writeHead(410).end();
    await made.tell(again(hook.url, 9), telling('c'));
    await vi.waitFor(() => expect(statuses()).toEqual(['dead', 'dead', 'dead']), WAIT);
    expect(hook.taken).toHaveLength(4);
    expect(store.outboxRows(null)[2]?.error?.code).toBe('WEBHOOK_NOT_TAKEN');
  });

  it('waits as long as Retry-After says', async () => {
    const hook = await endpoint();
    hook.answer = (response) => void response.writeHead(429, { 'retry-after': '120' }).end();
    await webhooks().tell(again(hook.url), telling());
    await vi.waitFor(() => expect(statuses()).toEqual(['failed']), WAIT);
    expect(store.outboxRows(null)[0]?.next_at).toBe(addMs(clock.at, 120_000));
  });

  it('tells the same fire once, and fires of schedulers whose names run together apart', async () => {
    const hook = await endpoint();
    const made = webhooks();
    for (const scheduler_id of ['default', 'default', 'other'])
      await made.tell(again(hook.url), { ...telling(), scheduler_id });
    await vi.waitFor(() => expect(statuses()).toEqual(['done', 'done']), WAIT);
    const { payload } = telling();
    await made.tell(again(hook.url), {
      ...telling(),
      scheduler_id: 'a:b',
      payload: { ...payload, job: 'c' },
    });
    await made.tell(again(hook.url), {
      ...telling(),
      scheduler_id: 'a',
      payload: { ...payload, job: 'b:c' },
    });
    await vi.waitFor(() => expect(statuses()).toEqual(['done', 'done', 'done', 'done']), WAIT);
  });

  it('is sent by the next process when its own ended between, also in the middle of an attempt', async () => {
    const hook = await endpoint();
    hook.answer = () => undefined;
    const ended = webhooks();
    await ended.tell(again(hook.url, 0), telling());
    await vi.waitFor(() => expect(hook.taken).toHaveLength(1), WAIT);
    await ended.close(0);
    // Cut off by a stop, it was no attempt.
    expect(store.outboxRows(null)[0]).toMatchObject({ status: 'failed', attempts: 0 });

    hook.answer = (response) => void response.writeHead(200).end();
    webhooks();
    await vi.waitFor(() => expect(statuses()).toEqual(['done']), WAIT);
    expect(new Set(hook.taken.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  });

  it('has the time of a stop to be delivered', async () => {
    const hook = await endpoint();
    hook.answer = (response) => void setTimeout(() => response.writeHead(200).end(), 100);
    const made = webhooks();
    await made.tell(again(hook.url), telling());
    await made.close(10_000);
    expect(statuses()).toEqual(['done']);
  });

  it('is taken up a minute after a process died in the middle of an attempt', async () => {
    const hook = await endpoint();
    const dead = store.forRun({ run_id: 'dead', lease: null }).outbox;
    const made = webhooks();
    hook.answer = (response) => void response.writeHead(500).end();
    await made.tell(again(hook.url), telling());
    await vi.waitFor(() => expect(statuses()).toEqual(['failed']), WAIT);
    await made.close(0);
    clock.at = addMs(clock.at, 5_000);
    expect(await dead.start(store.outboxRows(null)[0]!.action_id)).toBe(true);

    hook.answer = (response) => void response.writeHead(200).end();
    await webhooks().tell(again(hook.url), telling('another'));
    await vi.waitFor(() => expect(statuses()).toEqual(['running', 'done']), WAIT);
    clock.at = addMs(clock.at, 60_000);
    await vi.waitFor(() => expect(statuses()).toEqual(['done', 'done']), WAIT);
  });

  it('waits its turn where many go to one host, eight at once', async () => {
    const hook = await endpoint();
    let [open, most] = [0, 0];
    // The first are held until as many are open as may be.
    const held: (() => void)[] = [];
    let full = false;
    hook.answer = (response) => {
      open += 1;
      most = Math.max(most, open);
      const answer = (): void => {
        open -= 1;
        response.writeHead(200).end();
      };
      if (full) setTimeout(answer, 5);
      else held.push(answer);
    };
    const made = webhooks();
    const told = Array.from({ length: 60 }, (_, n) => made.tell(again(hook.url), telling(String(n))));
    await vi.waitFor(() => expect(held).toHaveLength(8), WAIT);
    full = true;
    for (const answer of held) answer();
    await Promise.all(told);
    await vi.waitFor(() => expect(statuses().filter((status) => status === 'done')).toHaveLength(60), WAIT);
    expect(hook.taken).toHaveLength(60);
    expect(most).toBe(8);
  });

  it('is sent once by two queues on one database', async () => {
    const hook = await endpoint();
    const both = [webhooks(), webhooks()];
    for (let n = 0; n < 20; n += 1) await both[n % 2]!.tell(again(hook.url), telling(String(n)));
    await vi.waitFor(() => expect(statuses().filter((status) => status === 'done')).toHaveLength(20), WAIT);
    expect(new Set(hook.taken.map(({ headers }) => headers['webhook-id'])).size).toBe(20);
    expect(hook.taken).toHaveLength(20);
  });

  it.each([
    [undefined, 'it is not set'],
    ['short', 'expected whsec_ and base64'],
    [`whsec_${Buffer.alloc(8).toString('base64')}`, 'expected a key of 24 to 64 bytes, got 8'],
  ])('is not sent unsigned with the secret %s, and waits for a better one', async (HOOK_SECRET, reason) => {
    const hook = await endpoint();
    await webhooks({ variables: { HOOK_SECRET } }).tell(again(hook.url), telling());
    await vi.waitFor(() => expect(statuses()).toEqual(['failed']), WAIT);

    expect(attempts[0]?.error).toMatchObject({ code: 'WEBHOOK_SECRET_INVALID' });
    expect(attempts[0]?.error?.message).toContain(`HOOK_SECRET holds no secret of a webhook: ${reason}`);
    expect(hook.taken).toEqual([]);
  });
});

describe('when a fire was due', () => {
  it('is its slot, and its beginning where something else than cron fired it', () => {
    expect(firedAt('2026-04-14T08:29:00Z', clock)).toBe('2026-04-14T08:29:00Z');
    for (const slot of ['event:7', 'again:r', 'due:r', 'resume:r', 'manual:r'])
      expect(firedAt(slot, clock)).toBe('2026-04-14T08:30:00Z');
  });
});
