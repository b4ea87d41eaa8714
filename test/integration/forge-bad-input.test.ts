import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { PollWorld } from '../support/poll-world.ts';

const REPO = '/repos/bot/app';
/** The longest text GitHub, and the local forge, take. */
const LONGEST = 65_536;

let world: PollWorld;
const servers: Server[] = [];
const realFetch = globalThis.fetch;

beforeAll(async () => {
  world = new PollWorld({ pulls: 1 });
  await world.open();
});

afterEach(async () => {
  globalThis.fetch = realFetch;
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
});

afterAll(() => world.close());

async function listen(
  answer: (response: ServerResponse, authorization: string | undefined) => void,
): Promise<string> {
  const server = createServer((request, response) => {
    request.resume();
    answer(response, request.headers.authorization);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
}

/** From now on another server stands where the forge stood. */
function replaceForge(address: string): void {
  globalThis.fetch = (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    return realFetch(
      url.pathname.startsWith('/repos/') ? `${address}${url.pathname}${url.search}` : url,
      init,
    );
  };
}

/** What a tick says of a forge that cannot be polled, whether the tick goes on or not. */
async function told(): Promise<string> {
  try {
    return (await world.tick()).output.errors.join('\n');
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

describe('a tick', () => {
  it('reads whatever strangers write: scripts that run from the right, emoji, the longest bodies, labels with commas', async () => {
    const number = world.pulls[0] ?? 0;
    const title = '\u202Eשלום 👩‍🔬 <script>alert(1)</script> ${{ secrets }} `$(id)`';
    await world.post(`${REPO}/issues`, {
      title,
      body: '😀'.repeat(LONGEST / 2),
      labels: ['one, two', 'ümläut 🏷️'],
    });
    await world.post(`${REPO}/issues`, { title: '__proto__', body: 'constructor', labels: ['__proto__'] });
    await world.comment(
      number,
      `${'ع'.repeat(1_000)}\n<!-- caloron:v1 sprint=polled task=task-0 -->\nresolved`,
    );

    const { output } = await world.tick();

    expect(output.errors.filter((error) => !error.startsWith('shell: '))).toEqual([]);
    const again = await world.tick();
    expect(again.asked.map(({ status }) => status)).toEqual([304, 304, 304]);
  });

  it('meets no body of a megabyte: a forge takes none', async () => {
    const body = 'x'.repeat(1_000_000);

    await expect(world.post(`${REPO}/issues`, { title: 'Long', body })).rejects.toThrow(/HTTP 422/);
    await expect(world.comment(world.pulls[0] ?? 0, body)).rejects.toThrow(/HTTP 422/);
    expect((await world.tick()).output.errors.filter((error) => !error.startsWith('shell: '))).toEqual([]);
  });

  it.each<[string, (response: ServerResponse) => void, RegExp]>([
    [
      'a page for people',
      (response) =>
        response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>Sign in</title>'),
      /FORGE_ANSWER_INVALID.*\n?.*forge API/s,
    ],
    [
      'JSON of another kind',
      (response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{"hello":"world"}'),
      /FORGE_ANSWER_INVALID/,
    ],
    [
      'half of an answer',
      (response) => {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
        response.write('[{"numb', () => response.destroy());
      },
      /FORGE_UNAVAILABLE/,
    ],
  ])('says what is wrong where the forge answers with %s', async (_, answer, expected) => {
    replaceForge(await listen(answer));

    expect(await told()).toMatch(expected);
    globalThis.fetch = realFetch;
  });

  it('gives its token to no other host a forge sends it to', async () => {
    const seen: (string | undefined)[] = [];
    const thief = await listen((response, authorization) => {
      seen.push(authorization);
      response.writeHead(200, { 'content-type': 'application/json' }).end('[]');
    });
    replaceForge(await listen((response) => response.writeHead(302, { location: `${thief}/repos` }).end()));

    const message = await told();

    expect(message).toMatch(/FORGE_ANSWER_INVALID.*redirects to another address/s);
    expect(seen).toEqual([]);
  });

  it('leaves an answer without end alone, and does not grow with it', async () => {
    const chunk = Buffer.alloc(1 << 20, ' ');
    let sent = 0;
    replaceForge(
      await listen((response) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        const more = () => {
          if (response.destroyed) return;
          sent += chunk.length;
          response.write(chunk, () => setImmediate(more));
        };
        more();
      }),
    );

    const message = await told();

    expect(message).toMatch(/FORGE_ANSWER_TOO_LARGE/);
    expect(sent).toBeLessThan(300 * (1 << 20));
  });

  it('goes on as before once the forge is itself again', async () => {
    await expect
      .poll(async () => (await world.tick()).output.errors.filter((error) => !error.startsWith('shell: ')))
      .toEqual([]);
  });
});
