import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { ForgeRepo } from '@caloron/types';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { fixedClock } from './clock.ts';
import { ForgeError } from './forge-errors.ts';
import { openRepo } from './github.ts';

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

  it('5.5.13 merges with Do and reads the commit from the pull request', async () => {
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

  it('5.5.13 writes labels by their ids', async () => {
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
