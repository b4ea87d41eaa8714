import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { ForgeRepo } from '@caloron/types';
import { afterEach, beforeEach } from 'vitest';

import { fixedClock } from '../clock.ts';
import { ForgeError } from '../forge-errors.ts';
import { openRepo } from '../github.ts';

/** The token a scripted host is asked with. */
export const TOKEN = 'ghp_secretsecretsecret';
/** A commit. */
export const SHA = 'a'.repeat(40);
/** Another commit. */
export const OTHER_SHA = 'b'.repeat(40);

/** One request a scripted host was asked. */
export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: unknown;
}

/** What a scripted host answers; without a status 200. */
export interface Answer {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly json?: unknown;
  readonly html?: string;
  /** Never answers. */
  readonly hang?: boolean;
  /** Breaks the connection off. */
  readonly drop?: boolean;
}

/** A host that answers by script: by `METHOD /path`, or 404. */
export interface ScriptedHost {
  readonly url: string;
  readonly requests: readonly Seen[];
  script(table: Readonly<Record<string, Answer | ((seen: Seen) => Answer)>>): void;
  /** The repository acme/app on this host. */
  open(options?: Partial<Parameters<typeof openRepo>[0]>): ForgeRepo;
  close(): Promise<void>;
}

const NOT_FOUND: Answer = { status: 404, json: { message: 'Not Found' } };
const clock = fixedClock('2026-04-14T08:30:00.000Z');

function reply(response: ServerResponse, answer: Answer): void {
  if (answer.hang === true) return;
  if (answer.drop === true) {
    response.destroy();
    return;
  }
  const type = answer.html === undefined ? 'application/json; charset=utf-8' : 'text/html';
  response.writeHead(answer.status ?? 200, { 'content-type': type, ...answer.headers });
  const hasBody = ![204, 304].includes(answer.status ?? 200);
  response.end(hasBody ? (answer.html ?? JSON.stringify(answer.json ?? {})) : undefined);
}

/** Starts a scripted host on a free port of this machine. */
export async function scriptedHost(): Promise<ScriptedHost> {
  const requests: Seen[] = [];
  let answerWith: (seen: Seen) => Answer = () => NOT_FOUND;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      const { method = '', url = '', headers } = request;
      const seen = { method, url, headers, body: text === '' ? undefined : (JSON.parse(text) as unknown) };
      requests.push(seen);
      reply(response, answerWith(seen));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  return {
    url,
    requests,
    script: (table) => {
      answerWith = (seen) => {
        const answer = table[`${seen.method} ${seen.url.split('?')[0] ?? ''}`] ?? NOT_FOUND;
        return typeof answer === 'function' ? answer(seen) : answer;
      };
    },
    open: (options = {}) =>
      openRepo({ repo: 'acme/app', host: url, token: TOKEN, clock, read_retries: 0, ...options }),
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** A scripted host of its own for each test of the file that calls this. */
export function hostOfEachTest(): ScriptedHost {
  let host: ScriptedHost;
  beforeEach(async () => {
    host = await scriptedHost();
  });
  afterEach(() => host.close());
  return {
    get url() {
      return host.url;
    },
    get requests() {
      return host.requests;
    },
    script: (table) => host.script(table),
    open: (options) => host.open(options),
    close: () => host.close(),
  };
}

/** An issue in GitHub's words. */
export function wireIssue(number: number, updated_at: string, more: object = {}) {
  return {
    number,
    node_id: `I_${String(number)}`,
    title: `issue ${String(number)}`,
    body: null,
    state: 'open',
    user: { login: 'ada' },
    labels: [{ name: 'caloron:task' }],
    html_url: `https://example.test/acme/app/issues/${String(number)}`,
    created_at: '2026-04-14T08:00:00Z',
    updated_at,
    closed_at: null,
    ...more,
  };
}

/** A pull request in GitHub's words, with the head SHA. */
export function wirePull(number: number, more: object = {}) {
  return {
    ...wireIssue(number, '2026-04-14T08:00:00Z'),
    draft: false,
    head: { ref: 'caloron/s/t', sha: SHA, repo: { full_name: 'acme/app' } },
    base: { ref: 'main', sha: OTHER_SHA, repo: { full_name: 'acme/app' } },
    merged_at: null,
    merge_commit_sha: OTHER_SHA,
    mergeable: null,
    ...more,
  };
}

/** What a promise fails with; anything but a ForgeError fails the test. */
export async function failure(promise: Promise<unknown>): Promise<ForgeError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof ForgeError)) throw new Error(`expected a ForgeError, got ${String(error)}`);
  return error;
}
