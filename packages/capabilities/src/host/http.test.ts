import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';

import type { HttpRequest } from '@caloron/types';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { createHttp } from './http.ts';

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;

const servers: Server[] = [];

/** A server that answers with what the handler writes; gives its host. */
async function serve(handler: Handler): Promise<string> {
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => handler(request, response, body));
  }).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const echo: Handler = (request, response, body) => {
  response.setHeader('x-twice', ['1', '2']);
  response.end(JSON.stringify({ method: request.method, headers: request.headers, body, url: request.url }));
};

let host: string;
beforeEach(async () => {
  host = await serve(echo);
});
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

const http = createHttp({ hosts: null });
const ask = (more: Partial<HttpRequest> = {}): HttpRequest => ({
  method: 'GET',
  url: `http://${host}/`,
  headers: {},
  body: null,
  timeout_ms: 5000,
  max_bytes: 1000,
  ...more,
});

describe('an exchange', () => {
  it.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const)('sends %s', async (method) => {
    const body = method === 'GET' ? null : 'text';

    const answer = await http.send(ask({ method, body, headers: { 'X-One': '1' } }));

    expect(answer).toMatchObject({ status: 200, headers: { 'x-twice': '1, 2' } });
    expect(JSON.parse(answer.body)).toMatchObject({ method, body: body ?? '', headers: { 'x-one': '1' } });
  });

  it('sends HEAD and gets no body', async () => {
    expect(await http.send(ask({ method: 'HEAD' }))).toMatchObject({ status: 200, body: '' });
  });

  it('takes any status as an answer', async () => {
    host = await serve((_request, response) => response.writeHead(503).end('later'));

    expect(await http.send(ask())).toMatchObject({ status: 503, body: 'later' });
  });

  it('reads the charset the answer names, and UTF-8 where it names none that is known', async () => {
    const bytes = Buffer.from('gr\u00fcn', 'latin1');
    host = await serve((request, response) => {
      const type =
        request.url === '/named' ? 'text/plain; charset=ISO-8859-1' : 'text/plain; charset=no-such';
      response.setHeader('content-type', type);
      response.end(request.url === '/named' ? bytes : 'grün');
    });

    expect(await http.send(ask({ url: `http://${host}/named` }))).toMatchObject({ body: 'grün' });
    expect(await http.send(ask())).toMatchObject({ body: 'grün' });
  });

  it('ends at the timeout, which counts the body too', async () => {
    host = await serve((_request, response) => void response.writeHead(200).write('half'));

    await expect(http.send(ask({ timeout_ms: 80 }))).rejects.toMatchObject({
      code: 'HTTP_TIMEOUT',
      retryable: true,
      details: { method: 'GET', host, timeout_ms: 80 },
    });
  });

  it("ends with the signal's own reason", async () => {
    host = await serve(() => undefined);
    const abort = new AbortController();
    const sent = http.send(ask({ signal: abort.signal }));
    setTimeout(() => abort.abort(new Error('the run ended')), 20);

    await expect(sent).rejects.toThrow('the run ended');
  });

  it('refuses a body longer than allowed, counted after decompression', async () => {
    const bomb = gzipSync('x'.repeat(100_000));
    host = await serve((_request, response) =>
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb),
    );

    await expect(http.send(ask())).rejects.toMatchObject({ code: 'HTTP_BODY_TOO_LARGE' });
    expect((await http.send(ask({ max_bytes: 100_000 }))).body).toHaveLength(100_000);
  });

  it('says when nobody answers', async () => {
    const gone = servers.at(-1)!;
    gone.close();
    await once(gone, 'close');

    await expect(http.send(ask())).rejects.toMatchObject({
      code: 'HTTP_UNREACHABLE',
      retryable: true,
      details: { reason: 'ECONNREFUSED' },
    });
  });
});

describe('a request that is none', () => {
  it.each([
    ['no address', 'HTTP_URL_INVALID'],
    ['file:///etc/passwd', 'HTTP_URL_INVALID'],
    ['http://user:secret@example.org/', 'HTTP_URL_INVALID'],
  ])('%s is refused', async (url, code) => {
    const error: unknown = await http.send(ask({ url })).catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({ code });
    expect(String(error)).not.toContain('secret');
  });

  it.each([
    [{ 'x y': '1' }],
    [{ authorization: 'secret\nx: y' }],
    [{ Host: 'other.example.org' }],
    [{ 'transfer-encoding': 'secret' }],
    [{ Connection: 'upgrade' }],
    [{ expect: '100-continue' }],
    [{ 'Content-Length': '3' }],
  ])('%j is no header it sends', async (headers) => {
    const request = ask({ method: 'POST', body: 'GET / HTTP/1.1\r\n', headers });
    const error: unknown = await http.send(request).catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({ code: 'HTTP_REQUEST_INVALID' });
    expect(JSON.stringify([String(error), error])).not.toContain('secret');
  });

  it('the length of the body may be named', async () => {
    const { body } = await http.send(ask({ method: 'POST', body: 'ä', headers: { 'content-length': '2' } }));

    expect(JSON.parse(body)).toMatchObject({ body: 'ä', headers: { 'content-length': '2' } });
  });

  it('GET carries no body', async () => {
    await expect(http.send(ask({ body: '' }))).rejects.toMatchObject({ code: 'HTTP_REQUEST_INVALID' });
  });

  it('no error holds path, query, header or body', async () => {
    const url = `http://127.0.0.1:1/secret?token=secret`;
    const request = ask({ url, method: 'POST', headers: { authorization: 'secret' }, body: 'secret' });

    const error = await http.send(request).then(
      () => new Error('an answer came'),
      (thrown: unknown) => thrown as Error,
    );

    expect(error).toMatchObject({ code: 'HTTP_UNREACHABLE' });
    expect(JSON.stringify([error.message, error.stack, error, error.cause])).not.toContain('secret');
  });
});

describe('a policy', () => {
  it('lets a request through to a host it names with its port', async () => {
    expect(await createHttp({ hosts: [host] }).send(ask())).toMatchObject({ status: 200 });
  });

  it.each([
    ['an empty list', () => []],
    ['the name without the port', () => ['127.0.0.1']],
    ['the other name of this machine', () => [host.replace('127.0.0.1', 'localhost')]],
    ['a host before an @', () => [`${host}@127.0.0.1`]],
    ['a pattern', () => ['*', '127.0.0.*', '**']],
    ['the beginning of the name', () => [host.slice(0, -1)]],
    ['a whole address', () => [`http://${host}/`, `${host}/path`]],
  ])('that holds %s refuses it', async (_what, hosts) => {
    await expect(createHttp({ hosts: hosts() }).send(ask())).rejects.toMatchObject({
      code: 'HTTP_HOST_REFUSED',
    });
  });

  it('counts the port of the scheme as none, and the case of names not', async () => {
    const refusals = await Promise.all(
      [
        'https://EXAMPLE.org:443/',
        'https://example.org./',
        'https://example.org:444/',
        'http://example.org:443/',
      ].map((url) =>
        createHttp({ hosts: ['example.org:443'] })
          .send(ask({ url, signal: AbortSignal.abort(new Error('allowed')) }))
          .catch((error: unknown) => (error as { code?: string }).code ?? 'allowed'),
      ),
    );

    expect(refusals).toEqual(['allowed', 'HTTP_HOST_REFUSED', 'HTTP_HOST_REFUSED', 'allowed']);
  });

  it('lets exactly the named origins through', async () => {
    const name = fc.constantFrom('a.example', 'b.a.example', 'a.example.', '127.0.0.1', '[::1]', 'localhost');
    const place = fc.tuple(name, fc.constantFrom('', ':80', ':443', ':8080')).map((parts) => parts.join(''));

    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('http', 'https'),
        place,
        fc.array(place, { maxLength: 4 }),
        async (scheme, wanted, hosts) => {
          const url = `${scheme}://${wanted}/`;
          const origins = hosts.map((one) => new URL(`${scheme}://${one}`).origin);
          const request = ask({ url, signal: AbortSignal.abort(new Error('allowed')) });
          const error = await createHttp({ hosts })
            .send(request)
            .then(
              () => 'sent',
              (thrown: { code?: string }) => thrown.code ?? 'allowed',
            );

          expect(error).toBe(origins.includes(new URL(url).origin) ? 'allowed' : 'HTTP_HOST_REFUSED');
        },
      ),
      { numRuns: 200 },
    );
  });

  it('holds every redirect against it', async () => {
    const other = await serve(echo);
    host = await serve((_request, response) =>
      response.writeHead(302, { location: `http://${other}/taken` }).end(),
    );

    await expect(createHttp({ hosts: [host] }).send(ask())).rejects.toMatchObject({
      code: 'HTTP_REDIRECT_REFUSED',
      details: { to: other },
    });
    expect(await createHttp({ hosts: [host, other] }).send(ask())).toMatchObject({ status: 200 });
  });
});

describe('a redirect', () => {
  const to = (status: number, location: string): Promise<string> =>
    serve((request, response, body) => {
      if (request.url === '/') response.writeHead(status, { location }).end();
      else echo(request, response, body);
    });

  it('to another origin takes no credential along', async () => {
    const other = await serve(echo);
    host = await to(302, `http://${other}/there`);
    const headers = { Authorization: 'a', cookie: 'b', 'private-token': 'c', accept: 'text/plain' };

    const { body } = await http.send(ask({ headers }));

    const seen = (JSON.parse(body) as { headers: Record<string, string> }).headers;
    expect(seen['accept']).toBe('text/plain');
    expect(Object.keys(seen)).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/authorization|cookie|private-token/)]),
    );
  });

  it('within an origin keeps headers and, for 307 and 308, method and body', async () => {
    host = await to(307, '/there');
    const answer = await http.send(ask({ method: 'PUT', body: 'b', headers: { authorization: 'a' } }));
    expect(JSON.parse(answer.body)).toMatchObject({
      method: 'PUT',
      body: 'b',
      headers: { authorization: 'a' },
    });

    host = await to(303, '/there');
    const got = await http.send(ask({ method: 'POST', body: 'b', headers: { authorization: 'a' } }));
    expect(JSON.parse(got.body)).toMatchObject({ method: 'GET', body: '', headers: { authorization: 'a' } });
  });

  it('never takes a body to another origin', async () => {
    const other = await serve(echo);
    host = await to(307, `http://${other}/there`);

    await expect(http.send(ask({ method: 'POST', body: 'b' }))).rejects.toMatchObject({
      code: 'HTTP_REDIRECT_REFUSED',
    });
  });

  it.each(['ftp://example.org/', 'http://user:pw@127.0.0.1/', 'http://['])(
    'to %s is refused',
    async (there) => {
      host = await to(301, there);

      await expect(http.send(ask())).rejects.toMatchObject({ code: 'HTTP_REDIRECT_REFUSED' });
    },
  );

  it('in circles ends', async () => {
    host = await to(302, '/');

    await expect(http.send(ask())).rejects.toMatchObject({ code: 'HTTP_REDIRECT_REFUSED' });
  });
});
