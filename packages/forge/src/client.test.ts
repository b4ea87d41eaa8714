import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openRepo } from '@caloron/capabilities/github';
import { Sha, type ForgeRepo } from '@caloron/types';
import { appRepo, openPull, testForge, type Clone, type TestForge } from './test-kit.ts';

describe('Caloron’s own client on the local forge', () => {
  let forge: TestForge;
  let clone: Clone;
  let alice: ForgeRepo;
  let bob: ForgeRepo;
  const cached = new Map<
    string,
    { etag: string; status: number; headers: Record<string, string>; body: string; at: string }
  >();
  beforeAll(async () => {
    forge = await testForge();
    ({ clone } = await appRepo(forge));
    const cache = {
      get: async (key: string) => cached.get(key),
      put: async (key: string, answer: object) => {
        cached.set(key, answer as never);
      },
    };
    const as = (login: 'alice' | 'bob') =>
      openRepo({ repo: 'alice/app', host: forge.url, token: forge.tokens[login], cache });
    [alice, bob] = [as('alice'), as('bob')];
  });
  afterAll(async () => forge.stop());

  it('reads who and what is there', async () => {
    expect(await bob.whoami()).toBe('bob');
    expect(await bob.info()).toMatchObject({
      full_name: 'alice/app',
      default_branch: 'main',
      private: false,
    });
    expect((await bob.commits(5)).map(({ message }) => message)).toEqual(['first']);
    expect(await bob.languages()).toEqual({ TypeScript: 11 });
  });

  it('sees what changed', async () => {
    await alice.ensureLabel('caloron:task', { color: 'ededed', description: 'a task' });
    await alice.ensureLabel('caloron:task');
    const issue = await alice.createIssue({ title: 'One', body: 'b', labels: ['caloron:task'] });
    await bob.comment(issue.number, 'resolved');

    const first = await alice.changedIssues(null);
    const comments = await alice.changedComments(null);

    expect(first.items.map(({ number }) => number)).toContain(issue.number);
    expect(comments.items.map(({ body, author }) => [author, body])).toEqual([['bob', 'resolved']]);
    expect((await alice.issuesWithLabel('caloron:task')).map(({ number }) => number)).toEqual([issue.number]);
  });

  it('compares commits and branches, also where a tag has a branch’s name', async () => {
    const first = await clone.git('rev-parse', 'origin/main');
    await clone.git('checkout', '--quiet', '-B', 'release/v1.0', 'origin/main');
    const side = await clone.commit({ 's.txt': 's' });
    await clone.push('release/v1.0');
    await clone.git('checkout', '--quiet', '-B', 'other', 'origin/main');
    const head = await clone.commit({ 'o.txt': 'o' });
    await clone.git('tag', 'release/v1.0', head);
    await clone.push('other', 'refs/tags/release/v1.0');

    expect(await alice.compare('release/v1.0', 'other')).toEqual({
      ahead: 1,
      behind: 1,
      base_sha: side,
      merge_base: first,
    });
    expect(await alice.compare(first, head)).toMatchObject({ ahead: 1, behind: 0, merge_base: first });
    expect(await alice.compare(head, first)).toMatchObject({ ahead: 0, behind: 1 });
    await expect(alice.compare('c'.repeat(40), head)).rejects.toMatchObject({ code: 'FORGE_NOT_FOUND' });
    await expect(alice.compare('no-branch', head)).rejects.toMatchObject({ code: 'FORGE_NOT_FOUND' });
  });

  it('opens, reviews and merges a pull request, and knows every refusal by its code', async () => {
    await clone.git('checkout', '--quiet', '-B', 'caloron/s/t', 'origin/main');
    await clone.commit({ 't.txt': 't' });
    await clone.push('caloron/s/t');
    const made = await alice.createPull({ title: 'T', body: 'Closes #1', head: 'caloron/s/t', base: 'main' });
    const verdict = { body: 'ok', commit_id: made.head_sha } as const;

    await expect(alice.review(made.number, { event: 'APPROVE', ...verdict })).rejects.toMatchObject({
      code: 'FORGE_SELF_REVIEW',
    });
    await bob.review(made.number, { event: 'APPROVE', ...verdict });
    await alice.requestReview(made.number, ['carol']);
    expect((await alice.reviews(made.number)).map(({ state }) => state)).toEqual(['approved']);
    expect(await alice.checks(made.head_sha)).toBe('none');
    expect(await alice.pull(made.number)).toMatchObject({ mergeable: true, fork: false, merged_at: null });
    expect((await alice.pullsOfBranch('caloron/s/t')).map(({ number }) => number)).toEqual([made.number]);
    const wrong = alice.merge(made.number, { sha: Sha.parse('c'.repeat(40)), method: 'squash' });
    await expect(wrong).rejects.toMatchObject({ code: 'FORGE_HEAD_MOVED' });
    const { merge_sha } = await alice.merge(made.number, { sha: made.head_sha, method: 'squash' });
    expect(await alice.pull(made.number)).toMatchObject({ state: 'closed', merge_sha });
    expect((await alice.issue(1)).state).toBe('closed');
    await alice.deleteBranch('caloron/s/t');
    const twice = await alice.merge(made.number, { sha: made.head_sha, method: 'squash' });
    expect(twice).toEqual({ merge_sha });
  });

  it('knows a conflict, a stranger and an absent repository', async () => {
    const pull = await openPull(forge, clone, { branch: 'clash', files: { 'a.txt': 'theirs\n' } });
    await clone.git('checkout', '--quiet', '-B', 'main', 'origin/main');
    await clone.git('pull', '--quiet', 'origin', 'main');
    await clone.commit({ 'a.txt': 'ours\n' });
    await clone.push('main');
    const { head_sha } = await alice.pull(pull.number);

    const merge = alice.merge(pull.number, { sha: head_sha, method: 'merge' });
    const absent = openRepo({ repo: 'alice/absent', host: forge.url, token: forge.tokens.bob });
    const unknown = openRepo({ repo: 'alice/app', host: forge.url, token: 'nobody' });

    await expect(merge).rejects.toMatchObject({ code: 'FORGE_NOT_MERGEABLE' });
    await expect(absent.info()).rejects.toMatchObject({ code: 'FORGE_NOT_FOUND' });
    await expect(unknown.info()).rejects.toMatchObject({ code: 'FORGE_UNAUTHORIZED' });
  });

  it('labels, closes and reopens', async () => {
    const { number } = await alice.createIssue({ title: 'Two', body: '', labels: [] });

    await alice.addLabels(number, ['caloron:done']);
    await alice.removeLabel(number, 'caloron:done');
    await alice.removeLabel(number, 'never there');
    await alice.closeIssue(number);
    await alice.reopenIssue(number);

    expect(await alice.issue(number)).toMatchObject({ state: 'open', labels: [] });
  });
});
