import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One request that went over the wire, with the status it was answered. */
export interface Crossing {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly status: number;
}

/** The wire between the client and a host: it counts, and can lose an answer. */
export interface Wire {
  readonly url: string;
  /** All crossings since the last call. */
  taken(): readonly Crossing[];
  /** Loses the answer to the next request of this method whose path ends so: the host has done what it asks. */
  loseAnswer(method: string, path_end: string): void;
  close(): Promise<void>;
}

/** Headers that belong to one connection, or that no longer fit a body that was read and written anew. */
const OWN_HEADERS = new Set([
  'host',
  'connection',
  'content-length',
  'content-encoding',
  'transfer-encoding',
  'keep-alive',
]);

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function headersOf(request: IncomingMessage): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) {
    if (!OWN_HEADERS.has(name) && typeof value === 'string') headers.set(name, value);
  }
  return headers;
}

/** A wire to the host at this address. */
export async function openWire(upstream: string): Promise<Wire> {
  let crossings: Crossing[] = [];
  let lost: { readonly method: string; readonly path_end: string } | undefined;

  async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url: path = '/' } = request;
    const body = await bodyOf(request);
    const answer = await fetch(upstream + path, {
      method,
      headers: headersOf(request),
      redirect: 'manual',
      ...(body.length === 0 ? {} : { body: new Uint8Array(body) }),
    });
    const bytes = Buffer.from(await answer.arrayBuffer());
    crossings.push({ method, path, status: answer.status });
    if (lost?.method === method && (path.split('?')[0] ?? '').endsWith(lost.path_end)) {
      lost = undefined;
      response.destroy();
      return;
    }
    const headers = [...answer.headers].filter(([name]) => !OWN_HEADERS.has(name));
    response.writeHead(answer.status, Object.fromEntries(headers));
    response.end(bytes);
  }

  const server = createServer((request, response) => {
    pass(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    taken() {
      const taken = crossings;
      crossings = [];
      return taken;
    },
    loseAnswer(method, path_end) {
      lost = { method, path_end };
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
