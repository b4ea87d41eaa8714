import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { appRepo, openPull, testForge, type Clone, type TestForge } from './test-kit.ts';

const at = { owner: 'alice', repo: 'app' } as const;

describe('pull requests', () => {
  let forge: TestForge;
  let clone: Clone;
  beforeAll(async () => {
    forge = await testForge();
    ({ clone } = await appRepo(forge));
  });
  afterAll(async () => forge.stop());
  const create = async (head: string, base = 'main') =>
    forge.as('alice').pulls.create({ ...at, title: 't', head, base });
  const get = async (pull_number: number) => (await forge.as('alice').pulls.get({ ...at, pull_number })).data;

  it('refuses a missing head, a missing base, no commits between, and an open twin with 422', async () => {
    await openPull(forge, clone, { branch: 'twin', files: { 'twin.txt': 't' } });
    await clone.push('origin/main:refs/heads/same');

    await expect(create('absent')).rejects.toMatchObject({
      status: 422,
      response: { data: { errors: [{ resource: 'PullRequest', field: 'head', code: 'invalid' }] } },
    });
    await expect(create('twin', 'absent')).rejects.toMatchObject({ status: 422 });
    await expect(create('bob:twin')).rejects.toMatchObject({ status: 422 });
    await expect(create('same')).rejects.toMatchObject({
      status: 422,
      message: expect.stringContaining('No commits between main and same'),
    });
    await expect(create('alice:twin')).rejects.toMatchObject({
      status: 422,
      message: expect.stringContaining('A pull request already exists for alice:twin'),
    });
  });

  it('refuses a head without history in common', async () => {
    await clone.git('checkout', '--quiet', '--orphan', 'island');
    await clone.commit({ 'i.txt': 'i' });
    await clone.push('island');

    await expect(create('island')).rejects.toMatchObject({ status: 422 });
    await clone.git('checkout', '--quiet', 'main');
  });

  it('lists by state, head and base, by the last change', async () => {
    const a = await openPull(forge, clone, { branch: 'list-a', files: { 'la.txt': 'a' } });
    const b = await openPull(forge, clone, { branch: 'list-b', files: { 'lb.txt': 'b' } });
    const alice = forge.as('alice');
    await alice.issues.createComment({ ...at, issue_number: a.number, body: 'x' });

    const updated = await alice.pulls.list({ ...at, state: 'all', sort: 'updated', direction: 'desc' });
    const created = await alice.pulls.list({ ...at });
    const head = await alice.pulls.list({ ...at, head: 'alice:list-b', state: 'all' });

    expect(updated.data.map(({ number }) => number).slice(0, 2)).toEqual([a.number, b.number]);
    expect(created.data[0]?.number).toBe(b.number);
    expect(head.data.map(({ number }) => number)).toEqual([b.number]);
    expect((await alice.pulls.list({ ...at, head: 'bob:list-b', state: 'all' })).data).toEqual([]);
    expect((await alice.pulls.list({ ...at, base: 'other', state: 'all' })).data).toEqual([]);
  });

  it('follows a push to its branch: head, commits and change time', async () => {
    const pull = await openPull(forge, clone, { branch: 'follow', files: { 'f.txt': '1' } });
    const sha = await clone.commit({ 'f.txt': '2' }, 'second');
    await clone.push('follow');

    const { data } = await forge.as('bob').pulls.list({ ...at, head: 'alice:follow' });
    const detail = await get(pull.number);
    const commits = await forge.as('bob').pulls.listCommits({ ...at, pull_number: pull.number });

    expect(data[0]?.head.sha).toBe(sha);
    expect(detail).toMatchObject({ commits: 2, additions: 1, changed_files: 1 });
    expect(commits.data.map(({ commit }) => commit.message)).toEqual(['work on follow', 'second']);
    const order = await forge.as('bob').pulls.list({ ...at, sort: 'updated', direction: 'desc' });
    expect(order.data[0]?.number).toBe(pull.number);
  });

  it('tells a force push and a deleted branch: the pull request closes and keeps its last commit', async () => {
    const pull = await openPull(forge, clone, { branch: 'gone', files: { 'g.txt': '1' } });
    await clone.git('commit', '--quiet', '--amend', '-m', 'other');
    const sha = await clone.git('rev-parse', 'HEAD');
    await clone.push('--force', 'gone');
    await clone.push('--delete', 'gone');

    const detail = await get(pull.number);

    expect(detail).toMatchObject({ state: 'closed', merged: false, head: { ref: 'gone', sha } });
    const events = await forge.as('alice').issues.listEvents({ ...at, issue_number: pull.number });
    expect(events.data.map(({ event }) => event)).toEqual([
      'head_ref_force_pushed',
      'head_ref_deleted',
      'closed',
    ]);
    const reopen = forge.as('alice').pulls.update({ ...at, pull_number: pull.number, state: 'open' });
    await expect(reopen).rejects.toMatchObject({ status: 422 });
    await clone.git('fetch', '--quiet', 'origin', `refs/pull/${pull.number}/head`);
    expect(await clone.git('rev-parse', 'FETCH_HEAD')).toBe(sha);
  });

  it('says whether the merge would conflict, and again after the base moved', async () => {
    const pull = await openPull(forge, clone, { branch: 'clash', files: { 'a.txt': 'one\nHEAD\nthree\n' } });
    expect(await get(pull.number)).toMatchObject({ mergeable: true, mergeable_state: 'clean' });
    await clone.git('checkout', '--quiet', 'main');
    await clone.commit({ 'a.txt': 'one\nBASE\nthree\n' });
    await clone.push('main');

    const after = await get(pull.number);

    expect(after).toMatchObject({ mergeable: false, mergeable_state: 'dirty' });
  });

  it('lists files with their patches, renames and binary files among them', async () => {
    await clone.git('fetch', '--quiet');
    await clone.git('checkout', '--quiet', '-B', 'files', 'origin/main');
    await clone.commit({ 'long.txt': 'line\n'.repeat(20), 'gone me.txt': 'x\n' }, 'prepare');
    await clone.push('files');
    await clone.git('checkout', '--quiet', '-B', 'files2');
    await clone.git('mv', 'long.txt', 'dir-ä.txt');
    await clone.git('rm', '--quiet', 'gone me.txt');
    await clone.commit({ 'bin.dat': 'a\0b', 'new.txt': 'diff --git a/x b/x\n@@ no\n' }, 'work');
    await clone.push('files2');
    const { data: pull } = await create('files2', 'files');

    const { data } = await forge.as('bob').pulls.listFiles({ ...at, pull_number: pull.number });

    const shown = data.map(({ filename, status, additions, deletions }) => [
      filename,
      status,
      additions,
      deletions,
    ]);
    expect(shown).toEqual([
      ['bin.dat', 'added', 0, 0],
      ['dir-ä.txt', 'renamed', 0, 0],
      ['gone me.txt', 'removed', 0, 1],
      ['new.txt', 'added', 2, 0],
    ]);
    expect(data[1]?.previous_filename).toBe('long.txt');
    expect(data[0]?.patch).toBeUndefined();
    expect(data[3]?.patch).toBe('@@ -0,0 +1,2 @@\n+diff --git a/x b/x\n+@@ no');
  });

  it('gives the diff and the patch as text', async () => {
    const pull = await openPull(forge, clone, { branch: 'text', files: { 'text.txt': 'hello\n' } });
    const text = async (format: string) => {
      const { data } = await forge
        .as('bob')
        .pulls.get({ ...at, pull_number: pull.number, mediaType: { format } });
      return z.string().parse(data);
    };

    expect(await text('diff')).toContain('+hello\n');
    expect(await text('patch')).toContain('Subject: [PATCH] work on text');
  });

  it('closes and reopens by its author or a writer', async () => {
    const pull = await openPull(forge, clone, { branch: 'close', files: { 'close.txt': 'x' } });
    const pull_number = pull.number;

    const closed = await forge.as('bob').pulls.update({ ...at, pull_number, state: 'closed' });
    const twin = await create('close');
    const reopen = forge.as('bob').pulls.update({ ...at, pull_number, state: 'open' });

    expect(closed.data).toMatchObject({ state: 'closed', merged: false, mergeable: null });
    await expect(reopen).rejects.toMatchObject({ status: 422 });
    await forge.as('bob').pulls.update({ ...at, pull_number: twin.data.number, state: 'closed' });
    const opened = await forge.as('bob').issues.update({ ...at, issue_number: pull_number, state: 'open' });
    expect(opened.data.state).toBe('open');
  });

  it('is merged when a push brings its head onto the base', async () => {
    const pull = await openPull(forge, clone, { branch: 'byhand', files: { 'byhand.txt': 'x' } });
    await clone.git('fetch', '--quiet');
    await clone.git('checkout', '--quiet', '-B', 'main', 'origin/main');
    await clone.git('merge', '--quiet', '--no-ff', '-m', 'by hand', 'byhand');
    await clone.push('main');

    expect(await get(pull.number)).toMatchObject({
      state: 'closed',
      merged: true,
      merged_by: { login: 'alice' },
    });
  });
});

describe('reviews', () => {
  let forge: TestForge;
  let pull_number: number;
  let head: string;
  beforeAll(async () => {
    forge = await testForge();
    const { clone } = await appRepo(forge);
    const pull = await openPull(forge, clone, { branch: 'work', files: { 'w.txt': 'w' } });
    [pull_number, head] = [pull.number, pull.head.sha];
  });
  afterAll(async () => forge.stop());

  it('refuses a verdict on one’s own pull request with 422 and takes a comment', async () => {
    const alice = forge.as('alice');
    const own = { ...at, pull_number, body: 'b' };

    await expect(alice.pulls.createReview({ ...own, event: 'APPROVE' })).rejects.toMatchObject({
      status: 422,
      message: expect.stringContaining('Can not approve your own pull request'),
    });
    await expect(alice.pulls.createReview({ ...own, event: 'REQUEST_CHANGES' })).rejects.toMatchObject({
      status: 422,
      message: expect.stringContaining('Can not request changes on your own pull request'),
    });
    const remark = await alice.pulls.createReview({ ...own, event: 'COMMENT' });
    expect(remark.data.state).toBe('COMMENTED');
  });

  it('refuses a request or a remark without words, and a commit it does not know', async () => {
    const bob = forge.as('bob');

    for (const event of ['REQUEST_CHANGES', 'COMMENT'] as const) {
      await expect(bob.pulls.createReview({ ...at, pull_number, event })).rejects.toMatchObject({
        status: 422,
      });
    }
    const unknown = bob.pulls.createReview({
      ...at,
      pull_number,
      event: 'APPROVE',
      commit_id: 'a'.repeat(40),
    });
    await expect(unknown).rejects.toMatchObject({ status: 422 });
  });

  it('lists reviews oldest first, keeps the commit they saw, and dismisses a verdict', async () => {
    const [bob, carol] = [forge.as('bob'), forge.as('carol')];
    const first = await bob.pulls.createReview({ ...at, pull_number, event: 'REQUEST_CHANGES', body: 'no' });
    await carol.pulls.createReview({ ...at, pull_number, event: 'APPROVE', commit_id: head });

    const review_id = first.data.id;
    const gone = await carol.pulls.dismissReview({ ...at, pull_number, review_id, message: 'done' });
    const { data } = await bob.pulls.listReviews({ ...at, pull_number });

    expect(gone.data.state).toBe('DISMISSED');
    const shown = data.slice(-2).map(({ user, state, commit_id }) => [user?.login, state, commit_id]);
    expect(shown).toEqual([
      ['bob', 'DISMISSED', head],
      ['carol', 'APPROVED', head],
    ]);
    const again = carol.pulls.dismissReview({ ...at, pull_number, review_id, message: 'x' });
    await expect(again).rejects.toMatchObject({ status: 422 });
  });

  it('asks collaborators for reviews until they give one', async () => {
    const alice = forge.as('alice');
    const ask = async (reviewers: string[]) =>
      alice.pulls.requestReviewers({ ...at, pull_number, reviewers });

    const asked = await ask(['bob', 'carol']);
    await alice.pulls.removeRequestedReviewers({ ...at, pull_number, reviewers: ['carol'] });
    await forge.as('bob').pulls.createReview({ ...at, pull_number, event: 'COMMENT', body: 'seen' });
    const left = await alice.pulls.listRequestedReviewers({ ...at, pull_number });

    expect(asked.data.requested_reviewers?.map(({ login }) => login)).toEqual(['bob', 'carol']);
    expect(left.data.users).toEqual([]);
    await expect(ask(['alice'])).rejects.toMatchObject({ status: 422 });
    await expect(ask(['nobody'])).rejects.toMatchObject({ status: 422 });
  });
});

describe('statuses and check runs', () => {
  let forge: TestForge;
  let sha: string;
  beforeAll(async () => {
    forge = await testForge();
    const { clone } = await appRepo(forge);
    sha = (await openPull(forge, clone, { branch: 'caloron/s/t', files: { 'c.txt': 'c' } })).head.sha;
  });
  afterAll(async () => forge.stop());

  it('combine the newest of each context; none at all is pending with an empty list', async () => {
    const alice = forge.as('alice');
    const combined = async () => (await alice.repos.getCombinedStatusForRef({ ...at, ref: sha })).data;
    const say = async (context: string, state: 'success' | 'failure' | 'pending') =>
      alice.repos.createCommitStatus({ ...at, sha, context, state });

    expect(await combined()).toMatchObject({ state: 'pending', total_count: 0, statuses: [] });
    await say('ci', 'pending');
    await say('lint', 'success');
    expect((await combined()).state).toBe('pending');
    await say('ci', 'success');
    expect(await combined()).toMatchObject({ state: 'success', total_count: 2 });
    await say('lint', 'failure');
    expect((await combined()).state).toBe('failure');
    const detail = await alice.pulls.get({ ...at, pull_number: 1 });
    expect(detail.data.mergeable_state).toBe('unstable');
  });

  it('are found by a branch name with slashes', async () => {
    const { data } = await forge.as('alice').repos.getCombinedStatusForRef({ ...at, ref: 'caloron/s/t' });

    expect(data.sha).toBe(sha);
  });

  it('refuse a commit that is not there', async () => {
    const unknown = { ...at, sha: 'b'.repeat(40), state: 'success' } as const;

    await expect(forge.as('alice').repos.createCommitStatus(unknown)).rejects.toMatchObject({ status: 422 });
  });

  it('keep the newest check run of each name', async () => {
    const alice = forge.as('alice');
    const run = await alice.checks.create({ ...at, name: 'build', head_sha: sha, status: 'in_progress' });
    const list = async () => (await alice.checks.listForRef({ ...at, ref: sha })).data;

    expect(await list()).toMatchObject({
      total_count: 1,
      check_runs: [{ status: 'in_progress', conclusion: null }],
    });
    await alice.checks.update({ ...at, check_run_id: run.data.id, conclusion: 'success' });
    expect((await list()).check_runs[0]).toMatchObject({ status: 'completed', conclusion: 'success' });
  });
});
