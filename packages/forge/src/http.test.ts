import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixedClock } from '@caloron/capabilities/clock';
import { appRepo, octokitOf, testForge, type TestForge } from './test-kit.ts';

const at = { owner: 'alice', repo: 'app' } as const;
const issues = '/repos/alice/app/issues';

describe('the HTTP of the local forge', () => {
  let forge: TestForge;
  beforeAll(async () => {
    forge = await testForge();
    await appRepo(forge);
    await forge.as('alice').repos.createForAuthenticatedUser({ name: 'hidden', private: true });
  });
  afterAll(async () => forge.stop());

  it.each(['token', 'Bearer', 'bearer'])('takes a token as "%s"', async (scheme) => {
    const answer = await forge.fetch('/user', {
      headers: { authorization: `${scheme} ${forge.tokens.bob}` },
    });

    expect(await answer.json()).toMatchObject({ login: 'bob', type: 'User' });
  });

  it('takes a token as the password of any user name', async () => {
    const basic = Buffer.from(`x:${forge.tokens.bob}`).toString('base64');

    const answer = await forge.fetch('/user', { headers: { authorization: `Basic ${basic}` } });

    expect(await answer.json()).toMatchObject({ login: 'bob' });
  });

  it('refuses an unknown token with 401, also where none is needed', async () => {
    const answer = await forge.fetch('/repos/alice/app', { headers: { authorization: 'Bearer nope' } });

    expect(answer.status).toBe(401);
    expect(await answer.json()).toMatchObject({ message: 'Bad credentials', status: '401' });
  });

  it('lets anybody read a public repository and write nothing', async () => {
    const read = await forge.fetch(issues);
    const write = await forge.fetch(issues, { method: 'POST', body: '{"title":"x"}' });

    expect(read.status).toBe(200);
    expect(write.status).toBe(401);
    expect(await write.json()).toMatchObject({ message: 'Requires authentication' });
  });

  it('hides a private repository: 404 for a stranger, 401 for an anonymous one, as if it were not there', async () => {
    const [stranger, absent] = [
      await forge.fetch('/repos/alice/hidden', { as: 'bob' }),
      await forge.fetch('/repos/alice/absent', { as: 'bob' }),
    ];
    const [nobody, nothing] = [
      await forge.fetch('/repos/alice/hidden'),
      await forge.fetch('/repos/alice/absent'),
    ];

    expect([stranger.status, absent.status, nobody.status, nothing.status]).toEqual([404, 404, 401, 401]);
    expect(await stranger.text()).toBe(await absent.text());
    expect((await forge.fetch('/repos/alice/hidden', { as: 'alice' })).status).toBe(200);
  });

  it('shows what the caller may do', async () => {
    const { data } = await forge.as('bob').repos.get(at);

    expect(data.permissions).toEqual({ admin: false, maintain: false, push: true, triage: true, pull: true });
    expect(data).toMatchObject({ default_branch: 'main', clone_url: `${forge.url}/alice/app.git` });
  });

  it('refuses a body that is no JSON with 400 and a wrong one with 422 naming every field', async () => {
    const broken = await forge.fetch(issues, { as: 'alice', method: 'POST', body: '{' });
    const wrong = await forge.fetch(issues, { as: 'alice', method: 'POST', body: '{"body":5}' });

    expect(broken.status).toBe(400);
    expect(await broken.json()).toMatchObject({ message: 'Problems parsing JSON' });
    expect(wrong.status).toBe(422);
    expect(await wrong.json()).toMatchObject({
      message: 'Validation Failed',
      errors: [
        { resource: 'Issue', field: 'title', code: 'missing_field' },
        { resource: 'Issue', field: 'body', code: 'invalid' },
      ],
    });
  });

  it('answers 404 in JSON for what it does not know', async () => {
    const answer = await forge.fetch('/repos/alice/app/nonsense', { as: 'alice' });

    expect(answer.status).toBe(404);
    expect(await answer.json()).toEqual({ message: 'Not Found', status: '404' });
  });

  it('answers 304 without a body to a tag that still holds, and 200 after a change', async () => {
    const first = await forge.fetch(issues, { as: 'alice' });
    const etag = first.headers.get('etag') ?? '';

    const same = await forge.fetch(issues, { as: 'alice', headers: { 'if-none-match': etag } });
    await forge.as('alice').issues.create({ ...at, title: 'new' });
    const changed = await forge.fetch(issues, { as: 'alice', headers: { 'if-none-match': etag } });

    expect(etag).toMatch(/^W\/"[0-9a-f]{64}"$/);
    expect(same.status).toBe(304);
    expect(await same.text()).toBe('');
    expect(same.headers.get('etag')).toBe(etag);
    expect(changed.status).toBe(200);
  });

  it('gives another tag when only the number of pages changed', async () => {
    const page = `${issues}?per_page=1&sort=created&direction=asc`;
    await forge.as('alice').issues.create({ ...at, title: 'a' });
    const first = await forge.fetch(page, { as: 'alice' });
    await forge.as('alice').issues.create({ ...at, title: 'b' });

    const etag = first.headers.get('etag') ?? '';
    const second = await forge.fetch(page, { as: 'alice', headers: { 'if-none-match': etag } });

    expect(second.status).toBe(200);
  });

  it('leads through all pages with Link headers', async () => {
    const alice = forge.as('alice');
    for (let n = 0; n < 5; n += 1)
      await alice.issues.create({ ...at, title: `page ${n}`, labels: ['paged'] });

    const all = await alice.paginate(alice.issues.listForRepo, { ...at, labels: 'paged', per_page: 2 });
    const middle = await forge.fetch(`${issues}?labels=paged&per_page=2&page=2`);
    const only = await forge.fetch(`${issues}?labels=paged`);

    expect(all.map(({ title }) => title)).toEqual([4, 3, 2, 1, 0].map((n) => `page ${n}`));
    const rels = [...(middle.headers.get('link') ?? '').matchAll(/<([^>]+)>; rel="(\w+)"/g)];
    const pages = rels.map(([, url = '', rel]) => [rel, new URL(url).searchParams.get('page')]);
    expect(Object.fromEntries(pages)).toEqual({ prev: '1', next: '3', last: '3', first: '1' });
    expect(only.headers.get('link')).toBeNull();
  });

  it('gives at most 100 entries a page and the default for nonsense', async () => {
    const answer = await forge.fetch(`${issues}?per_page=5000&page=-1`);

    expect(answer.status).toBe(200);
  });

  it('refuses a Host header of another machine', async () => {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const { hostname, port } = new URL(forge.url);
      const options = { hostname, port, path: '/repos/alice/app', headers: { host: 'evil.example:80' } };
      request(options, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      })
        .on('error', reject)
        .end();
    });

    expect(status).toBe(421);
  });

  it('refuses another repository of the same name and names that are none', async () => {
    const alice = forge.as('alice');

    await expect(alice.repos.createForAuthenticatedUser({ name: 'APP' })).rejects.toMatchObject({
      status: 422,
    });
    for (const name of ['..', 'a/b', 'x.git', '']) {
      await expect(alice.repos.createForAuthenticatedUser({ name })).rejects.toMatchObject({ status: 422 });
    }
  });

  it('lets the owner alone decide who works in a repository', async () => {
    const invite = { ...at, username: 'carol', permission: 'admin' } as const;

    await expect(forge.as('bob').repos.addCollaborator(invite)).rejects.toMatchObject({ status: 403 });
    await expect(
      forge.as('alice').repos.addCollaborator({ ...invite, username: 'dave' }),
    ).rejects.toMatchObject({
      status: 404,
    });
  });
});

describe('the rate limit', () => {
  it('counts every answer but 304, refuses at nothing left, and starts again after an hour', async () => {
    const clock = fixedClock('2026-11-21T10:00:00.000Z');
    const forge = await testForge({ rate_limit: 3, clock });
    try {
      const first = await forge.fetch('/user', { as: 'alice' });
      const etag = first.headers.get('etag') ?? '';
      const unchanged = await forge.fetch('/user', { as: 'alice', headers: { 'if-none-match': etag } });
      await forge.fetch('/user', { as: 'alice' });
      const last = await forge.fetch('/user', { as: 'alice' });
      const refused = await forge.fetch('/user', { as: 'alice' });
      const other = await forge.fetch('/user', { as: 'bob' });

      expect([first, unchanged, last].map(({ headers }) => headers.get('x-ratelimit-remaining'))).toEqual([
        '2',
        '2',
        '0',
      ]);
      expect(first.headers.get('x-ratelimit-limit')).toBe('3');
      expect(refused.status).toBe(403);
      expect(refused.headers.get('x-ratelimit-remaining')).toBe('0');
      expect(refused.headers.get('x-ratelimit-reset')).toBe(
        String(Date.parse('2026-11-21T11:00:00Z') / 1000),
      );
      expect(await refused.json()).toMatchObject({ message: expect.stringContaining('rate limit exceeded') });
      expect(other.status).toBe(200);
      const look = await octokitOf(forge.url, forge.tokens.alice).rateLimit.get();
      expect(look.data.rate).toMatchObject({ limit: 3, used: 3, remaining: 0 });

      clock.advance(3_600_000);
      expect((await forge.fetch('/user', { as: 'alice' })).status).toBe(200);
    } finally {
      await forge.stop();
    }
  });
});
