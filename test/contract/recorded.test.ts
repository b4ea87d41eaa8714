import type { ForgeRepo, Sha } from '@caloron/types';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { appRepo, testForge, type TestForge } from '../../packages/forge/src/test-kit.ts';
import { type Recording, recordings, serveRecorded } from './recorded.ts';

/** Runs on what GitHub answered in a scenario; a request that was not recorded fails the test. */
async function on<T>(scenario: string, act: (forge: ForgeRepo) => Promise<T>, repo?: string): Promise<T> {
  const host = await serveRecorded(scenario, repo);
  try {
    return await act(host.forge);
  } finally {
    await host.close();
    expect(host.strange).toEqual([]);
  }
}

describe('the client reads what GitHub has answered', () => {
  it('of a repository', async () => {
    const info = await on('get-repository', (forge) => forge.info(), 'octokit-fixture-org/hello-world');

    expect(info).toMatchObject({
      full_name: 'octokit-fixture-org/hello-world',
      default_branch: 'master',
      private: false,
    });
  });

  it('of a repository that was renamed: behind the redirect', async () => {
    const host = await serveRecorded('rename-repository');
    try {
      expect(await host.forge.info()).toMatchObject({
        full_name: expect.stringContaining('rename-repository') as unknown,
      });
    } finally {
      await host.close();
    }
  });

  it('of issues over five pages, whose next page has another path', async () => {
    const { items, skipped } = await on('paginate-issues', (forge) => forge.changedIssues(null));

    expect(items.map(({ number }) => number).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 13 }, (_, at) => at + 1),
    );
    expect(skipped).toEqual([]);
    expect(items.every(({ is_pull, state }) => !is_pull && state === 'open')).toBe(true);
  });

  it('of an issue that was made, and labels that were put on it', async () => {
    const issue = await on('add-labels-to-issue', async (forge) => {
      const made = await forge.createIssue({ title: 'Issue without a label', body: '', labels: [] });
      await forge.addLabels(made.number, ['Foo', 'bAr', 'baZ']);
      return made;
    });

    expect(issue).toMatchObject({ number: 1, state: 'open', labels: [], closed_at: null });
  });

  it('of a label that is there', async () => {
    await on('labels', (forge) => forge.ensureLabel('test-label'));
  });

  it('of a label it refuses: in words, without repetition', async () => {
    const host = await serveRecorded('errors');
    try {
      await expect(host.forge.ensureLabel('foo', { color: 'invalid' })).rejects.toMatchObject({
        code: 'FORGE_INVALID',
        retryable: false,
        details: { status: 422, answer: expect.stringContaining('Validation Failed') as unknown },
      });
    } finally {
      await host.close();
    }
  });

  it('of a commit one of whose contexts failed', async () => {
    const sha = '0000000000000000000000000000000000000001' as Sha;
    const path = `/repos/octokit-fixture-org/create-status/commits/${sha}/check-runs`;
    const runs = {
      method: 'get',
      path,
      status: 200,
      response: { total_count: 0, check_runs: [] },
      headers: { 'content-type': 'application/json' },
    };
    const host = await serveRecorded('create-status', undefined, [runs]);
    try {
      expect(await host.forge.checks(sha)).toBe('red');
    } finally {
      await host.close();
    }
  });

  it('of a branch that is deleted', async () => {
    await on('git-refs', (forge) => forge.deleteBranch('test'));
  });
});

describe('the local forge answers as GitHub did', () => {
  /** Keys GitHub has and nobody here reads, by what they are of. */
  const UNREAD = {
    issue: ['labels_url', 'active_lock_reason', 'reactions', 'timeline_url', 'performed_via_github_app'],
    status: ['avatar_url'],
    combined: ['commit_url'],
    none: [],
  };
  /** Keys GitHub has today and had not when it was recorded. */
  const NEWER = ['status', 'closed_by'];
  /** Headers of browsers and of GitHub's own media types and scopes. */
  const OF_BROWSERS =
    /^(access-control-|content-security-policy|referrer-policy|strict-transport-security|x-(accepted-oauth-scopes|content-type-options|frame-options|github-media-type|oauth-scopes|xss-protection)$)/;

  let forge: TestForge;
  let sha = '';
  const REPO = '/repos/alice/app';
  beforeAll(async () => {
    forge = await testForge();
    sha = await (await appRepo(forge)).clone.git('rev-parse', 'origin/main');
    for (let at = 0; at < 4; at += 1) await ask('POST', `${REPO}/issues`, { title: `issue ${String(at)}` });
    await ask('POST', `${REPO}/labels`, { name: 'there', color: '663399' });
  });
  afterAll(() => forge.stop());

  async function ask(method: string, path: string, body?: object) {
    const answer = await forge.fetch(path, {
      as: 'alice',
      method,
      headers: { 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return {
      status: answer.status,
      headers: answer.headers,
      json: text === '' ? undefined : (JSON.parse(text) as unknown),
    };
  }

  const keysOf = (json: unknown): string[] =>
    Object.keys((Array.isArray(json) ? (json[0] as object | undefined) : (json as object | undefined)) ?? {});
  const at = (scenario: string, index: number): Recording => {
    const found = recordings(scenario)[index];
    if (found === undefined) throw new Error(`${scenario} has no answer ${String(index)}`);
    return found;
  };

  it.each<[string, () => Recording, () => [string, string, object?], keyof typeof UNREAD]>([
    [
      'a new label',
      () => at('labels', 1),
      () => ['POST', `${REPO}/labels`, { name: 'new', color: '663399' }],
      'none',
    ],
    ['a label', () => at('labels', 2), () => ['GET', `${REPO}/labels/there`], 'none'],
    [
      'a new issue',
      () => at('add-labels-to-issue', 0),
      () => ['POST', `${REPO}/issues`, { title: 'x' }],
      'issue',
    ],
    [
      'labels put on',
      () => at('add-labels-to-issue', 1),
      () => ['POST', `${REPO}/issues/1/labels`, { labels: ['a', 'b'] }],
      'none',
    ],
    ['a list of issues', () => at('paginate-issues', 0), () => ['GET', `${REPO}/issues?per_page=3`], 'issue'],
    [
      'a refused label',
      () => at('errors', 0),
      () => ['POST', `${REPO}/labels`, { name: 'foo', color: 'invalid' }],
      'none',
    ],
    [
      'a new status',
      () => at('create-status', 0),
      () => ['POST', `${REPO}/statuses/${sha}`, { state: 'failure' }],
      'status',
    ],
    [
      'a combined status',
      () => at('create-status', 3),
      () => ['GET', `${REPO}/commits/${sha}/status`],
      'combined',
    ],
    [
      'no protection',
      () => at('branch-protection', 0),
      () => ['GET', `${REPO}/branches/main/protection`],
      'none',
    ],
    [
      'a new ref',
      () => at('git-refs', 1),
      () => ['POST', `${REPO}/git/refs`, { ref: 'refs/heads/made', sha }],
      'none',
    ],
    ['a deleted ref', () => at('git-refs', 4), () => ['DELETE', `${REPO}/git/refs/heads/made`], 'none'],
  ])('to %s: status, keys and headers', async (_, recording, request, unread) => {
    const recorded = recording();

    const mine = await ask(...request());

    expect(mine.status).toBe(recorded.status);
    const [here, there] = [keysOf(mine.json), keysOf(recorded.status === 204 ? {} : recorded.response)];
    expect(there.filter((key) => !here.includes(key))).toEqual(UNREAD[unread]);
    expect(here.filter((key) => !there.includes(key) && !NEWER.includes(key))).toEqual([]);
    const lacking = Object.keys(recorded.headers).filter(
      (name) => !mine.headers.has(name) && !OF_BROWSERS.test(name),
    );
    // What a write makes is asked for by number, and no ETag of a write is ever sent back.
    const ofWrites = ['cache-control', 'etag', 'location', 'last-modified'];
    expect(lacking.filter((name) => !ofWrites.includes(name))).toEqual([]);
    if (request()[0] === 'GET' && recorded.status === 200) expect(mine.headers.has('etag')).toBe(true);
  });

  it('with the same words of a refusal', async () => {
    const { json } = await ask('POST', `${REPO}/labels`, { name: 'foo', color: 'invalid' });

    expect(json).toMatchObject({
      message: 'Validation Failed',
      errors: [{ resource: 'Label', code: 'invalid', field: 'color' }],
    });
    expect(at('errors', 0).response).toMatchObject({
      message: 'Validation Failed',
      errors: [{ resource: 'Label', code: 'invalid', field: 'color' }],
    });
  });

  it('with the same relations in a Link header', async () => {
    const relations = (link: string | null | undefined) =>
      [...(link ?? '').matchAll(/rel="(\w+)"/g)].map(([, name]) => name);
    const { headers } = await ask('GET', `${REPO}/issues?per_page=2`);

    expect(relations(headers.get('link'))).toEqual(
      relations(String(at('paginate-issues', 0).headers['link'])),
    );
  });
});
