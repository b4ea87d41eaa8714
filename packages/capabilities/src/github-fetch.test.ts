import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { MAX_ANSWER_BYTES } from './github-fetch.ts';
import { openRepo } from './github.ts';
import { failure } from './testing/scripted-host.ts';

let server: Server;
let url: string;
let respond: (response: ServerResponse) => void;
/** Requests that came, and answers whose connection was closed before their end. */
let came: number;
let broken: number;

beforeEach(async () => {
  came = 0;
  broken = 0;
  server = createServer((_request, response) => {
    came += 1;
    response.on('close', () => (broken += response.writableFinished ? 0 : 1));
    respond(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
});
afterEach(() => {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(resolve));
});

const open = (more: object = {}) =>
  openRepo({ repo: 'acme/app', host: url, token: 'ghp_secret', read_retries: 2, ...more });
const JSON_TYPE = { 'content-type': 'application/json' };

describe('an answer that is too large', () => {
  it('by its announced length is not read, and not asked for again', async () => {
    respond = (response) => {
      response.writeHead(200, { ...JSON_TYPE, 'content-length': String(300 * 1024 * 1024) });
      response.write('[');
    };

    const error = await failure(open().info());

    expect(error).toMatchObject({
      code: 'FORGE_ANSWER_TOO_LARGE',
      retryable: false,
      message: `could not read the repository in acme/app on ${url}: the answer is longer than 32 MB and was not read`,
    });
    expect(came).toBe(1);
    await expect.poll(() => broken).toBe(1);
  });

  it('by what comes is given up there, though it never says how long it is', async () => {
    let sent = 0;
    respond = (response) => {
      response.writeHead(200, JSON_TYPE);
      const chunk = Buffer.alloc(1024 * 1024, 32);
      const more = (): void => {
        while (!response.destroyed && sent < 300) {
          sent += 1;
          if (!response.write(chunk)) return void response.once('drain', more);
        }
      };
      more();
    };

    expect(await failure(open().comment(1, 'hello'))).toMatchObject({ code: 'FORGE_ANSWER_TOO_LARGE' });
    expect(came).toBe(1);
    expect(sent).toBeLessThan(100);
  });

  it('only once it is unpacked is too large too', async () => {
    const packed = gzipSync(Buffer.alloc(MAX_ANSWER_BYTES + 1, 32));
    respond = (response) => {
      response.writeHead(200, { ...JSON_TYPE, 'content-encoding': 'gzip' });
      response.end(packed);
    };

    expect(packed.byteLength).toBeLessThan(100_000);
    expect(await failure(open().info())).toMatchObject({ code: 'FORGE_ANSWER_TOO_LARGE' });
  });

  it('is none that ends at the limit', async () => {
    const body = `{"login":"ada"${' '.repeat(MAX_ANSWER_BYTES - 15)}}`;
    respond = (response) => {
      response.writeHead(200, JSON_TYPE);
      response.end(body);
    };

    expect(Buffer.byteLength(body)).toBe(MAX_ANSWER_BYTES);
    expect(await open().whoami()).toBe('ada');
  });
});

describe('an answer that does not end', () => {
  it('5.4.16 is given up in the middle of its body', async () => {
    const late = new AbortController();
    const timeout = vi.spyOn(AbortSignal, 'timeout').mockReturnValue(late.signal);
    respond = (response) => {
      response.writeHead(200, { ...JSON_TYPE, 'content-length': '100' });
      response.write('{"full_name":', () => late.abort(new DOMException('it is over', 'TimeoutError')));
    };

    const error = await failure(open({ timeout_ms: 100, read_retries: 0 }).info());
    const asked = timeout.mock.calls.flat();
    timeout.mockRestore();

    expect(asked).toContain(100);
    expect(error).toMatchObject({
      code: 'FORGE_UNAVAILABLE',
      details: { answer: 'no answer in time' },
    });
    await expect.poll(() => broken).toBe(1);
  });

  it('5.5.2 is a fault when its connection breaks in the middle', async () => {
    respond = (response) => {
      response.writeHead(200, { ...JSON_TYPE, 'content-length': '100' });
      response.write('{"full_name":', () => response.destroy());
    };

    const error = await failure(open({ read_retries: 0 }).comment(1, 'hello'));

    expect(error).toMatchObject({ code: 'FORGE_UNAVAILABLE', retryable: true, details: { status: null } });
  });

  it('keeps a read no longer than its deadline, however often it is tried', async () => {
    respond = () => undefined;

    const error = await failure(open({ timeout_ms: 900, read_deadline_ms: 1_200 }).info());

    expect(error).toMatchObject({ code: 'FORGE_UNAVAILABLE', details: { answer: 'no answer in time' } });
    // The second try would begin a second after the end of the first, and is over before it is sent.
    expect(came).toBe(1);
  });

  it.each([204, 200])('5.5.2 an empty body of status %i is no error where none is needed', async (status) => {
    respond = (response) => {
      response.writeHead(status, { 'content-length': '0' });
      response.end();
    };

    await open().removeLabel(3, 'caloron:review');
    expect(came).toBe(1);
  });
});
