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
    expect(shown).toContain('<span class="add">+&lt;b&gt;new&lt;/b&gt;</span>');
    expect(shown).toContain('<bdi>p</bdi> → <bdi>main</bdi>');
    expect(shown.replaceAll(/\s+/g, ' ')).toContain('1 commit, 1 file, +1 −0, clean');
  });

  it('give the diff and the patch as plain text under the addresses the API names', async () => {
    const { data } = await forge.as('bob').pulls.get({ ...at, pull_number: number });

    for (const [address, words] of [
      [data.diff_url, '+<b>new</b>'],
      [data.patch_url, 'Subject: [PATCH]'],
    ] as const) {
      const answer = await fetch(address);
      expect(answer.headers.get('content-type')).toBe('text/plain; charset=utf-8');
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
      expect(await answer.text()).toContain(words);
    }
  });

  it('keep titles, labels and lines that run right to left from turning what stands beside them', async () => {
    const { data: issue } = await forge
      .as('alice')
      .issues.create({ ...at, title: 'שלום 🎉 \u202Etxt.exe', body: 'مرحبا', labels: ['a,b 🚀', '<i>'] });

    const list = await text('/ui/alice/app');
    const shown = await text(`/ui/alice/app/issues/${issue.number}`);

    expect(list).toContain('<bdi>שלום 🎉 \u202Etxt.exe</bdi>');
    expect(shown).toContain(`<bdi>#${issue.number} שלום 🎉 \u202Etxt.exe</bdi>`);
    expect(shown).toContain('<pre dir="auto">مرحبا</pre>');
    for (const page of [list, shown]) expect(page).toContain('<bdi>a,b 🚀</bdi>');
    expect(shown).toContain('&lt;i&gt;');
  });

  it('load themselves again when they are watched, and not else', async () => {
    const still = await text('/ui/alice/app');
    const watched = await text('/ui/alice/app?watch=1');

    expect(still).not.toContain('http-equiv="refresh"');
    expect(watched).toContain('<meta http-equiv="refresh" content="5" />');
    expect(watched).toContain('stop watching');
  });

  it.each(['/ui/alice/app/issues/99999', '/ui/alice/app/wiki/Home/x'])(
    'say in a page what is not there (%s)',
    async (address) => {
      const answer = await forge.fetch(address);

      expect(answer.status).toBe(404);
      expect(answer.headers.get('content-type')).toContain('text/html');
      expect(await answer.text()).toContain('Not Found');
    },
  );

  it('are found under the addresses a person knows from GitHub', async () => {
    expect(await text('/ui/alice/app/issues')).toContain('&lt;script&gt;');
    expect(await text('/ui/alice/app/pulls')).toContain(`/ui/alice/app/pulls/${number}`);
    expect(await text(`/ui/alice/app/pull/${number}`)).toContain('looks &lt;odd&gt;');
  });

  it('ask a browser for a token where somebody wants to see what is private', async () => {
    expect(await text('/ui/')).toContain('href="/ui/sign-in"');
    expect(await text('/ui/', 'alice')).not.toContain('sign-in');

    const asked = await forge.fetch('/ui/sign-in');
    expect(asked.status).toBe(401);
    expect(asked.headers.get('www-authenticate')).toContain('Basic');
    expect(await asked.text()).toContain('the password is a token');
    expect(await text('/ui/sign-in', 'alice')).toContain('alice/hidden');
  });
});
