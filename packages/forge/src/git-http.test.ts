import { randomBytes } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { git } from '@caloron/capabilities/git';
import { appRepo, cloneAs, openPull, testForge, type Clone, type TestForge } from './test-kit.ts';

/** `pnpm test` has a sample of these tests, `pnpm test:slow` all. */
const SLOW = process.env['CALORON_TEST_SLOW'] === '1';

const at = { owner: 'alice', repo: 'app' } as const;

describe('git over HTTP', () => {
  let forge: TestForge;
  let clone: Clone;
  beforeAll(async () => {
    forge = await testForge();
    ({ clone } = await appRepo(forge));
    await forge
      .as('alice')
      .repos.createForAuthenticatedUser({ name: 'hidden', private: true, auto_init: true });
  });
  afterAll(async () => forge.stop());
  const remote = async (repo: string, token?: string): Promise<string> => {
    const credential = token === undefined ? {} : { credential: { username: 'x', token } };
    return (await git(['ls-remote', `${forge.url}/${repo}.git`], { ...credential })).stdout;
  };

  it('lets anybody fetch a public repository, and a private one those who may see it', async () => {
    expect(await remote('alice/app')).toContain('refs/heads/main');
    expect(await remote('alice/hidden', forge.tokens.alice)).toContain('refs/heads/main');
    await expect(remote('alice/hidden')).rejects.toMatchObject({ code: 'GIT_FAILED' });
    await expect(remote('alice/hidden', forge.tokens.bob)).rejects.toMatchObject({ code: 'GIT_FAILED' });
    await expect(remote('alice/hidden', 'wrong')).rejects.toMatchObject({ code: 'GIT_FAILED' });
  });

  it('asks for a token with a Basic challenge', async () => {
    for (const address of [
      '/alice/hidden.git/info/refs?service=git-upload-pack',
      '/alice/app.git/info/refs?service=git-receive-pack',
      '/nobody/nothing.git/info/refs?service=git-upload-pack',
    ]) {
      const answer = await forge.fetch(address);
      expect(answer.status).toBe(401);
      expect(answer.headers.get('www-authenticate')).toMatch(/^Basic /);
    }
  });

  it('serves nothing but the two services', async () => {
    const dumb = await forge.fetch('/alice/app.git/info/refs');
    const other = await forge.fetch('/alice/app.git/info/refs?service=git-upload-archive');
    const file = await forge.fetch('/alice/app.git/HEAD');
    const wrong = await forge.fetch('/alice/app.git/git-upload-pack', { method: 'POST', body: 'x' });

    expect([dumb.status, other.status, file.status, wrong.status]).toEqual([403, 403, 404, 400]);
  });

  it('refuses a push by who may only read', async () => {
    await forge.as('alice').repos.addCollaborator({ ...at, username: 'carol', permission: 'pull' });
    const carol = await cloneAs(forge, 'carol', 'alice/app');
    await carol.commit({ 'carol.txt': 'c' });

    await expect(carol.push('HEAD:refs/heads/carol')).rejects.toMatchObject({ code: 'GIT_FAILED' });
    expect(await remote('alice/app')).not.toContain('carol');
  });

  it('takes a push of several megabytes and gives it back', async () => {
    await clone.git('checkout', '--quiet', '-B', 'big', 'origin/main');
    const text = randomBytes(4_000_000).toString('hex');
    const sha = await clone.commit({ 'big.txt': text });
    await clone.push('big');

    const other = await cloneAs(forge, 'bob', 'alice/app');

    expect(await other.git('rev-parse', 'origin/big')).toBe(sha);
    expect((await other.git('show', 'origin/big:big.txt')).length).toBe(text.length);
  });

  if (SLOW)
    it('takes many refs in one push', async () => {
      const refs = Array.from({ length: 300 }, (_, n) => `origin/main:refs/heads/many/${n}`);

      await clone.push(...refs);

      expect((await remote('alice/app')).match(/refs\/heads\/many\//g)).toHaveLength(300);
      await clone.push('--delete', ...refs.map((ref) => ref.replace('origin/main:', '')));
    });

  if (SLOW)
    it('fetches further commits into a shallow clone', async () => {
      const dir = mkdtempSync(path.join(forge.dir, 'shallow-'));
      await clone.git('checkout', '--quiet', '-B', 'deep', 'origin/main');
      for (let n = 0; n < 5; n += 1) await clone.commit({ 'deep.txt': String(n) });
      await clone.push('deep');

      await git(['clone', '--quiet', '--depth=2', '--branch=deep', `${forge.url}/alice/app.git`, '.'], {
        cwd: dir,
      });
      const shallow = await git(['rev-list', '--count', 'HEAD'], { cwd: dir });
      await git(['fetch', '--quiet', '--unshallow'], { cwd: dir });
      const whole = await git(['rev-list', '--count', 'HEAD'], { cwd: dir });

      expect([shallow.stdout, whole.stdout]).toEqual(['2', '6']);
    });

  it('unpacks a request that came packed', async () => {
    const line = (text: string) => `${(text.length + 4).toString(16).padStart(4, '0')}${text}`;
    const body = gzipSync(`${line('command=ls-refs\n')}0001${line('ref-prefix refs/heads/main\n')}0000`);

    const answer = await forge.fetch('/alice/app.git/git-upload-pack', {
      method: 'POST',
      headers: {
        'content-type': 'application/x-git-upload-pack-request',
        'content-encoding': 'gzip',
        'git-protocol': 'version=2',
      },
      body,
    });

    expect(await answer.text()).toContain(' refs/heads/main\n');
  });

  it.each([
    ['nothing', ''],
    ['no packet lines', 'hello, this is no push'],
    ['a line cut off', '00a0abc'],
  ])('refuses a push that is %s', async (_what, body) => {
    const answer = await forge.fetch('/alice/app.git/git-receive-pack', {
      as: 'alice',
      method: 'POST',
      headers: { 'content-type': 'application/x-git-receive-pack-request' },
      body,
    });

    expect(answer.status).toBe(400);
  });

  it('keeps the default branch from being rewritten by a collaborator, and lets its owner', async () => {
    const bob = await cloneAs(forge, 'bob', 'alice/app');
    await bob.git('checkout', '--quiet', '-B', 'main', 'origin/main');
    await bob.git('commit', '--quiet', '--amend', '-m', 'rewritten');

    await expect(bob.push('--force', 'main')).rejects.toMatchObject({ code: 'GIT_FAILED' });
    await bob.push('--force', 'main:refs/heads/bobs');
    await bob.git('commit', '--quiet', '--amend', '-m', 'rewritten again');
    await bob.push('--force', 'main:refs/heads/bobs');
    await clone.git('fetch', '--quiet');
    await clone.git('checkout', '--quiet', '-B', 'main', 'origin/main');
    await clone.commit({ 'own.txt': '1' });
    await clone.push('main');
    await clone.git('commit', '--quiet', '--amend', '-m', 'owner rewrites');
    await clone.push('--force', 'main');
    expect(await remote('alice/app')).toContain(await clone.git('rev-parse', 'HEAD'));
  });

  it('lets nobody delete the default branch', async () => {
    await expect(clone.push('--delete', 'main')).rejects.toMatchObject({ code: 'GIT_FAILED' });
    const deletion = forge.as('alice').git.deleteRef({ ...at, ref: 'heads/main' });
    await expect(deletion).rejects.toMatchObject({ status: 422 });
  });

  it('lets nobody push to the refs of pull requests', async () => {
    const pull = await openPull(forge, clone, { branch: 'kept', files: { 'kept.txt': 'k' } });

    const push = clone.push(`origin/main:refs/pull/${pull.number}/head`);

    await expect(push).rejects.toMatchObject({ code: 'GIT_FAILED' });
  });

  it('makes the first branch pushed to an empty repository its default one', async () => {
    await forge.as('alice').repos.createForAuthenticatedUser({ name: 'trunked' });
    const fresh = await cloneAs(forge, 'alice', 'alice/trunked');
    await fresh.git('checkout', '--quiet', '-B', 'trunk');
    await fresh.commit({ 'x.txt': 'x' });
    await fresh.push('trunk');

    const { data } = await forge.as('alice').repos.get({ owner: 'alice', repo: 'trunked' });
    const again = await cloneAs(forge, 'bob', 'alice/trunked');

    expect(data.default_branch).toBe('trunk');
    expect(await again.git('branch', '--show-current')).toBe('trunk');
  });

  it('makes another branch the default one where an admin says so and it is there', async () => {
    const alice = forge.as('alice');
    const at = { owner: 'alice', repo: 'renamed' } as const;
    await alice.repos.createForAuthenticatedUser({ name: at.repo, auto_init: true });
    const absent = alice.repos.update({ ...at, default_branch: 'trunk' });
    await expect(absent).rejects.toMatchObject({ status: 422 });
    const fresh = await cloneAs(forge, 'alice', 'alice/renamed');
    await fresh.push('main:trunk');

    await alice.repos.update({ ...at, default_branch: 'trunk' });

    expect((await alice.repos.get(at)).data.default_branch).toBe('trunk');
    await fresh.push(':main');
    const again = await cloneAs(forge, 'bob', 'alice/renamed');
    expect(await again.git('branch', '--show-current')).toBe('trunk');
    await expect(alice.repos.update({ ...at, default_branch: '../x' })).rejects.toMatchObject({
      status: 422,
    });
  });

  it('closes issues that commits pushed to the default branch name', async () => {
    const alice = forge.as('alice');
    const { data } = await alice.issues.create({ ...at, title: 'by push' });
    await clone.git('checkout', '--quiet', '-B', 'main', 'origin/main');
    await clone.commit({ 'push.txt': '1' }, `Work\n\nResolves #${data.number}`);
    await clone.push('main');

    expect((await alice.issues.get({ ...at, issue_number: data.number })).data.state).toBe('closed');
  });
});

describe('branches, commits and languages', () => {
  let forge: TestForge;
  let clone: Clone;
  beforeAll(async () => {
    forge = await testForge();
    ({ clone } = await appRepo(forge));
    await clone.push('main:refs/heads/caloron/s1/t1');
  });
  afterAll(async () => forge.stop());

  it('are there for an empty repository too', async () => {
    const alice = forge.as('alice');
    await alice.repos.createForAuthenticatedUser({ name: 'empty' });
    const empty = { owner: 'alice', repo: 'empty' };

    await expect(alice.repos.listCommits(empty)).rejects.toMatchObject({ status: 409 });
    expect((await alice.repos.listLanguages(empty)).data).toEqual({});
    expect((await alice.repos.listBranches(empty)).data).toEqual([]);
  });

  it('show commits newest first and bytes by language', async () => {
    const sha = await clone.commit({ 'lib/x.py': 'print(1)\n' }, 'second\n\nwith text');
    await clone.push('main');
    const alice = forge.as('alice');

    const commits = await alice.repos.listCommits({ ...at, per_page: 1 });
    const of = await alice.repos.listCommits({ ...at, path: 'a.txt' });

    expect(commits.data).toMatchObject([
      { sha, commit: { message: 'second\n\nwith text', author: { name: 'alice' } } },
    ]);
    expect(of.data.map(({ commit }) => commit.message)).toEqual(['first']);
    expect((await alice.repos.listLanguages(at)).data).toEqual({ TypeScript: 11, Python: 9 });
    expect((await alice.repos.getCommit({ ...at, ref: 'main' })).data.sha).toBe(sha);
  });

  it.each(['--all', 'main~1', 'HEAD@{1}', ':/first', 'a b', '..', '-n1'])(
    'takes %j for no revision',
    async (sha) => {
      await expect(forge.as('alice').repos.listCommits({ ...at, sha })).rejects.toMatchObject({
        status: 404,
      });
    },
  );

  it('find, make and delete branches with slashes in their names', async () => {
    const bob = forge.as('bob');
    const branch = await bob.repos.getBranch({ ...at, branch: 'caloron/s1/t1' });
    const ref = await bob.git.getRef({ ...at, ref: 'heads/caloron/s1/t1' });
    await bob.git.createRef({ ...at, ref: 'refs/heads/made/here', sha: ref.data.object.sha });

    await bob.git.deleteRef({ ...at, ref: 'heads/caloron/s1/t1' });

    expect(branch.data.commit.sha).toBe(ref.data.object.sha);
    await expect(bob.repos.getBranch({ ...at, branch: 'caloron/s1/t1' })).rejects.toMatchObject({
      status: 404,
    });
    expect((await bob.repos.getBranch({ ...at, branch: 'made/here' })).status).toBe(200);
    const again = bob.git.deleteRef({ ...at, ref: 'heads/caloron/s1/t1' });
    await expect(again).rejects.toMatchObject({
      status: 422,
      message: expect.stringContaining('does not exist'),
    });
  });
});
