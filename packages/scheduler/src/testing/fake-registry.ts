import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A registry that misbehaves as it is told. */
export interface FakeRegistry {
  readonly url: string;
  readonly port: number;
  /** What it serves; a test changes it. */
  stages: readonly { readonly id: string }[];
  /** Answers in place of the registry where it gives true. */
  instead: ((request: IncomingMessage, response: ServerResponse) => boolean) | null;
  /** What was asked: path with query, and the headers. */
  readonly asked: { readonly url: string; readonly headers: IncomingMessage['headers'] }[];
  close(): Promise<void>;
}

/** Serves records as docs/registry.md says, without looking at them. */
export async function startFakeRegistry(port = 0): Promise<FakeRegistry> {
  const server: Server = createServer((request, response) => {
    registry.asked.push({ url: request.url ?? '', headers: request.headers });
    if (registry.instead?.(request, response) !== true) list(registry.stages, request, response);
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const { port: taken } = server.address() as AddressInfo;
  const registry: FakeRegistry = {
    url: `http://127.0.0.1:${taken}`,
    port: taken,
    stages: [],
    instead: null,
    asked: [],
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return registry;
}

function list(
  stages: readonly { readonly id: string }[],
  { url = '', headers }: IncomingMessage,
  response: ServerResponse,
): void {
  const query = new URL(url, 'http://x').searchParams;
  const [limit, offset] = [Number(query.get('limit')), Number(query.get('offset'))];
  const all = stages.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const etag = `"${createHash('sha256')
    .update(JSON.stringify([all, url]))
    .digest('hex')}"`;
  if (headers['if-none-match'] === etag) {
    response.writeHead(304, { etag }).end();
    return;
  }
  const page = all.slice(offset, offset + limit);
  const data = { stages: page, count: page.length, total: all.length, limit, offset };
  response.writeHead(200, { 'content-type': 'application/json', etag });
  response.end(JSON.stringify({ ok: true, data }));
}
