import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { git } from '@caloron/capabilities/git';
import { appRepo, openPull, testForge, type Clone, type TestForge } from './test-kit.ts';

const at = { owner: 'alice', repo: 'app' } as const;

describe('merging', () => {
  let forge: TestForge;
  let clone: Clone;
  beforeAll(async () => {
    forge = await testForge();
    ({ clone } = await appRepo(forge));
  });
  afterAll(async () => forge.stop());
  const merge = async (pull_number: number, options: object = {}) =>
    forge.as('alice').pulls.merge({ ...at, pull_number, ...options });
  const onMain = async (...args: string[]) => {
    await clone.git('fetch', '--quiet');
    return clone.git(...args);
  };
  const twoCommits = async (branch: string) => {
    const pull = await openPull(forge, clone, { branch, files: { [`${branch}-1.txt`]: '1' } });
    await clone.commit({ [`${branch}-2.txt`]: '2' }, `more on ${branch}`);
    await clone.push(branch);
    return pull;
  };
  const moveMain = async (file: string, text = 'x') => {
    await onMain('checkout', '--quiet', '-B', 'main', 'origin/main');
    await clone.commit({ [file]: text }, `main: ${file}`);
    await clone.push('main');
  };

  it('makes a merge commit of base and head', async () => {
    const pull = await twoCommits('merge');
    await moveMain('m.txt');

    const { data } = await merge(pull.number, { commit_title: 'Title', commit_message: 'Text' });

    expect(await onMain('rev-parse', 'origin/main')).toBe(data.sha);
    expect(await clone.git('log', '-1', '--format=%B', data.sha)).toBe('Title\n\nText\n');
    expect(await clone.git('rev-list', '--count', '--merges', '-1', data.sha)).toBe('1');
    expect(await clone.git('ls-tree', '--name-only', data.sha)).toContain('merge-2.txt');
    expect(await clone.git('log', '-1', '--format=%cn', data.sha)).toBe('alice');
  });

  it('squashes into one commit with a list of what it holds', async () => {
    const pull = await twoCommits('squash');
    await moveMain('s.txt');

    const { data } = await merge(pull.number, { merge_method: 'squash' });

    const log = await onMain('log', '-1', '--format=%s|%P|%b', data.sha);
    const [subject, parents, body] = log.split('|');
    expect(subject).toBe(`Pull squash (#${pull.number})`);
    expect(parents?.split(' ')).toHaveLength(1);
    expect(body).toContain('* more on squash');
  });

  it('rebases commit by commit, keeping authors and words', async () => {
    const pull = await twoCommits('rebase');
    await moveMain('r.txt');

    const { data } = await merge(pull.number, { merge_method: 'rebase' });

    const log = await onMain('log', '-3', '--format=%s|%an|%ae', data.sha);
    expect(log.split('\n')).toEqual([
      'more on rebase|alice|alice@example.com',
      'work on rebase|alice|alice@example.com',
      'main: r.txt|alice|alice@example.com',
    ]);
    const files = await clone.git('ls-tree', '--name-only', data.sha);
    for (const name of ['rebase-1.txt', 'rebase-2.txt', 'r.txt']) expect(files).toContain(name);
  });

  it.each(['merge', 'squash', 'rebase'] as const)(
    'refuses a conflict with 405 and moves nothing (%s)',
    async (method) => {
      const branch = `clash-${method}`;
      const pull = await openPull(forge, clone, { branch, files: { 'a.txt': `one\n${method}\nthree\n` } });
      await moveMain('a.txt', `one\nmain ${method}\nthree\n`);
      const before = await onMain('rev-parse', 'origin/main');

      await expect(merge(pull.number, { merge_method: method })).rejects.toMatchObject({
        status: 405,
        message: expect.stringContaining('Pull Request is not mergeable'),
      });
      expect(await onMain('rev-parse', 'origin/main')).toBe(before);
    },
  );

  it('refuses another head than the caller saw with 409', async () => {
    const pull = await openPull(forge, clone, { branch: 'moved', files: { 'moved.txt': '1' } });
    const seen = pull.head.sha;
    await clone.commit({ 'moved.txt': '2' });
    await clone.push('moved');

    await expect(merge(pull.number, { sha: seen })).rejects.toMatchObject({
      status: 409,
      message: expect.stringContaining('Head branch was modified. Review and try the merge again.'),
    });
  });

  it('refuses what is merged, closed or a draft with 405, and tells whether it is merged', async () => {
    const pull = await openPull(forge, clone, { branch: 'once', files: { 'once.txt': '1' } });
    const pull_number = pull.number;
    const asked = forge.as('alice').pulls.checkIfMerged({ ...at, pull_number });
    await expect(asked).rejects.toMatchObject({ status: 404 });
    await merge(pull_number);

    await expect(merge(pull_number)).rejects.toMatchObject({ status: 405 });
    expect((await forge.as('alice').pulls.checkIfMerged({ ...at, pull_number })).status).toBe(204);
    const reopen = forge.as('alice').pulls.update({ ...at, pull_number, state: 'open' });
    await expect(reopen).rejects.toMatchObject({ status: 422 });
    const closed = await openPull(forge, clone, { branch: 'shut', files: { 'shut.txt': '1' } });
    await forge.as('alice').pulls.update({ ...at, pull_number: closed.number, state: 'closed' });
    await expect(merge(closed.number)).rejects.toMatchObject({ status: 405 });
    await clone.push('shut:refs/heads/draft');
    const draft = await forge
      .as('alice')
      .pulls.create({ ...at, title: 'd', head: 'draft', base: 'main', draft: true });
    await expect(merge(draft.data.number)).rejects.toMatchObject({ status: 405 });
  });

  it('needs push permission', async () => {
    const pull = await openPull(forge, clone, { branch: 'perm', files: { 'perm.txt': '1' } });
    await forge.as('alice').repos.removeCollaborator({ ...at, username: 'carol' });

    const attempt = forge.as('carol').pulls.merge({ ...at, pull_number: pull.number });

    await expect(attempt).rejects.toMatchObject({ status: 403 });
  });

  it('merges once however many ask at the same time', async () => {
    const pull = await openPull(forge, clone, { branch: 'race', files: { 'race.txt': '1' } });

    const results = await Promise.allSettled([1, 2, 3, 4].map(async () => merge(pull.number)));

    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const log = await onMain('log', '--format=%s', 'origin/main');
    expect(log.split('\n').filter((line) => line.includes(`#${pull.number} `))).toHaveLength(1);
  });

  it('merges different pull requests at the same time one after another', async () => {
    const pulls = [];
    for (const n of [1, 2, 3]) {
      pulls.push(await openPull(forge, clone, { branch: `par-${n}`, files: { [`par-${n}.txt`]: '1' } }));
    }

    const done = await Promise.all(pulls.map(async ({ number }) => merge(number)));

    expect(done.every(({ data }) => data.merged)).toBe(true);
    const files = await onMain('ls-tree', '--name-only', 'origin/main');
    for (const n of [1, 2, 3]) expect(files).toContain(`par-${n}.txt`);
  });

  it('closes the issues its text and its commits name, and those of no other base than the default', async () => {
    const alice = forge.as('alice');
    const issues = [];
    for (const n of [1, 2, 3])
      issues.push((await alice.issues.create({ ...at, title: `i${n}` })).data.number);
    const [one = 0, two = 0, three = 0] = issues;
    const state = async (issue_number: number) =>
      (await alice.issues.get({ ...at, issue_number })).data.state;
    await clone.git('checkout', '--quiet', '-B', 'words', 'origin/main');
    await clone.commit({ 'words.txt': '1' }, `work\n\nFixes #${two}`);
    await clone.push('words', 'origin/main:refs/heads/side');
    const body = `Closes: alice/app#${one}`;
    const { data: pull } = await alice.pulls.create({ ...at, title: 't', head: 'words', base: 'main', body });
    await clone.git('checkout', '--quiet', '-B', 'aside', 'origin/main');
    await clone.commit({ 'aside.txt': '1' });
    await clone.push('aside');
    const aside = { ...at, title: 't', head: 'aside', base: 'side', body: `Closes #${three}` };
    const { data: other } = await alice.pulls.create(aside);

    const merged = await merge(pull.number);
    await merge(other.number);

    expect([await state(one), await state(two), await state(three)]).toEqual(['closed', 'closed', 'open']);
    const events = await alice.issues.listEvents({ ...at, issue_number: one });
    expect(events.data.at(-1)).toMatchObject({ event: 'closed', commit_id: merged.data.sha });
  });

  it('leaves a repository git finds whole', async () => {
    const { stderr } = await git(['fsck', '--strict'], { git_dir: `${forge.data}/repos/1.git` });

    expect(stderr).not.toContain('error');
  });
});
