import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { appRepo, cloneAs, openPull, testForge, type Clone, type TestForge } from './test-kit.ts';

/** `pnpm test` has a sample of these tests, `pnpm test:slow` all. */
const SLOW = process.env['CALORON_TEST_SLOW'] === '1';

const at = { owner: 'alice', repo: 'app' } as const;
const branch = 'main';
const OPEN = {
  required_status_checks: null,
  enforce_admins: false,
  required_pull_request_reviews: null,
  restrictions: null,
};

describe('a protected base', () => {
  let forge: TestForge;
  let clone: Clone;
  beforeEach(async () => {
    forge = await testForge();
    ({ clone } = await appRepo(forge));
  });
  afterEach(async () => forge.stop());
  const protect = async (rules: object) =>
    forge.as('alice').repos.updateBranchProtection({ ...at, branch, ...OPEN, ...rules });
  const pushMain = async (login: 'alice' | 'bob') => {
    const their = await cloneAs(forge, login, 'alice/app');
    await their.commit({ [`${login}.txt`]: login });
    return their.push('main', 'main:side');
  };
  const look = async (pull_number: number) =>
    (await forge.as('bob').pulls.get({ ...at, pull_number })).data.mergeable_state;

  it('takes no direct push, says why, and takes nothing else of that push', async () => {
    await protect({ required_pull_request_reviews: { required_approving_review_count: 1 } });

    await expect(pushMain('bob')).rejects.toMatchObject({
      details: {
        stderr: expect.stringMatching(
          /GH006: Protected branch update failed for refs\/heads\/main[^]*through a pull request[^]*main -> main \(protected branch hook declined\)/,
        ) as unknown,
      },
    });
    const { data } = await forge.as('bob').repos.listBranches(at);
    expect(data.map(({ name }) => name)).toEqual(['main']);
    await pushMain('alice');
  });

  it('binds admins where it is told to, and takes pushes to other branches', async () => {
    await protect({ enforce_admins: true, required_pull_request_reviews: {} });

    await expect(pushMain('alice')).rejects.toMatchObject({ code: 'GIT_FAILED' });
    await clone.push('main:free');
  });

  it('takes no rewrite and no deletion', async () => {
    await clone.push('main:kept');
    const rules = { ...OPEN, enforce_admins: true };
    await forge.as('alice').repos.updateBranchProtection({ ...at, branch: 'kept', ...rules });
    await clone.git('commit', '--quiet', '--amend', '-m', 'rewritten');

    await expect(clone.push('--force', 'main:kept')).rejects.toMatchObject({ code: 'GIT_FAILED' });
    await expect(clone.push('--delete', 'kept')).rejects.toMatchObject({ code: 'GIT_FAILED' });
    const removed = forge.as('alice').git.deleteRef({ ...at, ref: 'heads/kept' });
    await expect(removed).rejects.toMatchObject({ status: 422 });
  });

  it('is merged into when it has the approvals it asks for', async () => {
    await protect({
      enforce_admins: true,
      required_pull_request_reviews: { required_approving_review_count: 1, dismiss_stale_reviews: true },
    });
    const { number: pull_number } = await openPull(forge, clone, { branch: 'w', files: { 'w.txt': '1' } });
    const alice = forge.as('alice');

    expect(await look(pull_number)).toBe('blocked');
    await expect(alice.pulls.merge({ ...at, pull_number })).rejects.toMatchObject({
      status: 405,
      message: expect.stringContaining(
        'At least 1 approving review is required by reviewers with write access.',
      ) as unknown,
    });
    await forge.as('bob').pulls.createReview({ ...at, pull_number, event: 'APPROVE' });
    expect(await look(pull_number)).toBe('clean');
    await clone.commit({ 'w.txt': '2' });
    await clone.push('w');
    expect(await look(pull_number)).toBe('blocked');
    await forge.as('bob').pulls.createReview({ ...at, pull_number, event: 'APPROVE' });
    await forge.as('carol').pulls.createReview({ ...at, pull_number, event: 'REQUEST_CHANGES', body: 'no' });
    expect(await look(pull_number)).toBe('blocked');
    await forge.as('carol').pulls.createReview({ ...at, pull_number, event: 'APPROVE' });
    expect((await alice.pulls.merge({ ...at, pull_number })).data.merged).toBe(true);
  });

  it('is merged into when its checks are green and the head holds all of it', async () => {
    await protect({ required_status_checks: { strict: true, contexts: ['ci', 'run'] } });
    const pull = await openPull(forge, clone, { branch: 'w', files: { 'w.txt': '1' } });
    const { number: pull_number } = pull;
    const [alice, bob] = [forge.as('alice'), forge.as('bob')];
    const refusal = async () =>
      bob.pulls.merge({ ...at, pull_number }).then(
        () => 'merged',
        (error: unknown) => (error instanceof Error ? error.message : ''),
      );

    expect(await refusal()).toContain('Required status check "ci" is expected.');
    await bob.repos.createCommitStatus({ ...at, sha: pull.head.sha, state: 'success', context: 'ci' });
    await bob.checks.create({ ...at, head_sha: pull.head.sha, name: 'run', conclusion: 'failure' });
    expect(await refusal()).toContain('Required status check "run" is failing.');
    await bob.checks.create({ ...at, head_sha: pull.head.sha, name: 'run', conclusion: 'skipped' });
    await openPull(forge, clone, { branch: 'other', files: { 'o.txt': '1' } });
    await alice.pulls.merge({ ...at, pull_number: pull_number + 1 });
    expect(await look(pull_number)).toBe('behind');
    expect(await refusal()).toContain('out of date');
    await alice.repos.deleteBranchProtection({ ...at, branch });
    expect(await refusal()).toBe('merged');
  });

  if (SLOW)
    it('is no matter where checks are not asked for: a red one makes the pull request unstable, and no more', async () => {
      const pull = await openPull(forge, clone, { branch: 'w', files: { 'w.txt': '1' } });
      await forge
        .as('bob')
        .checks.create({ ...at, head_sha: pull.head.sha, name: 'run', conclusion: 'failure' });

      expect(await look(pull.number)).toBe('unstable');
      const { data } = await forge.as('bob').pulls.merge({ ...at, pull_number: pull.number });
      expect(data.merged).toBe(true);
    });

  if (SLOW)
    it('is shown in GitHub’s shape, to admins, and named in the list of branches', async () => {
      const alice = forge.as('alice');
      await expect(alice.repos.getBranchProtection({ ...at, branch })).rejects.toMatchObject({
        status: 404,
        message: expect.stringContaining('Branch not protected') as unknown,
      });
      await protect({ required_status_checks: { strict: false, contexts: ['ci'] } });

      expect((await alice.repos.getBranchProtection({ ...at, branch })).data).toMatchObject({
        required_status_checks: { contexts: ['ci'], strict: false },
        enforce_admins: { enabled: false },
      });
      expect((await alice.repos.listBranches(at)).data[0]?.protected).toBe(true);
      await expect(
        forge.as('bob').repos.updateBranchProtection({ ...at, branch, ...OPEN }),
      ).rejects.toMatchObject({ status: 403 });
      await expect(
        alice.repos.updateBranchProtection({ ...at, branch: 'absent', ...OPEN }),
      ).rejects.toMatchObject({ status: 404 });
    });
});
