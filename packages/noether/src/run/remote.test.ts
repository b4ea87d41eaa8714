import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { Json } from '../ports.ts';
import { runnerOf, sink } from '../testing/running.ts';

const run = runnerOf([]);

interface Received {
  readonly body: string;
  readonly headers: IncomingHttpHeaders;
}

let server: Server;
let url: string;
let received: Received[];
let answer: (response: ServerResponse) => void;

beforeEach(async () => {
  received = [];
  server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (part: string) => (body += part));
    request.on('end', () => {
      received.push({ body, headers: request.headers });
      answer(response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/stage`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function remote(more: object = {}): Json {
  return { op: 'RemoteStage', url, input: { kind: 'Any' }, output: { kind: 'Number' }, ...more };
}

function replying(body: unknown, status = 200, headers: Readonly<Record<string, string>> = {}) {
  return (response: ServerResponse): void =>
    void response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body));
}

describe('a remote stage', () => {
  it('gets the input and gives the output, once in the trace', async () => {
    answer = replying({ ok: true, data: { output: 5 } });
    const trace = sink();

    expect(await run(remote(), { a: 1 }, { trace })).toMatchObject({ ok: true, output: 5 });
    expect(received).toMatchObject([
      { body: '{"input":{"a":1}}', headers: { 'content-type': 'application/json' } },
    ]);
    expect(received[0]?.headers.authorization).toBeUndefined();
    expect(trace.steps).toMatchObject([{ path: 'root', stage_name: url, status: 'ok', attempt: 1 }]);
  });

  it.each([
    [{ ok: false, error: 'no such stage' }, 200, 'no such stage'],
    [{ ok: false, error: { code: 'X', message: 'told in an object' } }, 500, 'told in an object'],
    [{ ok: false }, 500, 'status 500 without an error text'],
    [{ ok: true, data: {} }, 200, 'response missing data.output field'],
    [{ ok: true, data: { output: 'five' } }, 200, 'output is the string "five", expected Number'],
    ['<html>', 502, 'status 502, and the answer is not a JSON object'],
  ])('fails with the reason of %j', async (body, status, reason) => {
    answer = replying(body, status);
    expect(await run(remote(), null)).toMatchObject({
      status: 'failed',
      error: {
        code: 'STAGE_REMOTE_FAILED',
        path: 'root',
        message: `root: remote call to ${url} failed: ${reason}`,
      },
    });
  });

  it('shows its credential to nobody but the peer', async () => {
    const secret = 'secret-of-the-peer';
    answer = replying({ ok: false, error: `who is ${secret}?` });
    const trace = sink();
    const result = await run(remote({ auth: 'peer', url: `${url}?key=${secret}` }), secret, {
      credentials: (alias) => (alias === 'peer' ? secret : null),
      secrets: [secret],
      trace,
      trace_values: true,
    });

    expect(received[0]?.headers.authorization).toBe(`Bearer ${secret}`);
    expect(result).toMatchObject({ error: { message: expect.stringContaining('who is ***?') as string } });
    expect(JSON.stringify([result, trace])).not.toContain(secret);
  });

  it('gets no input of another type, where the checker could not know it', async () => {
    answer = replying({ ok: true, data: { output: 1 } });
    const root = {
      op: 'Sequential',
      stages: [{ op: 'Stage', id: 'act' }, remote({ input: { kind: 'Number' } })],
    };
    expect(await run(root, 'text')).toMatchObject({
      error: { code: 'STAGE_INPUT_INVALID', path: 'root.stages[1]' },
    });
    expect(received).toEqual([]);
    expect(await run(root, 1)).toMatchObject({ ok: true });
  });

  it('without its credential is not called', async () => {
    answer = replying({});
    const retried = { op: 'Retry', stage: remote({ auth: 'peer' }), max_attempts: 3, delay_ms: 60_000 };
    expect(await run(retried, null)).toMatchObject({
      error: { code: 'STAGE_CREDENTIAL_MISSING', path: 'root.stage' },
    });
    expect(received).toEqual([]);
  });

  it('that answers with another address gets no second request', async () => {
    answer = replying('', 307, { location: '/elsewhere' });
    expect(await run(remote(), null)).toMatchObject({
      error: { message: expect.stringContaining('status 307') as string },
    });
    expect(received).toHaveLength(1);
  });

  it.each([
    ['the deadline of the node', { timeout_ms: 30 }, {}, 'STAGE_REMOTE_FAILED'],
    ['the deadline of the run', {}, { timeout_ms: 30 }, 'GRAPH_RUN_ABORTED'],
  ] as const)('is hung up on at %s', async (_what, node, options, code) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const closed = vi.fn();
    const came = new Promise<void>((resolve) => {
      answer = (response) => {
        response.on('close', closed);
        resolve();
      };
    });
    const running = run(remote(node), null, options);
    await came;
    vi.advanceTimersByTime(30);
    vi.useRealTimers();

    expect(await running).toMatchObject({ error: { code } });
    await vi.waitFor(() => expect(closed).toHaveBeenCalledTimes(1), { timeout: 30_000 });
  });

  it('is called again after a failure that may pass, each time in the trace', async () => {
    answer = (response) =>
      received.length < 3
        ? response.destroy()
        : replying({ ok: true, data: { output: received.length } })(response);
    const trace = sink();
    const root = { op: 'Retry', stage: remote(), max_attempts: 5, retry_on: 'retryable' };

    expect(await run(root, null, { trace })).toMatchObject({ ok: true, output: 3 });
    expect(trace.steps.map(({ attempt, status }) => [attempt, status])).toEqual([
      [1, 'failed'],
      [2, 'failed'],
      [3, 'ok'],
    ]);
  });

  it('whose address answers nobody is told with the reason', async () => {
    await new Promise((resolve) => server.close(resolve));
    expect(await run(remote(), null)).toMatchObject({
      error: { message: expect.stringContaining('ECONNREFUSED') as string },
    });
  });

  it('of a host the policy does not name is refused before the run', async () => {
    answer = replying({ ok: true, data: { output: 5 } });
    const options = { policy: { hosts: ['peer.example'] } };
    expect(await run(remote(), null, options)).toMatchObject({
      status: 'refused',
      error: { code: 'GRAPH_POLICY_REFUSED' },
    });
    expect(received).toEqual([]);
  });

  it('shows neither its credential nor what its address carries, whatever it is answered', async () => {
    const credentials = (): string => 'tok-5ecret-value';
    answer = (response) =>
      replying({ ok: false, error: `no: ${received.at(-1)?.headers.authorization} ${'x'.repeat(1e5)}` })(
        response,
      );
    const address = (text: string): Json => remote({ url: text, auth: 'PEER' });
    const host = new URL(url).host;
    for (const given of [
      address(url),
      address(`${url}/tok-5ecret-value?token=tok-5ecret-value`),
      address(`http://user:tok-5ecret-value@${host}/`),
      address('http://[tok-5ecret-value'),
      address('file:///tok-5ecret-value'),
    ]) {
      const trace = sink();
      const result = await run(given, null, { trace, credentials });

      expect(result).toMatchObject({ status: 'failed', error: { code: 'STAGE_REMOTE_FAILED' } });
      const told = JSON.stringify([result, trace]);
      expect(told).not.toContain('5ecret');
      expect(told.length).toBeLessThan(20_000);
      expect(JSON.stringify(await run(remote({ auth: 'PEER' }), null, { credentials }))).not.toContain(
        '5ecret',
      );
    }
  });

  it('with a credential no header carries is not called, and shows nothing of it', async () => {
    const result = await run(remote({ auth: 'PEER' }), null, { credentials: () => 'tok\r\nx: 5ecret' });

    expect(result).toMatchObject({ status: 'failed', error: { code: 'STAGE_REMOTE_FAILED' } });
    expect(JSON.stringify(result)).not.toContain('5ecret');
    expect(received).toEqual([]);
  });
});
