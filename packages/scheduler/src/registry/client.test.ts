import type { Socket } from 'node:net';

import type { StageRecord } from '@caloron/noether';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { archived } from '../testing/archived-stage.ts';
import { type FakeRegistry, startFakeRegistry } from '../testing/fake-registry.ts';
import { addressProblem, keyOf, plainUrl, sendsInClear } from './address.ts';
import { READ_LIMITS, readCatalogue, type ReadLimits } from './client.ts';

let registry: FakeRegistry;
beforeEach(async () => {
  registry = await startFakeRegistry();
});
afterEach(() => registry.close());

const KEY = 'k-of-this-registry-alone';
const one = archived({ name: 'client_one' });
const some = (count: number): readonly StageRecord[] =>
  Array.from({ length: count }, (_, i) => ({ ...one, id: String(i).padStart(64, '0') }));
const read = (etag: string | null = null, limits: Partial<ReadLimits> = {}) =>
  readCatalogue(
    { url: registry.url, api_key: KEY },
    { etag, limits: { ...READ_LIMITS, pauses_ms: [5, 5], ...limits } },
  );

describe('a registry', () => {
  it('S31 is read in pages of 200, with the key, stages of every lifecycle', async () => {
    registry.stages = some(401);

    const found = await read();

    expect(found?.stages.map(({ id }) => id)).toEqual(registry.stages.map(({ id }) => id));
    const pages = registry.asked.map(({ url }) => new URL(url, 'http://x').searchParams);
    expect(pages.map((query) => query.get('offset'))).toEqual(['0', '200', '400', '0']);
    expect(new Set(pages.map((query) => `${query.get('limit')} ${query.get('lifecycle')}`))).toEqual(
      new Set(['200 all']),
    );
    expect(new Set(registry.asked.map(({ headers }) => headers['x-api-key']))).toEqual(new Set([KEY]));
  });

  it('that has what is here already is asked one question', async () => {
    registry.stages = some(300);
    const { etag } = (await read()) ?? { etag: null };
    registry.asked.length = 0;

    expect(await read(etag)).toBeNull();
    expect(registry.asked).toHaveLength(1);
  });

  it('that changes while it is read is read again, also when its count stays', async () => {
    registry.stages = some(250);
    let pages = 0;
    registry.instead = () => {
      pages += 1;
      // After the second page: the first, read before, is not what it was.
      if (pages === 2)
        registry.stages = registry.stages.map((stage, i) =>
          i === 3 ? { ...stage, id: 'f'.repeat(64) } : stage,
        );
      return false;
    };

    const found = await read();

    expect(found?.stages.map(({ id }) => id)).toContain('f'.repeat(64));
    expect(found?.stages).toHaveLength(250);
  });

  it('that never stands still is given up on', async () => {
    let turn = 0;
    registry.instead = () => {
      turn += 1;
      registry.stages = some(250).map((stage) => ({ ...stage, name: `turn_${turn}` }));
      return false;
    };

    await expect(read()).rejects.toMatchObject({ code: 'REGISTRY_UNREACHABLE', retryable: true });
  });

  it('that fails once is asked again; one that fails on is an outage', async () => {
    registry.stages = some(2);
    let left = 1;
    registry.instead = (_request, response) => {
      if (left === 0) return false;
      left -= 1;
      response.writeHead(503).end('<html>');
      return true;
    };
    expect((await read())?.stages).toHaveLength(2);

    left = 10;
    await expect(read()).rejects.toMatchObject({
      code: 'REGISTRY_UNREACHABLE',
      message: expect.stringContaining('HTTP 503') as string,
      hint: expect.stringContaining(`curl ${registry.url}/health`) as string,
    });
  });

  it.each([
    ['a page of HTML', 200, '<html>', 'REGISTRY_ANSWER_INVALID', /no JSON/],
    ['another API', 200, '{"items":[]}', 'REGISTRY_ANSWER_INVALID', /ok/],
    [
      'stages that are none',
      200,
      answerWith([{ id: 'x' }]),
      'REGISTRY_ANSWER_INVALID',
      /data\.stages\.0\.id/,
    ],
    [
      'a record deeper than JSON goes',
      200,
      answerWith([{ ...one, extra: '@' }]).replace('"@"', '['.repeat(100_000) + ']'.repeat(100_000)),
      'REGISTRY_ANSWER_INVALID',
      /data\.stages\[0\]\.extra.* at most 512 levels/,
    ],
    ['nothing changed, to who has nothing', 304, '', 'REGISTRY_ANSWER_INVALID', /HTTP 304/],
    ['bytes that are no text', 200, Buffer.from([0xff, 0xfe]), 'REGISTRY_ANSWER_INVALID', /no JSON/],
    ['no such route', 404, '{}', 'REGISTRY_ANSWER_INVALID', /HTTP 404/],
    ['a wrong key', 401, '{}', 'REGISTRY_REFUSED', /HTTP 401/],
    ['a key that may not', 403, '{}', 'REGISTRY_REFUSED', /HTTP 403/],
  ] as const)('that answers with %s is refused', async (_what, status, body, code, message) => {
    registry.instead = (_request, response) => {
      response.writeHead(status).end(body);
      return true;
    };

    await expect(read()).rejects.toMatchObject({ code, message: expect.stringMatching(message) as string });
  });

  it('that gives an ETag longer than any has none', async () => {
    registry.instead = (_request, response) => {
      response.writeHead(200, { etag: `"${'e'.repeat(9_000)}"` }).end(answerWith([one]));
      return true;
    };

    expect(await read()).toMatchObject({ etag: null, stages: [{ name: 'client_one' }] });
  });

  it.each([
    [
      'ends the connection',
      (socket: Socket) => socket.destroy(),
      /other side closed|socket hang up|ECONNRESET/,
    ],
    ['speaks no HTTP', (socket: Socket) => socket.end('HHHHHH\r\n\r\n'), /HTTP/],
  ])('that %s is told in words', async (_what, act, words) => {
    registry.instead = ({ socket }) => {
      act(socket);
      return true;
    };

    await expect(read(null, { pauses_ms: [] })).rejects.toMatchObject({
      code: 'REGISTRY_UNREACHABLE',
      message: expect.stringMatching(words) as string,
    });
  });

  it('that says it has more stages than anybody, or the same page again, is refused', async () => {
    const page = (total: number) => (offset: number) => ({
      ok: true,
      data: { stages: some(2), count: 2, total, limit: 200, offset },
    });
    let answer = page(1e9);
    registry.instead = ({ url = '' }, response) => {
      const offset = Number(new URL(url, 'http://x').searchParams.get('offset'));
      response.end(JSON.stringify(answer(offset)));
      return true;
    };
    await expect(read()).rejects.toThrow(/more than 20000/);

    answer = page(4);
    await expect(read()).rejects.toThrow(/changed each of 4 times/);
  });

  it('that sends without end is cut off at the limit', async () => {
    let sent = 0;
    registry.instead = (_request, response) => {
      const chunk = Buffer.alloc(64 * 1024, 'x');
      response.writeHead(200);
      const more = (): void => {
        while (!response.destroyed) {
          sent += chunk.length;
          if (!response.write(chunk)) break;
        }
      };
      response.on('drain', more);
      more();
      return true;
    };

    await expect(read(null, { page_bytes: 1024 * 1024 })).rejects.toThrow(/larger than 1048576 bytes/);
    expect(sent).toBeLessThan(100 * 1024 * 1024);
  });

  it.each([
    ['hangs', () => undefined],
    ['drips', (response: { write: (text: string) => void }) => response.write('{')],
  ])('that %s is given up on in time', async (_what, begin) => {
    const timers: NodeJS.Timeout[] = [];
    registry.instead = (_request, response) => {
      timers.push(setInterval(() => begin(response), 20));
      return true;
    };

    try {
      await expect(read(null, { page_ms: 150, total_ms: 400 })).rejects.toMatchObject({
        code: 'REGISTRY_UNREACHABLE',
        retryable: true,
      });
    } finally {
      for (const timer of timers) clearInterval(timer);
    }
  });

  it('that is not there is an outage that says where to look', async () => {
    const { url } = registry;
    await registry.close();

    await expect(read()).rejects.toMatchObject({
      code: 'REGISTRY_UNREACHABLE',
      message: `the registry ${url} cannot be read: ECONNREFUSED`,
    });
    registry = await startFakeRegistry();
  });
});

describe('the key of a registry', () => {
  it('goes to no other host, and shows in no error', async () => {
    const other = await startFakeRegistry();
    try {
      registry.instead = (_request, response) => {
        response.writeHead(307, { location: `${other.url.replace('127.0.0.1', 'localhost')}/stages` }).end();
        return true;
      };
      const error: unknown = await read().catch((thrown: unknown) => thrown);

      expect(error).toMatchObject({ code: 'REGISTRY_ANSWER_INVALID' });
      expect(String(error)).toContain(`redirects to localhost:${other.port}`);
      expect(other.asked).toEqual([]);
      expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain(KEY);
    } finally {
      await other.close();
    }
  });

  it('follows a redirect within its host, and not for ever', async () => {
    registry.stages = some(1);
    registry.instead = ({ url = '' }, response) => {
      if (url.startsWith('/moved')) return false;
      response.writeHead(308, { location: `/moved${url}` }).end();
      return true;
    };
    expect((await read())?.stages).toHaveLength(1);

    registry.instead = ({ headers }, response) => {
      response.writeHead(302, { location: `http://user:secret-of-it@${headers.host ?? ''}/` }).end();
      return true;
    };
    const error: unknown = await read().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'REGISTRY_ANSWER_INVALID' });
    expect(String(error)).not.toContain('secret-of-it');

    registry.instead = (_request, response) => {
      response.writeHead(302, { location: '/again' }).end();
      return true;
    };
    await expect(read()).rejects.toThrow(/redirects without an end/);
  });

  it.each(['a key', 'k\nx-evil: 1', 'schlüssel', 'k'.repeat(2000)])(
    'is refused when it is %j, and not shown',
    (key) => {
      expect(() => keyOf('NOETHER_REGISTRY_API_KEY', key)).toThrow(/NOETHER_REGISTRY_API_KEY holds no key/);
      expect(() => keyOf('NOETHER_REGISTRY_API_KEY', key)).not.toThrow(key);
    },
  );

  it('that is empty is none', () => {
    expect([keyOf('X', ''), keyOf('X', undefined), keyOf('X', ' k ')]).toEqual([null, null, 'k']);
  });
});

describe('the address of a registry', () => {
  it.each(['ftp://x', 'x', 'http://user:pw@x', 'https://x/?key=1', 'https://x/#k'])('is not %s', (url) => {
    expect(addressProblem(url)).toMatch(/^expected an/);
  });

  it('has one form, and tells whether a key would be seen on the way', () => {
    expect(plainUrl('https://Registry.example:443/a/')).toBe('https://registry.example/a');
    expect(addressProblem('https://registry.example/a/')).toBeNull();
    const clear = (url: string): boolean => sendsInClear({ url, api_key: KEY });
    expect([clear('http://registry.example'), clear('http://127.0.0.1:1'), clear('https://x')]).toEqual([
      true,
      false,
      false,
    ]);
  });
});

function answerWith(stages: readonly object[]): string {
  return JSON.stringify({ ok: true, data: { stages, count: 1, total: 1, limit: 200, offset: 0 } });
}
