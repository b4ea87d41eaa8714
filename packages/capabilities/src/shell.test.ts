import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { createShells, type ShellsDeps } from './shell.ts';

const TOKEN = 'shell-secret-4711';
const SHA = 'a'.repeat(40);
const SPAWN = { sprint_id: 's1', task_id: 't1', agent_id: 'a1', repo: 'acme/app' };
const SPAWNED = {
  ok: true,
  pid: 12,
  process_id: 'p1',
  worktree: '/w',
  branch: 'caloron/s1/t1',
  base_sha: SHA,
  existing: false,
};
const HEALTH = { ok: true, db_id: 'db-1', version: '0.1.0' };

type Answer = { readonly status?: number; readonly body: unknown; readonly hang?: boolean };

let server: Server;
let url = '';
let requests: { path: string; headers: IncomingMessage['headers']; body: string }[] = [];
let table: Record<string, Answer> = {};

beforeEach(async () => {
  requests = [];
  table = { '/health': { body: HEALTH }, '/spawn': { body: SPAWNED }, '/status': { body: { agents: [] } } };
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      requests.push({ path: request.url ?? '', headers: request.headers, body });
      const answer = table[request.url ?? ''] ?? {
        status: 404,
        body: { ok: false, code: 'NOT_FOUND', error: 'no' },
      };
      if (answer.hang === true) return;
      response.writeHead(answer.status ?? 200, { 'content-type': 'application/json' });
      response.end(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(
  () =>
    new Promise<void>((resolve) => {
      server.closeAllConnections();
      server.close(() => resolve());
    }),
);

function open(more: Partial<ShellsDeps> = {}) {
  return createShells({ url, token: () => TOKEN, db_id: 'db-1', ...more }).open(null);
}

describe('the shell client', () => {
  it('5.5.3 asks for the database once, then sends the token with each call', async () => {
    const shell = open();

    expect(await shell.spawn(SPAWN)).toEqual(SPAWNED);
    await shell.status();

    expect(requests.map(({ path, headers }) => [path, headers['x-caloron-token']])).toEqual([
      ['/health', undefined],
      ['/spawn', TOKEN],
      ['/status', TOKEN],
    ]);
    expect(JSON.parse(requests[1]?.body ?? '')).toEqual(SPAWN);
  });

  it('refuses a shell on another database before it sends anything', async () => {
    const shell = open({ db_id: 'db-2' });

    await expect(shell.spawn(SPAWN)).rejects.toMatchObject({
      code: 'SHELL_OTHER_DATABASE',
      retryable: false,
      details: { expected: 'db-2', actual: 'db-1' },
    });
    expect(requests.map(({ path }) => path)).toEqual(['/health']);
  });

  it('asks for the database again after it could not', async () => {
    const shell = open();
    table['/health'] = { status: 503, body: { ok: false, code: 'STARTING', error: 'wait' } };
    await expect(shell.status()).rejects.toMatchObject({ code: 'SHELL_REFUSED' });
    table['/health'] = { body: HEALTH };

    expect(await shell.status()).toEqual({ agents: [] });
  });

  it('asks for no database where none is expected', async () => {
    await open({ db_id: null }).status();

    expect(requests.map(({ path }) => path)).toEqual(['/status']);
  });

  it.each([
    [400, false],
    [401, false],
    [404, false],
    [409, true],
    [429, true],
    [500, true],
    [503, true],
  ])('hands on a refusal of status %i, retryable %s', async (status, retryable) => {
    table['/spawn'] = { status, body: { ok: false, code: 'AGENT_BUSY', error: 'a1 works on t0' } };

    await expect(open().spawn(SPAWN)).rejects.toMatchObject({
      code: 'SHELL_REFUSED',
      retryable,
      details: { status, code: 'AGENT_BUSY', error: 'a1 works on t0' },
    });
  });

  it('names the status of a refusal that is no JSON', async () => {
    table['/spawn'] = { status: 502, body: '<html>' };

    await expect(open().spawn(SPAWN)).rejects.toMatchObject({ details: { code: 'HTTP_502' } });
  });

  it.each([['<html>'], [{ ok: true }]])('refuses the answer %j', async (body) => {
    table['/spawn'] = { body };

    await expect(open().spawn(SPAWN)).rejects.toMatchObject({
      code: 'SHELL_ANSWER_INVALID',
      retryable: false,
    });
  });

  it('is told that nobody listens, and may try again', async () => {
    await new Promise((resolve) => server.close(resolve));

    await expect(open({ db_id: null }).status()).rejects.toMatchObject({
      code: 'SHELL_UNREACHABLE',
      retryable: true,
      details: { reason: 'ECONNREFUSED' },
    });
  });

  it('gives up a silent shell', async () => {
    table['/status'] = { body: '', hang: true };

    await expect(open({ timeout_ms: 100 }).status()).rejects.toMatchObject({
      code: 'SHELL_UNREACHABLE',
      retryable: true,
    });
  });

  it('does not follow a redirect with its token', async () => {
    table['/status'] = { status: 302, body: '' };

    await expect(open().status()).rejects.toMatchObject({ code: 'SHELL_REFUSED', details: { status: 302 } });
  });
});

describe('opening', () => {
  it.each(['http://203.0.113.9:7710', 'ftp://127.0.0.1', 'nonsense', 'http://u:p@127.0.0.1:7710'])(
    'sends no token to %s',
    (shell_url) => {
      const shells = createShells({ url, token: () => TOKEN, db_id: null });

      expect(() => shells.open(shell_url)).toThrow(
        expect.objectContaining({ code: 'SHELL_URL_INVALID' }) as Error,
      );
    },
  );

  it('gives one client for one address', () => {
    const shells = createShells({ url, token: () => TOKEN, db_id: null });

    expect(shells.open(null)).toBe(shells.open(`${url}/`));
  });
});
