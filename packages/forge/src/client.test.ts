import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openRepo } from '@caloron/capabilities/github';
import type { ForgeRepo } from '@caloron/types';
import { appRepo, testForge, type Clone, type TestForge } from './test-kit.ts';

// What only this forge can show; test/contract tells the rest for every host.
describe('Caloron’s own client on the local forge', () => {
  let forge: TestForge;
  let clone: Clone;
  let alice: ForgeRepo;
  beforeAll(async () => {
    forge = await testForge();
    ({ clone } = await appRepo(forge));
    alice = openRepo({ repo: 'alice/app', host: forge.url, token: forge.tokens.alice });
  });
  afterAll(async () => forge.stop());

  it('counts the bytes of each language', async () => {
    expect(await alice.languages()).toEqual({ TypeScript: 11 });
  });

  it('tells who may push, and who may only read', async () => {
    await forge
      .as('alice')
      .repos.addCollaborator({ owner: 'alice', repo: 'app', username: 'carol', permission: 'pull' });
    const carol = openRepo({ repo: 'alice/app', host: forge.url, token: forge.tokens.carol });

    expect([await alice.info(), await carol.info()]).toMatchObject([{ can_push: true }, { can_push: false }]);
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

  it('reads an empty repository: nothing is there, and nothing is an error but what names a commit', async () => {
    await forge.as('alice').repos.createForAuthenticatedUser({ name: 'empty' });
    const empty = openRepo({ repo: 'alice/empty', host: forge.url, token: forge.tokens.alice });

    expect(await empty.info()).toMatchObject({ default_branch: 'main', open_issues: 0 });
    expect([await empty.commits(5), await empty.languages()]).toEqual([[], {}]);
    for (const list of [empty.changedIssues(null), empty.changedPulls(null), empty.changedComments(null)])
      expect(await list).toMatchObject({ items: [], cursor: null });
    await expect(empty.compare('main', 'other')).rejects.toMatchObject({ code: 'FORGE_NOT_FOUND' });
    const pull = empty.createPull({ title: 'T', body: '', head: 'other', base: 'main' });
    await expect(pull).rejects.toMatchObject({ code: 'FORGE_INVALID', retryable: false });
  });

  it('reads a pull request of binary files, and one whose base was pushed over', async () => {
    await clone.git('checkout', '--quiet', '-B', 'base', 'origin/main');
    const before = await clone.commit({ 'old.txt': 'old' });
    await clone.push('base');
    await clone.git('checkout', '--quiet', '-B', 'binary', 'base');
    const head = await clone.commit({ 'image.png': '\u0089PNG\r\n\u001A\n\u0000\u0000\u0000' });
    await clone.push('binary');
    const { number } = await alice.createPull({ title: 'An image', body: '', head: 'binary', base: 'base' });
    await clone.git('checkout', '--quiet', '-B', 'base', 'origin/main');
    const after = await clone.commit({ 'new.txt': 'new' });
    await clone.push('--force', 'base');

    expect(await alice.pull(number)).toMatchObject({ head_sha: head, base_ref: 'base', state: 'open' });
    expect(await alice.compare('base', head)).toMatchObject({ ahead: 2, behind: 1, base_sha: after });
    expect(await alice.compare(before, head)).toMatchObject({ ahead: 1, behind: 0 });
  });
});
