import { access, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

import type { CredentialRequest, Report } from '@caloron/types';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { type Bench, createBench } from '../test/bench.ts';
import { type FakeShell, startShell } from '../test/fake-shell.ts';
import { runHarness } from './harness.ts';
import { createAgentShell } from './shell-client.ts';

let bench: Bench;
let next: FakeShell | undefined;
const strangers: Server[] = [];
beforeEach(async () => {
  next = undefined;
  bench = await createBench();
});
afterEach(async () => {
  await next?.close();
  strangers.splice(0).forEach(end);
  await bench.close();
});

const WAIT = { timeout: 30_000, interval: 20 };
const TOKEN = 'agent-token-of-p1';
const ask: CredentialRequest = { purpose: 'push' };

describe('an agent whose shell comes back at another port', () => {
  it('beats, asks for its credential, delivers and reports there', async () => {
    const file = join(bench.root, 'shell.json');
    const go = join(bench.root, 'go');
    const steps = [
      { write: 'one.txt', content: 'one' },
      { commit: 'Add one' },
      { run: ['sh', '-c', `until test -e ${go}; do sleep 0.02; done; touch ${go}.seen`] },
    ];
    await bench.script('t1', { v: 1, attempts: [{ steps }] });
    const ended = runHarness(bench.order({ shell_file: file, heartbeat_ms: 50 }), bench.deps());
    await vi.waitFor(() => expect(bench.shell.beats.length).toBeGreaterThan(1), WAIT);

    // Its program ends just while nobody is there to be told, or to give it a token.
    await bench.shell.close();
    await writeFile(go, '');
    await vi.waitFor(() => access(`${go}.seen`), WAIT);
    next = await startShell();
    await writeFile(file, JSON.stringify({ v: 1, url: next.url }));

    expect(await ended).toBe(0);
    expect(await bench.remote('caloron/s1/t1')).not.toBeNull();
    expect(next.credentials).toContain('push');
    expect(next.beats.length).toBeGreaterThan(0);
    expect(next.reports).toMatchObject([{ outcome: 'completed' }]);
  });

  it('is told only to the host it was given', async () => {
    next = await startShell();
    const file = join(bench.root, 'shell.json');
    const { port } = new URL(next.url);
    const shell = createAgentShell({ url: bench.shell.url, file }, TOKEN);

    for (const url of [`http://localhost:${port}`, `https://127.0.0.1:${port}`, 'none', 7]) {
      await writeFile(file, JSON.stringify({ v: 1, url }));
      await shell.credential(ask);
    }
    expect([bench.shell.credentials.length, next.credentials.length]).toEqual([4, 0]);

    await writeFile(file, JSON.stringify({ v: 1, url: `${next.url}/elsewhere?x` }));
    await shell.credential(ask);
    expect([bench.shell.credentials.length, next.credentials.length]).toEqual([4, 1]);
  });
});

/** Another program at a port. */
async function stranger(answer: RequestListener, port = 0): Promise<number> {
  const server = createServer(answer);
  strangers.push(server);
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

function end(server: Server): void {
  server.closeAllConnections();
  server.close();
}

const json =
  (status: number, body: unknown): RequestListener =>
  (_request, response) =>
    void response.writeHead(status).end(JSON.stringify(body));

const STRANGERS: readonly (readonly [string, RequestListener])[] = [
  ['another home’s shell', json(401, { ok: false, code: 'TOKEN_INVALID', error: 'no' })],
  ['a service without such a route', json(404, { ok: false, code: 'ROUTE_UNKNOWN', error: 'no' })],
  ['404 and HTML', (_request, response) => void response.writeHead(404).end('<html>not found</html>')],
  ['403 and JSON of its own', json(403, { message: 'forbidden' })],
  ['200 and HTML', (_request, response) => void response.end('<html>welcome</html>')],
  ['200 and JSON of its own', json(200, {})],
  ['200 and null', json(200, null)],
  ['a way elsewhere', (_request, response) => void response.writeHead(307, { location: '/' }).end()],
  [
    'an end in the middle',
    (request) => void request.socket.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{'),
  ],
  ['silence', () => undefined],
  ['a beginning and silence', (_request, response) => void response.write('{')],
  ['more than a shell ever says', (_request, response) => void response.end('['.repeat(3_000_000))],
];

describe('an agent at whose shell’s port a stranger listens', () => {
  it.each(STRANGERS)('takes %s for no answer, and for no receipt of its report', async (_what, answer) => {
    const url = `http://127.0.0.1:${await stranger(answer)}`;
    const shell = createAgentShell({ url }, TOKEN, 300);
    const missing = { code: 'HARNESS_SHELL_UNREACHABLE', retryable: true };

    await expect(shell.credential(ask)).rejects.toMatchObject(missing);
    await expect(shell.report({} as Report)).rejects.toMatchObject(missing);
  });

  it('goes on looking for its shell, and delivers and reports there', async () => {
    const file = join(bench.root, 'shell.json');
    const go = join(bench.root, 'go');
    const wait = { run: ['sh', '-c', `until test -e ${go}; do sleep 0.02; done; touch ${go}.seen`] };
    const steps = [{ write: 'one.txt', content: 'one' }, { commit: 'Add one' }, wait];
    await bench.script('t1', { v: 1, attempts: [{ steps }] });
    const ended = runHarness(bench.order({ shell_file: file, heartbeat_ms: 50 }), bench.deps());
    await vi.waitFor(() => expect(bench.shell.beats.length).toBeGreaterThan(1), WAIT);

    await bench.shell.close();
    const quick = STRANGERS.filter(([what]) => !what.includes('silence'));
    const asked = new Set<string | undefined>();
    let at = 0;
    await stranger(
      (request, response) => {
        asked.add(request.url);
        quick[at++ % quick.length]?.[1](request, response);
      },
      Number(new URL(bench.shell.url).port),
    );
    await vi.waitFor(() => expect(asked).toContain('/heartbeat'), WAIT);
    await writeFile(go, '');
    await vi.waitFor(() => access(`${go}.seen`), WAIT);
    asked.clear();
    await vi.waitFor(() => expect(asked).toContain('/heartbeat'), WAIT);
    next = await startShell();
    await writeFile(file, JSON.stringify({ v: 1, url: next.url }));

    expect(await ended).toBe(0);
    expect(next.reports).toMatchObject([{ outcome: 'completed' }]);
    await vi.waitFor(() => expect(next?.beats.length).toBeGreaterThan(0), WAIT);
  });
});
