import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { ForgeRepo } from '@caloron/types';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { fixedClock } from './clock.ts';
import { ForgeError } from './forge-errors.ts';
import { type CachedForgeAnswer, openRepo } from './github.ts';

const TOKEN = 'ghp_secretsecretsecret';
const SHA = 'a'.repeat(40);
const OTHER_SHA = 'b'.repeat(40);

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: unknown;
}

type Answer = {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly json?: unknown;
  readonly html?: string;
  readonly hang?: boolean;
  readonly drop?: boolean;
};

/** A host that answers by script: a function of the request, or 404. */
let answerWith: (seen: Seen) => Answer = () => ({});
let requests: Seen[] = [];
let url = '';
let close: () => Promise<void> = async () => undefined;

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

async function listen(): Promise<{ url: string; close: () => Promise<void> }> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      const seen = {
        method: request.method ?? '',
        url: request.url ?? '',
        headers: request.headers,
        body: text === '' ? undefined : (JSON.parse(text) as unknown),
      };
      requests.push(seen);
      reply(response, answerWith(seen));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

beforeEach(async () => {
  requests = [];
  answerWith = () => ({ status: 404, json: { message: 'Not Found' } });
  ({ url, close } = await listen());
});

afterEach(() => close());

function memoryCache() {
  const rows = new Map<string, CachedForgeAnswer>();
  return {
    rows,
    get: async (key: string) => rows.get(key),
    put: async (key: string, answer: CachedForgeAnswer) => {
      rows.set(key, answer);
    },
  };
}

const clock = fixedClock('2026-04-14T08:30:00.000Z');

function open(options: Partial<Parameters<typeof openRepo>[0]> = {}): ForgeRepo {
  return openRepo({ repo: 'acme/app', host: url, token: TOKEN, clock, read_retries: 0, ...options });
}

function script(table: Readonly<Record<string, Answer | ((seen: Seen) => Answer)>>): void {
  answerWith = (seen) => {
    const key = `${seen.method} ${seen.url.split('?')[0]}`;
    const answer = table[key] ?? { status: 404, json: { message: 'Not Found' } };
    return typeof answer === 'function' ? answer(seen) : answer;
  };
}

function issue(number: number, updated_at: string, more: object = {}) {
  return {
    number,
    node_id: `I_${number}`,
    title: `issue ${number}`,
    body: null,
    state: 'open',
    user: { login: 'ada' },
    labels: [{ name: 'caloron:task' }],
    html_url: `https://example.test/acme/app/issues/${number}`,
    created_at: '2026-04-14T08:00:00Z',
    updated_at,
    closed_at: null,
    ...more,
  };
}

function pull(number: number, more: object = {}) {
  return {
    ...issue(number, '2026-04-14T08:00:00Z'),
    draft: false,
    head: { ref: 'caloron/s/t', sha: SHA, repo: { full_name: 'acme/app' } },
    base: { ref: 'main', sha: OTHER_SHA, repo: { full_name: 'acme/app' } },
    merged_at: null,
    merge_commit_sha: OTHER_SHA,
    mergeable: null,
    ...more,
  };
}

async function failure(promise: Promise<unknown>): Promise<ForgeError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof ForgeError)) throw new Error(`expected a ForgeError, got ${String(error)}`);
  return error;
}

describe('a refusal of the host', () => {
  it.each([
    [400, 'FORGE_INVALID', false],
    [401, 'FORGE_UNAUTHORIZED', false],
    [403, 'FORGE_FORBIDDEN', false],
    [404, 'FORGE_NOT_FOUND', false],
    [405, 'FORGE_INVALID', false],
    [409, 'FORGE_CONFLICT', false],
    [410, 'FORGE_NOT_FOUND', false],
    [422, 'FORGE_INVALID', false],
    [500, 'FORGE_UNAVAILABLE', true],
    [502, 'FORGE_UNAVAILABLE', true],
  ])('of status %i is %s, retryable %s', async (status, code, retryable) => {
    answerWith = () => ({ status, json: { message: `no, ${TOKEN}` } });

    const error = await failure(open().comment(1, 'hello'));

    expect(error).toMatchObject({ code, retryable });
    expect(error.details).toMatchObject({ repo: 'acme/app', host: url, status });
    expect(`${error.message} ${JSON.stringify(error)} ${JSON.stringify(error.details)}`).not.toContain(TOKEN);
  });

  it('names repository, host, and token or name for a 404', async () => {
    const error = await failure(open().issue(7));

    expect(error.message).toBe(
      `could not read issue #7 in acme/app on ${url}: there is nothing of that name, or the token may not see it (404)`,
    );
    expect(error.hint).toContain('the token may see it');
  });

  it.each([
    [{ 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '1776157200' }, {}, '2026-04-14T09:00:00.000Z'],
    [{ 'retry-after': '90' }, {}, '2026-04-14T08:31:30.000Z'],
    [{}, { documentation_url: 'https://docs.example/rate-limits#secondary' }, '2026-04-14T08:31:00.000Z'],
  ])('of status 403 with %j %j is a limit that ends', async (headers, body, reset_at) => {
    answerWith = () => ({
      status: 403,
      headers: headers as unknown as Record<string, string>,
      json: { message: 'slow down', ...body },
    });

    const error = await failure(open().info());

    expect(error).toMatchObject({ code: 'FORGE_RATE_LIMITED', retryable: true, details: { reset_at } });
  });

  it('of status 429 is a limit', async () => {
    answerWith = () => ({ status: 429, json: { message: 'slow down' } });

    expect(await failure(open().info())).toMatchObject({ code: 'FORGE_RATE_LIMITED', retryable: true });
  });
});

describe('an answer that is none', () => {
  it.each([200, 404])('of HTML with status %i is FORGE_ANSWER_INVALID', async (status) => {
    answerWith = () => ({ status, html: '<html>welcome</html>' });

    const error = await failure(open().info());

    expect(error).toMatchObject({ code: 'FORGE_ANSWER_INVALID', retryable: false });
    expect(error.hint).toContain('/api/v1');
  });

  it('of another shape names the field', async () => {
    script({ 'GET /repos/acme/app/issues/1': { json: issue(1, 'yesterday') } });

    expect(await failure(open().issue(1))).toMatchObject({
      code: 'FORGE_ANSWER_INVALID',
      details: { answer: 'updated_at: expected a time' },
    });
  });

  it('of a closed connection is FORGE_UNAVAILABLE and retryable', async () => {
    answerWith = () => ({ drop: true });

    expect(await failure(open().info())).toMatchObject({
      code: 'FORGE_UNAVAILABLE',
      retryable: true,
      details: { status: null },
    });
  });

  it('in time is FORGE_UNAVAILABLE and retryable', async () => {
    answerWith = () => ({ hang: true });

    const error = await failure(open({ timeout_ms: 100 }).info());

    expect(error).toMatchObject({
      code: 'FORGE_UNAVAILABLE',
      retryable: true,
      details: { answer: 'no answer in time' },
    });
  });

  it('of a port nobody listens on is FORGE_UNAVAILABLE', async () => {
    await close();

    expect(await failure(open().info())).toMatchObject({ code: 'FORGE_UNAVAILABLE', retryable: true });
  });
});

describe('repetition', () => {
  it('repeats a read after a fault', async () => {
    let left = 1;
    answerWith = () => {
      left -= 1;
      return left >= 0 ? { status: 502, json: {} } : { json: { login: 'ada' } };
    };

    expect(await open({ read_retries: 1 }).whoami()).toBe('ada');
    expect(requests).toHaveLength(2);
  });

  it.each([404, 304, 403, 422, 429])('does not repeat a read answered %i', async (status) => {
    answerWith = () => ({ status, json: { message: 'no' } });

    await failure(open({ read_retries: 2 }).info());

    expect(requests).toHaveLength(1);
  });

  it.each([500, 502, 409])('sends a write answered %i once', async (status) => {
    answerWith = () => ({ status, json: { message: 'no' } });

    await failure(open({ read_retries: 2 }).comment(1, 'hello'));

    expect(requests).toHaveLength(1);
  });

  it('sends a write whose connection breaks once', async () => {
    answerWith = () => ({ drop: true });

    await failure(open({ read_retries: 2 }).comment(1, 'hello'));

    expect(requests).toHaveLength(1);
  });

  it('asks whose token it is once', async () => {
    script({ 'GET /user': { json: { login: 'ada' } } });
    const forge = open();

    await Promise.all([forge.whoami(), forge.whoami()]);
    await forge.whoami();

    expect(requests).toHaveLength(1);
  });
});

describe('the token', () => {
  it('goes to the host as a header and nowhere else', async () => {
    script({ 'GET /user': { json: { login: 'ada' } } });

    await open().whoami();

    expect(requests[0]?.headers.authorization).toBe(`token ${TOKEN}`);
    expect(requests[0]?.url).not.toContain(TOKEN);
  });

  it('does not follow a redirect to another host', async () => {
    const elsewhere = await listen();
    try {
      const mine = requests;
      answerWith = (seen) =>
        seen.headers.host === new URL(elsewhere.url).host
          ? { json: { login: 'mallory' } }
          : { status: 302, headers: { location: `${elsewhere.url}/user` } };

      const error = await failure(open().whoami());

      expect(error).toMatchObject({ code: 'FORGE_ANSWER_INVALID', details: { status: 302 } });
      expect(mine.filter((seen) => seen.headers.host === new URL(elsewhere.url).host)).toEqual([]);
    } finally {
      await elsewhere.close();
    }
  });

  it('follows a redirect within the host: a renamed repository', async () => {
    script({
      'GET /repos/acme/app/issues/1': {
        status: 301,
        headers: { location: `${url}/repositories/9/issues/1` },
      },
      'GET /repositories/9/issues/1': { json: issue(1, '2026-04-14T08:00:00Z') },
    });

    expect(await open().issue(1)).toMatchObject({ number: 1 });
  });

  it('does not follow a next page on another host', async () => {
    const elsewhere = await listen();
    try {
      script({
        'GET /repos/acme/app/issues/1/comments': {
          json: [],
          headers: { link: `<${elsewhere.url}/x?after=abc>; rel="next"` },
        },
      });

      expect(await failure(open().comments(1))).toMatchObject({ code: 'FORGE_ANSWER_INVALID' });
      expect(requests).toHaveLength(1);
    } finally {
      await elsewhere.close();
    }
  });
});

describe('changes', () => {
  const T1 = '2026-04-14T08:01:00Z';
  const T2 = '2026-04-14T08:02:00Z';
  const T3 = '2026-04-14T08:03:00Z';
  const at = (text: string) => text.replace('Z', '.000Z');

  /** A list in pages of two, newest first, with ETags over its content. */
  function serveList(path: string, items: () => readonly object[]): void {
    script({
      [`GET ${path}`]: (seen) => {
        const page = Number(new URL(seen.url, url).searchParams.get('page') ?? '1');
        const etag = `"${page}-${Buffer.from(JSON.stringify(items())).toString('base64url').slice(-40)}-${items().length}"`;
        if (seen.headers['if-none-match'] === etag) return { status: 304 };
        const json = items().slice((page - 1) * 2, page * 2);
        const more = items().length > page * 2;
        const next = new URL(seen.url, url);
        next.searchParams.set('page', String(page + 1));
        return {
          json,
          headers: { etag, ...(more ? { link: `<${next.href}>; rel="next", <x>; rel="last"` } : {}) },
        };
      },
    });
  }

  it('are complete to the cursor, newest first, over all pages', async () => {
    serveList('/repos/acme/app/issues', () => [
      issue(5, T3),
      issue(4, T3),
      issue(3, T2),
      issue(2, T2),
      issue(1, T1),
    ]);

    const { items, cursor, unchanged } = await open().changedIssues(at(T2));

    expect(items.map((item) => item.number)).toEqual([5, 4, 3, 2]);
    expect(cursor).toBe(at(T3));
    expect(unchanged).toBe(false);
    expect(requests).toHaveLength(3);
  });

  it('stop at the first page that passes the cursor', async () => {
    serveList('/repos/acme/app/issues', () => [issue(5, T3), issue(4, T1), issue(3, T1), issue(2, T1)]);

    await open().changedIssues(at(T2));

    expect(requests).toHaveLength(1);
  });

  it('are asked for by an address that does not change between ticks', async () => {
    serveList('/repos/acme/app/issues', () => [issue(1, T1)]);
    const forge = open();

    await forge.changedIssues(null);
    await forge.changedIssues(at(T1));

    expect(requests.map((seen) => seen.url)).toEqual(
      Array.from(
        { length: 2 },
        () => '/repos/acme/app/issues?state=all&sort=updated&direction=desc&per_page=100',
      ),
    );
  });

  it('answer an idle tick with one 304 for each list', async () => {
    const cache = memoryCache();
    serveList('/repos/acme/app/issues', () => [issue(2, T2), issue(1, T1)]);
    const { cursor } = await open({ cache }).changedIssues(null);

    const idle = await open({ cache }).changedIssues(cursor);

    expect(idle).toEqual({ items: [], unchanged: true, cursor: at(T2) });
    expect(requests[1]?.headers['if-none-match']).toBeDefined();
    expect([...cache.rows.keys()].join(' ')).not.toContain(TOKEN);
  });

  it('come again for a caller that did not commit them', async () => {
    const cache = memoryCache();
    let items = [issue(1, T1)];
    serveList('/repos/acme/app/issues', () => items);
    await open({ cache }).changedIssues(null);
    items = [issue(2, T2), issue(1, T1)];
    await open({ cache }).changedIssues(at(T1));

    const again = await open({ cache }).changedIssues(at(T1));

    expect(again.items.map((item) => item.number)).toEqual([2, 1]);
  });

  it('of the cursor instant come again until they surely were committed', async () => {
    const cache = memoryCache();
    let items = [issue(1, T2)];
    serveList('/repos/acme/app/issues', () => items);
    await open({ cache }).changedIssues(null);
    items = [issue(2, T2), issue(1, T2)];
    await open({ cache }).changedIssues(at(T2));

    const again = await open({ cache }).changedIssues(at(T2));

    expect(again.items.map((item) => item.number)).toContain(2);
  });

  it('need no ETag of a caller that another list version brought no news', async () => {
    const cache = memoryCache();
    let items = [issue(2, T2), issue(1, T1)];
    serveList('/repos/acme/app/issues', () => items);
    await open({ cache }).changedIssues(null);
    items = [issue(2, T2)];
    await open({ cache }).changedIssues(at(T2));

    expect(await open({ cache }).changedIssues(at(T2))).toMatchObject({ unchanged: true });
  });

  it('of an empty repository are unchanged by 304 as well', async () => {
    const cache = memoryCache();
    serveList('/repos/acme/app/pulls', () => []);

    expect(await open({ cache }).changedPulls(null)).toEqual({ items: [], unchanged: true, cursor: null });
    expect(await open({ cache }).changedPulls(null)).toEqual({ items: [], unchanged: true, cursor: null });
    expect(requests[1]?.headers['if-none-match']).toBeDefined();
  });

  it('use no ETag of another token', async () => {
    const cache = memoryCache();
    serveList('/repos/acme/app/issues', () => [issue(1, T1)]);
    await open({ cache }).changedIssues(null);

    await open({ cache, token: 'another' }).changedIssues(at(T1));

    expect(requests[1]?.headers['if-none-match']).toBeUndefined();
  });

  it('survive a damaged cache row', async () => {
    const cache = memoryCache();
    serveList('/repos/acme/app/issues', () => [issue(1, T1)]);
    await open({ cache }).changedIssues(null);
    for (const [key, row] of cache.rows) cache.rows.set(key, { ...row, body: '{' });

    expect((await open({ cache }).changedIssues(at(T1))).items).toHaveLength(1);
  });

  it('show a pull request among the issues, and null for a deleted account', async () => {
    serveList('/repos/acme/app/issues', () => [issue(1, T1, { user: null, pull_request: { url: 'x' } })]);

    const { items } = await open().changedIssues(null);

    expect(items[0]).toMatchObject({ is_pull: true, author: null, body: '', updated_at: at(T1) });
  });

  it('give comments their issue', async () => {
    serveList('/repos/acme/app/issues/comments', () => [
      {
        id: 9,
        body: 'resolved',
        user: null,
        issue_url: 'https://x/repos/acme/app/issues/12',
        html_url: 'https://x/acme/app/issues/12#issuecomment-9',
        created_at: T1,
        updated_at: T2,
      },
    ]);

    const { items } = await open().changedComments(null);

    expect(items).toEqual([
      { id: 9, issue_number: 12, body: 'resolved', author: null, created_at: at(T1), updated_at: at(T2) },
    ]);
  });

  it('tell a fork, a deleted fork and an own branch apart', async () => {
    const head = { ref: 'x', sha: SHA };
    serveList('/repos/acme/app/pulls', () => [
      pull(1, { head: { ...head, repo: { full_name: 'mallory/app' } } }),
      pull(2, { head: { ...head, repo: null } }),
      pull(3, { head: { ...head, repo: { full_name: 'Acme/App' } } }),
    ]);

    const { items } = await open().changedPulls(null);

    expect(items.map((item) => item.fork)).toEqual([true, true, false]);
  });
});

describe('reviews', () => {
  it('leave pending ones out and come oldest first', async () => {
    const review = { user: { login: 'bob' }, body: '', commit_id: SHA };
    script({
      'GET /repos/acme/app/pulls/3/reviews': {
        json: [
          { ...review, id: 3, state: 'DISMISSED', submitted_at: '2026-04-14T08:03:00Z' },
          { ...review, id: 2, state: 'PENDING' },
          { ...review, id: 1, state: 'APPROVED', submitted_at: '2026-04-14T08:01:00Z', user: null },
        ],
      },
    });

    const reviews = await open().reviews(3);

    expect(reviews.map(({ id, state, author }) => [id, state, author])).toEqual([
      ['1', 'approved', null],
      ['3', 'dismissed', 'bob'],
    ]);
  });

  it('D8 take the host’s words in any case for ours; a word nobody knows is no verdict', async () => {
    const review = { user: { login: 'bob' }, body: '', commit_id: SHA, submitted_at: '2026-04-14T08:01:00Z' };
    const states = ['Approved', 'request_changes', 'CHANGES_REQUESTED', 'comment', 'LOOKS_GOOD'];
    script({
      'GET /repos/acme/app/pulls/3/reviews': {
        json: states.map((state, at) => ({ ...review, id: at + 1, state })),
      },
      'GET /repos/acme/app/issues/1': { json: { ...issue(1, '2026-04-14T08:00:00Z'), state: 'resolved' } },
    });

    const reviews = await open().reviews(3);

    expect(reviews.map(({ state }) => state)).toEqual([
      'approved',
      'changes_requested',
      'changes_requested',
      'commented',
    ]);
    expect(await failure(open().issue(1))).toMatchObject({ code: 'FORGE_ANSWER_INVALID' });
  });

  it('of one’s own pull request are told by the logins', async () => {
    script({
      'POST /repos/acme/app/pulls/3/reviews': { status: 422, json: { message: 'Unprocessable' } },
      'GET /repos/acme/app/pulls/3': { json: pull(3, { user: { login: 'Ada' } }) },
      'GET /user': { json: { login: 'ada' } },
    });

    const error = await failure(open().review(3, { event: 'APPROVE', body: 'fine', commit_id: SHA }));

    expect(error).toMatchObject({ code: 'FORGE_SELF_REVIEW', details: { pr_number: 3, login: 'ada' } });
  });

  it('of another’s pull request that the host refuses stay FORGE_INVALID', async () => {
    script({
      'POST /repos/acme/app/pulls/3/reviews': { status: 422, json: { message: 'Unprocessable' } },
      'GET /repos/acme/app/pulls/3': { json: pull(3, { user: { login: 'bob' } }) },
      'GET /user': { json: { login: 'ada' } },
    });

    const error = await failure(open().review(3, { event: 'REQUEST_CHANGES', body: 'no', commit_id: SHA }));

    expect(error.code).toBe('FORGE_INVALID');
  });
});

describe('checks', () => {
  const run = (status: string, conclusion: string | null) => ({ status, conclusion });
  it.each([
    ['none', { state: 'pending', total_count: 0, statuses: [] }, []],
    ['pending', { state: 'pending', total_count: 1 }, []],
    ['green', { state: 'success', total_count: 2 }, [run('completed', 'skipped')]],
    ['red', { state: 'success', total_count: 2 }, [run('completed', 'timed_out'), run('queued', null)]],
    [
      'pending',
      { state: 'success', total_count: 2 },
      [run('in_progress', null), run('completed', 'success')],
    ],
    ['red', { state: 'failure', total_count: 1 }, [run('in_progress', null)]],
  ])('are %s for status %j and runs %j', async (expected, status, check_runs) => {
    script({
      [`GET /repos/acme/app/commits/${SHA}/status`]: { json: status },
      [`GET /repos/acme/app/commits/${SHA}/check-runs`]: {
        json: { total_count: check_runs.length, check_runs },
      },
    });

    expect(await open().checks(SHA)).toBe(expected);
  });
});

describe('a comparison', () => {
  it('tells both sides, what the name stood for and where they part', async () => {
    script({
      [`GET /repos/acme/app/compare/release%2F1...${SHA}`]: {
        json: {
          status: 'diverged',
          ahead_by: 2,
          behind_by: 3,
          total_commits: 2,
          base_commit: { sha: OTHER_SHA },
          merge_base_commit: { sha: SHA },
          commits: [],
          files: [],
        },
      },
    });

    const found = await open().compare('release/1', SHA);

    expect(found).toEqual({ ahead: 2, behind: 3, base_sha: OTHER_SHA, merge_base: SHA });
  });

  it('with a commit that is not known is FORGE_NOT_FOUND', async () => {
    expect(await failure(open().compare('main', SHA))).toMatchObject({ code: 'FORGE_NOT_FOUND' });
  });
});

describe('writes that find nothing to do', () => {
  it('leave an existing label as it is', async () => {
    script({ 'GET /repos/acme/app/labels/caloron%3Atask': { json: { id: 1, name: 'caloron:task' } } });

    await open().ensureLabel('caloron:task');

    expect(requests.map((seen) => seen.method)).toEqual(['GET']);
  });

  it('take a label that another run made meanwhile', async () => {
    let made = false;
    script({
      'GET /repos/acme/app/labels/x': () =>
        made ? { json: { id: 1, name: 'x' } } : { status: 404, json: {} },
      'POST /repos/acme/app/labels': () => {
        made = true;
        return { status: 422, json: { message: 'Validation Failed' } };
      },
    });

    await open().ensureLabel('x');

    expect(requests).toHaveLength(3);
  });

  it('refuse a name that is no label', async () => {
    script({ 'POST /repos/acme/app/labels': { status: 422, json: { message: 'Validation Failed' } } });

    expect(await failure(open().ensureLabel('x'))).toMatchObject({ code: 'FORGE_INVALID' });
  });

  it('take a label away that is not there', async () => {
    await open().removeLabel(3, 'caloron:review');

    expect(requests[0]?.url).toBe('/repos/acme/app/issues/3/labels/caloron%3Areview');
  });

  it('delete a branch that is gone, with 404 or 422', async () => {
    script({ 'DELETE /repos/acme/app/git/refs/heads/caloron/s/t': { status: 422, json: {} } });

    await open().deleteBranch('caloron/s/t');
    await open().deleteBranch('caloron/s/other');

    expect(requests).toHaveLength(3);
  });

  it('refuse to hide that a branch is protected', async () => {
    script({
      'DELETE /repos/acme/app/git/refs/heads/main': { status: 422, json: {} },
      'GET /repos/acme/app/git/ref/heads/main': { json: { ref: 'refs/heads/main' } },
    });

    expect(await failure(open().deleteBranch('main'))).toMatchObject({ code: 'FORGE_INVALID' });
  });

  it('list no commits of an empty repository', async () => {
    script({ 'GET /repos/acme/app/commits': { status: 409, json: { message: 'Git Repository is empty.' } } });

    expect(await open().commits(5)).toEqual([]);
  });
});

describe('lists', () => {
  it('give issues with a label over all pages, without pull requests', async () => {
    script({
      'GET /repos/acme/app/issues': (seen) =>
        seen.url.includes('page=2')
          ? { json: [issue(1, '2026-04-14T08:00:00Z')] }
          : {
              json: [
                issue(3, '2026-04-14T08:00:00Z'),
                issue(2, '2026-04-14T08:00:00Z', { pull_request: {} }),
              ],
              headers: { link: `<${url}/repos/acme/app/issues?state=all&page=2>; rel="next"` },
            },
    });

    const found = await open().issuesWithLabel('caloron:task');

    expect(found.map((one) => one.number)).toEqual([3, 1]);
    expect(requests[0]?.url).toContain('labels=caloron%3Atask');
  });

  it('give the pull requests of a branch, none of a fork', async () => {
    script({
      'GET /repos/acme/app/pulls': {
        json: [
          pull(1),
          pull(2, { head: { ref: 'caloron/s/t', sha: SHA, repo: { full_name: 'mallory/app' } } }),
          pull(3, { head: { ref: 'other', sha: SHA, repo: { full_name: 'acme/app' } } }),
        ],
      },
    });

    const found = await open().pullsOfBranch('caloron/s/t');

    expect(found.map((one) => one.number)).toEqual([1]);
    expect(requests[0]?.url).toContain('head=acme%3Acaloron%2Fs%2Ft');
  });
});

describe('on Gitea', () => {
  const gitea = () => open({ host: `${url}/api/v1/` });

  it('merges with Do and reads the commit from the pull request', async () => {
    script({
      'POST /api/v1/repos/acme/app/pulls/3/merge': { status: 200, headers: { 'content-length': '0' } },
      'GET /api/v1/repos/acme/app/pulls/3': {
        json: pull(3, { state: 'closed', merged_at: '2026-04-14T08:00:00Z' }),
      },
    });

    const { merge_sha } = await gitea().merge(3, { sha: SHA, method: 'merge', title: 'Add it' });

    expect(merge_sha).toBe(OTHER_SHA);
    expect(requests[0]?.body).toMatchObject({ Do: 'merge', head_commit_id: SHA, MergeTitleField: 'Add it' });
  });

  it('compares both ways, for it counts one side', async () => {
    script({
      [`GET /api/v1/repos/acme/app/compare/main...${SHA}`]: { json: { total_commits: 2, commits: [] } },
      [`GET /api/v1/repos/acme/app/compare/${SHA}...main`]: { json: { total_commits: 3, commits: [] } },
    });

    const found = await gitea().compare('main', SHA);

    expect(found).toEqual({ ahead: 2, behind: 3, base_sha: null, merge_base: null });
  });

  it('writes labels by their ids', async () => {
    script({
      'GET /api/v1/repos/acme/app/labels': { json: [{ id: 5, name: 'caloron:task' }] },
      'POST /api/v1/repos/acme/app/issues/3/labels': { json: [] },
      'DELETE /api/v1/repos/acme/app/issues/3/labels/5': { status: 204 },
    });

    await gitea().addLabels(3, ['caloron:task']);
    await gitea().removeLabel(3, 'caloron:task');

    expect(requests.find((seen) => seen.method === 'POST')?.body).toEqual({ labels: [5] });
    expect(requests.some((seen) => seen.method === 'DELETE')).toBe(true);
  });

  it('reads issues from the cursor on, to their end, in any order', async () => {
    script({
      'GET /api/v1/repos/acme/app/issues': {
        json: [
          issue(2, '2026-04-14T08:01:00Z'),
          issue(1, '2026-04-14T10:03:00+02:00'),
          issue(3, '2026-04-14T08:02:00Z'),
        ],
      },
    });

    const { items, cursor } = await gitea().changedIssues('2026-04-14T08:02:00.000Z');

    expect(items.map((item) => item.number)).toEqual([1, 3]);
    expect(cursor).toBe('2026-04-14T08:03:00.000Z');
    expect(requests[0]?.url).toContain('since=2026-04-14T08%3A02%3A00.000Z');
  });
});
