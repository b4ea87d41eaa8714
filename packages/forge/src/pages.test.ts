import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { appRepo, openPull, testForge, type TestForge } from './test-kit.ts';

const at = { owner: 'alice', repo: 'app' } as const;

describe('the pages', () => {
  let forge: TestForge;
  let number: number;
  beforeAll(async () => {
    forge = await testForge();
    const { clone } = await appRepo(forge);
    await forge.as('alice').repos.createForAuthenticatedUser({ name: 'hidden', private: true });
    await forge
      .as('alice')
      .issues.create({ ...at, title: '<script>alert(1)</script>', body: '"><img src=x>' });
    const pull = await openPull(forge, clone, { branch: 'p', files: { 'p.html': '<b>new</b>\n' } });
    number = pull.number;
    await forge
      .as('bob')
      .pulls.createReview({ ...at, pull_number: number, event: 'COMMENT', body: 'looks <odd>' });
  });
  afterAll(async () => forge.stop());
  const text = async (address: string, as?: 'alice') =>
    (await forge.fetch(address, as === undefined ? {} : { as })).text();

  it('list the repositories the reader may see', async () => {
    expect(await text('/')).toContain('alice/app');
    expect(await text('/ui/')).not.toContain('hidden');
    expect(await text('/ui/', 'alice')).toContain('alice/hidden');
    expect((await forge.fetch('/ui/alice/hidden')).status).toBe(401);
  });

  it('show issues and pull requests with everything foreign escaped', async () => {
    const list = await text('/ui/alice/app');
    const issue = await text('/ui/alice/app/issues/1');

    expect(list).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
    for (const shown of [list, issue]) expect(shown).not.toMatch(/<script|<img/);
    expect(issue).toContain('&quot;&gt;&lt;img src=x&gt;');
  });

  it('show a pull request with its reviews and its diff', async () => {
    const answer = await forge.fetch(`/ui/alice/app/pulls/${number}`);
    const shown = await answer.text();

    expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(shown).toContain('looks &lt;odd&gt;');
    expect(shown).toContain('+&lt;b&gt;new&lt;/b&gt;');
    expect(shown).toContain('p → main, 1 commits, 1 files');
  });
});
