import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { appRepo, cloneAs, openPull, testForge, type Clone, type TestForge } from './test-kit.ts';

const at = { owner: 'alice', repo: 'app' } as const;

describe('a sprint on the local forge', () => {
  let forge: TestForge;
  let clone: Clone;
  beforeAll(async () => {
    forge = await testForge();
    ({ clone } = await appRepo(forge));
  });
  afterAll(async () => forge.stop());

  it('goes from an issue over a pull request and its review to a merge that closes the issue', async () => {
    const [alice, bob] = [forge.as('alice'), forge.as('bob')];
    const issue = await alice.issues.create({ ...at, title: 'Add b', labels: ['caloron:task'] });
    expect(issue.data).toMatchObject({ number: 1, state: 'open', labels: [{ name: 'caloron:task' }] });

    const pull = await openPull(forge, clone, {
      branch: 'caloron/s1/t1',
      files: { 'b.txt': 'b\n' },
      body: `Closes #${issue.data.number}`,
    });
    const detail = await alice.pulls.get({ ...at, pull_number: pull.number });
    expect(detail.data).toMatchObject({
      mergeable: true,
      mergeable_state: 'clean',
      commits: 1,
      changed_files: 1,
    });

    const review = await bob.pulls.createReview({ ...at, pull_number: pull.number, event: 'APPROVE' });
    expect(review.data).toMatchObject({ state: 'APPROVED', commit_id: pull.head.sha });

    const merged = await alice.pulls.merge({ ...at, pull_number: pull.number, sha: pull.head.sha });
    expect(merged.data.merged).toBe(true);
    expect((await alice.issues.get({ ...at, issue_number: 1 })).data).toMatchObject({
      state: 'closed',
      state_reason: 'completed',
    });
    expect((await alice.pulls.get({ ...at, pull_number: pull.number })).data).toMatchObject({
      merged: true,
      state: 'closed',
      merge_commit_sha: merged.data.sha,
      merged_by: { login: 'alice' },
    });
    await clone.git('fetch', '--quiet');
    expect(await clone.git('show', 'origin/main:b.txt')).toBe('b');
  });

  it('serves a clone of what was pushed', async () => {
    const other = await cloneAs(forge, 'bob', 'alice/app');

    expect(await other.git('log', '--format=%s', '--max-count=1', '--reverse')).not.toBe('');
  });
});
