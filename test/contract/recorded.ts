import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';

import { openRepo } from '@caloron/capabilities/github';
import type { ForgeRepo } from '@caloron/types';

/** One request to api.github.com and what it answered, as @octokit/fixtures has recorded it. */
export interface Recording {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly response: unknown;
  readonly headers: Readonly<Record<string, unknown>>;
}

/** Headers of a connection that is long over. */
const STALE = new Set(['connection', 'content-length', 'transfer-encoding', 'content-encoding']);

/** The requests of a recorded scenario with their answers, in their order. */
export function recordings(scenario: string): readonly Recording[] {
  const path = createRequire(import.meta.url).resolve(
    `@octokit/fixtures/scenarios/api.github.com/${scenario}/normalized-fixture.json`,
  );
  return JSON.parse(readFileSync(path, 'utf8')) as readonly Recording[];
}

/** A host that answers what GitHub has answered, and the client on it. */
export interface RecordedHost {
  readonly forge: ForgeRepo;
  /** Requests nothing was recorded for. */
  readonly strange: readonly string[];
  close(): Promise<void>;
}

/** What tells two requests apart: the size of a page does not, its number does. */
function keyOf(method: string, path: string): string {
  const url = new URL(path, 'http://host');
  return `${method.toUpperCase()} ${url.pathname} ${url.searchParams.get('page') ?? '1'}`;
}

/** Serves the answers of a scenario, and `more` that were not recorded; asked again, a request gets the next answer that was recorded for it, and the last one from then on. */
export async function serveRecorded(
  scenario: string,
  repo = `octokit-fixture-org/${scenario}`,
  more: readonly Recording[] = [],
): Promise<RecordedHost> {
  const answers = new Map<string, Recording[]>();
  for (const one of [...recordings(scenario), ...more]) {
    const key = keyOf(one.method, one.path);
    answers.set(key, [...(answers.get(key) ?? []), one]);
  }
  const strange: string[] = [];
  const server = createServer((request, response) => {
    request.resume();
    const key = keyOf(request.method ?? 'GET', request.url ?? '/');
    const queue = answers.get(key) ?? [];
    const answer = queue.length > 1 ? queue.shift() : queue[0];
    if (answer === undefined) {
      strange.push(key);
      response.writeHead(404, { 'content-type': 'application/json' }).end('{"message":"Not Found"}');
      return;
    }
    // The addresses in it lead to this host, as they led to the one that was asked.
    const here = (text: string) =>
      text.replaceAll('https://api.github.com', `http://${request.headers.host ?? ''}`);
    const headers = Object.entries(answer.headers).filter(([name]) => !STALE.has(name));
    response.writeHead(
      answer.status,
      Object.fromEntries(headers.map(([name, value]) => [name, here(String(value))])),
    );
    const isEmpty = answer.status === 204 || answer.response === '';
    response.end(isEmpty ? undefined : here(JSON.stringify(answer.response)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  return {
    forge: openRepo({ repo, host, token: 'ghp_recorded', read_retries: 0 }),
    strange,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
