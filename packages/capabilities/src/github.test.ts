import { describe, expect, it } from 'vitest';

import {
  failure,
  OTHER_SHA,
  hostOfEachTest,
  scriptedHost,
  SHA,
  TOKEN,
  wireIssue,
  wirePull,
} from './testing/scripted-host.ts';

const host = hostOfEachTest();

describe('the token', () => {
  it('goes to the host as a header and nowhere else', async () => {
    host.script({ 'GET /user': { json: { login: 'ada' } } });

    await host.open().whoami();

    expect(host.requests[0]?.headers.authorization).toBe(`token ${TOKEN}`);
    expect(host.requests[0]?.url).not.toContain(TOKEN);
  });

  it('does not follow a redirect to another host', async () => {
    const elsewhere = await scriptedHost();
    try {
      elsewhere.script({ 'GET /user': { json: { login: 'mallory' } } });
      host.script({ 'GET /user': { status: 302, headers: { location: `${elsewhere.url}/user` } } });

      const error = await failure(host.open().whoami());

      expect(error).toMatchObject({ code: 'FORGE_ANSWER_INVALID', details: { status: 302 } });
      expect(elsewhere.requests).toEqual([]);
    } finally {
      await elsewhere.close();
    }
  });

  it('follows a redirect within the host: a renamed repository', async () => {
    host.script({
      'GET /repos/acme/app/issues/1': {
        status: 301,
        headers: { location: `${host.url}/repositories/9/issues/1` },
      },
      'GET /repositories/9/issues/1': { json: wireIssue(1, '2026-04-14T08:00:00Z') },
    });

    expect(await host.open().issue(1)).toMatchObject({ number: 1 });
  });

  it('does not follow a next page on another host', async () => {
    const elsewhere = await scriptedHost();
    try {
      host.script({
        'GET /repos/acme/app/issues/1/comments': {
          json: [],
          headers: { link: `<${elsewhere.url}/x?after=abc>; rel="next"` },
        },
      });

      expect(await failure(host.open().comments(1))).toMatchObject({ code: 'FORGE_ANSWER_INVALID' });
      expect(host.requests).toHaveLength(1);
      expect(elsewhere.requests).toEqual([]);
    } finally {
      await elsewhere.close();
    }
  });
});

describe('reviews', () => {
  it('leave pending ones out and come oldest first', async () => {
    const review = { user: { login: 'bob' }, body: '', commit_id: SHA };
    host.script({
      'GET /repos/acme/app/pulls/3/reviews': {
        json: [
          { ...review, id: 3, state: 'DISMISSED', submitted_at: '2026-04-14T08:03:00Z' },
          { ...review, id: 2, state: 'PENDING' },
          { ...review, id: 1, state: 'APPROVED', submitted_at: '2026-04-14T08:01:00Z', user: null },
        ],
      },
    });

    const reviews = await host.open().reviews(3);

    expect(reviews.map(({ id, state, author }) => [id, state, author])).toEqual([
      ['1', 'approved', null],
      ['3', 'dismissed', 'bob'],
    ]);
  });

  it('D8 take the host’s words in any case for ours; a word nobody knows is no verdict', async () => {
    const review = { user: { login: 'bob' }, body: '', commit_id: SHA, submitted_at: '2026-04-14T08:01:00Z' };
    const states = ['Approved', 'request_changes', 'CHANGES_REQUESTED', 'comment', 'LOOKS_GOOD'];
    host.script({
      'GET /repos/acme/app/pulls/3/reviews': {
        json: states.map((state, at) => ({ ...review, id: at + 1, state })),
      },
      'GET /repos/acme/app/issues/1': {
        json: { ...wireIssue(1, '2026-04-14T08:00:00Z'), state: 'resolved' },
      },
    });

    const reviews = await host.open().reviews(3);

    expect(reviews.map(({ state }) => state)).toEqual([
      'approved',
      'changes_requested',
      'changes_requested',
      'commented',
    ]);
    expect(await failure(host.open().issue(1))).toMatchObject({ code: 'FORGE_ANSWER_INVALID' });
  });

  it('of one’s own pull request are told by the logins', async () => {
    host.script({
      'POST /repos/acme/app/pulls/3/reviews': { status: 422, json: { message: 'Unprocessable' } },
      'GET /repos/acme/app/pulls/3': { json: wirePull(3, { user: { login: 'Ada' } }) },
      'GET /user': { json: { login: 'ada' } },
    });

    const error = await failure(host.open().review(3, { event: 'APPROVE', body: 'fine', commit_id: SHA }));

    expect(error).toMatchObject({ code: 'FORGE_SELF_REVIEW', details: { pr_number: 3, login: 'ada' } });
  });

  it('of another’s pull request that the host refuses stay FORGE_INVALID', async () => {
    host.script({
      'POST /repos/acme/app/pulls/3/reviews': { status: 422, json: { message: 'Unprocessable' } },
      'GET /repos/acme/app/pulls/3': { json: wirePull(3, { user: { login: 'bob' } }) },
      'GET /user': { json: { login: 'ada' } },
    });

    const error = await failure(
      host.open().review(3, { event: 'REQUEST_CHANGES', body: 'no', commit_id: SHA }),
    );

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
    host.script({
      [`GET /repos/acme/app/commits/${SHA}/status`]: { json: status },
      [`GET /repos/acme/app/commits/${SHA}/check-runs`]: {
        json: { total_count: check_runs.length, check_runs },
      },
    });

    expect(await host.open().checks(SHA)).toBe(expected);
  });
});

describe('a comparison', () => {
  it('tells both sides, what the name stood for and where they part', async () => {
    host.script({
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

    const found = await host.open().compare('release/1', SHA);

    expect(found).toEqual({ ahead: 2, behind: 3, base_sha: OTHER_SHA, merge_base: SHA });
  });

  it('with a commit that is not known is FORGE_NOT_FOUND', async () => {
    expect(await failure(host.open().compare('main', SHA))).toMatchObject({ code: 'FORGE_NOT_FOUND' });
  });
});

describe('writes that find nothing to do', () => {
  it('leave an existing label as it is', async () => {
    host.script({ 'GET /repos/acme/app/labels/caloron%3Atask': { json: { id: 1, name: 'caloron:task' } } });

    await host.open().ensureLabel('caloron:task');

    expect(host.requests.map((seen) => seen.method)).toEqual(['GET']);
  });

  it('take a label that another run made meanwhile', async () => {
    let made = false;
    host.script({
      'GET /repos/acme/app/labels/x': () =>
        made ? { json: { id: 1, name: 'x' } } : { status: 404, json: {} },
      'POST /repos/acme/app/labels': () => {
        made = true;
        return { status: 422, json: { message: 'Validation Failed' } };
      },
    });

    await host.open().ensureLabel('x');

    expect(host.requests).toHaveLength(3);
  });

  it('refuse a name that is no label', async () => {
    host.script({ 'POST /repos/acme/app/labels': { status: 422, json: { message: 'Validation Failed' } } });

    expect(await failure(host.open().ensureLabel('x'))).toMatchObject({ code: 'FORGE_INVALID' });
  });

  it('take a label away that is not there', async () => {
    await host.open().removeLabel(3, 'caloron:review');

    expect(host.requests[0]?.url).toBe('/repos/acme/app/issues/3/labels/caloron%3Areview');
  });

  it('delete a branch that is gone, with 404 or 422', async () => {
    host.script({ 'DELETE /repos/acme/app/git/refs/heads/caloron/s/t': { status: 422, json: {} } });

    await host.open().deleteBranch('caloron/s/t');
    await host.open().deleteBranch('caloron/s/other');

    expect(host.requests).toHaveLength(3);
  });

  it('refuse to hide that a branch is protected', async () => {
    host.script({
      'DELETE /repos/acme/app/git/refs/heads/main': { status: 422, json: {} },
      'GET /repos/acme/app/git/ref/heads/main': { json: { ref: 'refs/heads/main' } },
    });

    expect(await failure(host.open().deleteBranch('main'))).toMatchObject({ code: 'FORGE_INVALID' });
  });

  it('list no commits of an empty repository', async () => {
    host.script({
      'GET /repos/acme/app/commits': { status: 409, json: { message: 'Git Repository is empty.' } },
    });

    expect(await host.open().commits(5)).toEqual([]);
  });
});

describe('lists', () => {
  it('give issues with a label over all pages, without pull requests', async () => {
    host.script({
      'GET /repos/acme/app/issues': (seen) =>
        seen.url.includes('page=2')
          ? { json: [wireIssue(1, '2026-04-14T08:00:00Z')] }
          : {
              json: [
                wireIssue(3, '2026-04-14T08:00:00Z'),
                wireIssue(2, '2026-04-14T08:00:00Z', { pull_request: {} }),
              ],
              headers: { link: `<${host.url}/repos/acme/app/issues?state=all&page=2>; rel="next"` },
            },
    });

    const found = await host.open().issuesWithLabel('caloron:task');

    expect(found.map((one) => one.number)).toEqual([3, 1]);
    expect(host.requests[0]?.url).toContain('labels=caloron%3Atask');
  });

  it('give the pull requests of a branch, none of a fork', async () => {
    host.script({
      'GET /repos/acme/app/pulls': {
        json: [
          wirePull(1),
          wirePull(2, { head: { ref: 'caloron/s/t', sha: SHA, repo: { full_name: 'mallory/app' } } }),
          wirePull(3, { head: { ref: 'other', sha: SHA, repo: { full_name: 'acme/app' } } }),
        ],
      },
    });

    const found = await host.open().pullsOfBranch('caloron/s/t');

    expect(found.map((one) => one.number)).toEqual([1]);
    expect(host.requests[0]?.url).toContain('head=acme%3Acaloron%2Fs%2Ft');
  });
});

describe('on Gitea', () => {
  const gitea = () => host.open({ host: `${host.url}/api/v1/` });

  it('5.5.13 merges with Do and reads the commit from the pull request', async () => {
    host.script({
      'POST /api/v1/repos/acme/app/pulls/3/merge': { status: 200, headers: { 'content-length': '0' } },
      'GET /api/v1/repos/acme/app/pulls/3': {
        json: wirePull(3, { state: 'closed', merged_at: '2026-04-14T08:00:00Z' }),
      },
    });

    const { merge_sha } = await gitea().merge(3, { sha: SHA, method: 'merge', title: 'Add it' });

    expect(merge_sha).toBe(OTHER_SHA);
    expect(host.requests[0]?.body).toMatchObject({
      Do: 'merge',
      head_commit_id: SHA,
      MergeTitleField: 'Add it',
    });
  });

  it('compares both ways, for it counts one side', async () => {
    host.script({
      [`GET /api/v1/repos/acme/app/compare/main...${SHA}`]: { json: { total_commits: 2, commits: [] } },
      [`GET /api/v1/repos/acme/app/compare/${SHA}...main`]: { json: { total_commits: 3, commits: [] } },
    });

    const found = await gitea().compare('main', SHA);

    expect(found).toEqual({ ahead: 2, behind: 3, base_sha: null, merge_base: null });
  });

  it('5.5.13 writes labels by their ids', async () => {
    host.script({
      'GET /api/v1/repos/acme/app/labels': { json: [{ id: 5, name: 'caloron:task' }] },
      'POST /api/v1/repos/acme/app/issues/3/labels': { json: [] },
      'DELETE /api/v1/repos/acme/app/issues/3/labels/5': { status: 204 },
    });

    await gitea().addLabels(3, ['caloron:task']);
    await gitea().removeLabel(3, 'caloron:task');

    expect(host.requests.find((seen) => seen.method === 'POST')?.body).toEqual({ labels: [5] });
    expect(host.requests.some((seen) => seen.method === 'DELETE')).toBe(true);
  });

  it('reads issues from the cursor on, to their end, in any order', async () => {
    host.script({
      'GET /api/v1/repos/acme/app/issues': {
        json: [
          wireIssue(2, '2026-04-14T08:01:00Z'),
          wireIssue(1, '2026-04-14T10:03:00+02:00'),
          wireIssue(3, '2026-04-14T08:02:00Z'),
        ],
      },
    });

    const { items, cursor } = await gitea().changedIssues('2026-04-14T08:02:00.000Z');

    expect(items.map((item) => item.number)).toEqual([1, 3]);
    expect(cursor).toBe('2026-04-14T08:03:00.000Z');
    expect(host.requests[0]?.url).toContain('since=2026-04-14T08%3A02%3A00.000Z');
  });
});
