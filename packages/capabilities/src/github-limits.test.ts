import { describe, expect, it } from 'vitest';

import { limitEnd, skewMs, toldLimit } from './github-limits.ts';
import { type Answer, failure, hostOfEachTest, TOKEN, wireIssue } from './testing/scripted-host.ts';

const host = hostOfEachTest();

/** Answers whatever is asked the same way. */
function always(answer: () => Answer): void {
  const paths = ['', '/issues/1', '/issues/7', '/issues/1/comments', '/issues/7/comments'];
  const asked = ['GET', 'POST'].flatMap((method) => paths.map((path) => `${method} /repos/acme/app${path}`));
  host.script(Object.fromEntries([...asked, 'GET /user'].map((key) => [key, answer])));
}

describe('a refusal of the host', () => {
  it.each([
    [400, 'FORGE_INVALID', false],
    [401, 'FORGE_UNAUTHORIZED', false],
    [403, 'FORGE_FORBIDDEN', false],
    [404, 'FORGE_NOT_FOUND', false],
    [405, 'FORGE_INVALID', false],
    [409, 'FORGE_CONFLICT', false],
    [410, 'FORGE_NOT_FOUND', false],
    [422, 'FORGE_INVALID', false],
    [500, 'FORGE_UNAVAILABLE', true],
    [502, 'FORGE_UNAVAILABLE', true],
  ])('of status %i is %s, retryable %s', async (status, code, retryable) => {
    always(() => ({ status, json: { message: `no, ${TOKEN}` } }));

    const error = await failure(host.open().comment(1, 'hello'));

    expect(error).toMatchObject({ code, retryable });
    expect(error.details).toMatchObject({ repo: 'acme/app', host: host.url, status });
    expect(`${error.message} ${JSON.stringify(error)} ${JSON.stringify(error.details)}`).not.toContain(TOKEN);
  });

  it('names repository, host, and token or name for a 404', async () => {
    const error = await failure(host.open().issue(7));

    expect(error.message).toBe(
      `could not read issue #7 in acme/app on ${host.url}: there is nothing of that name, or the token may not see it (404)`,
    );
    expect(error.hint).toContain('the token may see it');
  });

  it('of a list every repository has is told as a repository that is not there', async () => {
    const error = await failure(host.open().changedIssues(null));

    expect(error.hint).toBe(
      'check the spelling of acme/app, that it is on this host, and that the token may see it',
    );
  });

  it('of one thing in a repository that answered before is about that thing', async () => {
    host.script({ 'GET /repos/acme/app/issues/1': { json: wireIssue(1, '2026-04-14T08:00:00Z') } });
    const forge = host.open();
    await forge.issue(1);

    expect((await failure(forge.issue(7))).hint).toBe(
      'the repository is there: what was asked for was deleted, renamed or never there',
    );
  });

  it.each<[string, number, Record<string, string>, string, RegExp]>([
    ['an archive', 403, {}, 'Repository was archived so is read-only.', /archived and takes no changes/],
    [
      'single sign-on',
      403,
      { 'x-github-sso': 'required; url=https://github.com/orgs/acme/sso' },
      'Resource protected by organization SAML enforcement.',
      /single sign-on: https:\/\/github\.com\/orgs\/acme\/sso$/,
    ],
    [
      'a permission of a fine-grained token',
      403,
      { 'x-accepted-github-permissions': 'issues=write' },
      'Resource not accessible by personal access token',
      /lacks a permission: .*issues=write/,
    ],
    [
      'a scope on Gitea',
      403,
      {},
      'token does not have at least one of required scope(s), required=[write:issue]',
      /lacks a scope/,
    ],
    ['a suspended account', 403, {}, 'Sorry. Your account was suspended', /suspended/],
    [
      'a token that expired',
      401,
      { 'github-authentication-token-expiration': '2026-04-13 10:00:00 UTC' },
      'Bad credentials',
      /expired at 2026-04-13T10:00:00\.000Z: make a new token/,
    ],
    ['a token nobody knows', 401, {}, 'Bad credentials', /^make a new token/],
  ])('for %s says where that is put right', async (_, status, headers, message, hint) => {
    always(() => ({ status, headers, json: { message } }));

    expect((await failure(host.open().comment(1, 'hello'))).hint).toMatch(hint);
  });
});

describe('a limit', () => {
  const date = 'Tue, 14 Apr 2026 08:30:00 GMT';

  it.each<[Record<string, string>, object, string]>([
    [{ 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '1776157200' }, {}, '2026-04-14T09:00:00.000Z'],
    [{ 'retry-after': '90' }, {}, '2026-04-14T08:31:30.000Z'],
    [{ 'retry-after': 'Tue, 14 Apr 2026 08:33:00 GMT' }, {}, '2026-04-14T08:33:00.000Z'],
    [{}, { documentation_url: 'https://docs.example/rate-limits#secondary' }, '2026-04-14T08:31:00.000Z'],
    [{}, { message: 'You have exceeded a secondary rate limit.' }, '2026-04-14T08:31:00.000Z'],
    [{}, { message: 'You have triggered an abuse detection mechanism.' }, '2026-04-14T08:31:00.000Z'],
  ])('of status 403 with %j %j ends', async (headers, body, reset_at) => {
    always(() => ({ status: 403, headers: { date, ...headers }, json: { message: 'slow down', ...body } }));

    const error = await failure(host.open().info());

    expect(error).toMatchObject({ code: 'FORGE_RATE_LIMITED', retryable: true, details: { reset_at } });
  });

  it('of status 429 is a limit', async () => {
    always(() => ({ status: 429, json: { message: 'slow down' } }));

    expect(await failure(host.open().info())).toMatchObject({ code: 'FORGE_RATE_LIMITED', retryable: true });
  });

  it.each([-10, -1, 0, 1, 10])('ends by our clock when the host’s is %i min ahead', (minutes) => {
    const now = '2026-04-14T08:30:00.000Z';
    const its = Date.parse(now) + minutes * 60_000;
    const headers = {
      date: new Date(its).toUTCString(),
      'x-ratelimit-limit': '5000',
      'x-ratelimit-remaining': '0',
      'x-ratelimit-reset': String(its / 1000 + 1200),
    };
    const after = { date: headers.date, 'retry-after': new Date(its + 120_000).toUTCString() };
    const said = { message: '', documentation_url: '' };

    expect(skewMs(headers, now)).toBe(minutes * 60_000);
    expect(limitEnd(403, headers, said, now)).toBe('2026-04-14T08:50:00.000Z');
    expect(limitEnd(429, after, said, now)).toBe('2026-04-14T08:32:00.000Z');
    expect(toldLimit(headers, now)).toEqual({
      limit: 5000,
      remaining: 0,
      reset_at: '2026-04-14T08:50:00.000Z',
    });
  });

  it('is never waited for longer than an hour, nor into the past', () => {
    const now = '2026-04-14T08:30:00.000Z';
    const said = { message: '', documentation_url: '' };
    const reset = (seconds: string) => ({ 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': seconds });

    expect(limitEnd(429, { 'retry-after': '86400' }, said, now)).toBe('2026-04-14T09:30:00.000Z');
    expect(limitEnd(403, reset('99999999999999'), said, now)).toBe('2026-04-14T09:30:00.000Z');
    expect(limitEnd(403, reset('1'), said, now)).toBe('2026-04-14T08:30:01.000Z');
  });

  it('of another resource, or a host without one, tells nothing of the main limit', () => {
    const now = '2026-04-14T08:30:00.000Z';
    const core = {
      'x-ratelimit-limit': '30',
      'x-ratelimit-remaining': '1',
      'x-ratelimit-reset': '1776157200',
    };

    expect(toldLimit({ ...core, 'x-ratelimit-resource': 'search' }, now)).toBeUndefined();
    expect(toldLimit({}, now)).toBeUndefined();
    expect(toldLimit({ ...core, 'x-ratelimit-remaining': 'many' }, now)).toBeUndefined();
  });
});

describe('an answer that is none', () => {
  it.each([
    [200, '<html>welcome</html>', true],
    [200, '', true],
    [404, '<html>welcome</html>', false],
  ])(
    'of HTML with status %i and the body %j is FORGE_ANSWER_INVALID; retryable: %s',
    async (status, html, retryable) => {
      always(() => ({ status, html }));

      const error = await failure(host.open().info());

      expect(error).toMatchObject({ code: 'FORGE_ANSWER_INVALID', retryable });
      expect(error.hint).toContain('/api/v1');
    },
  );

  it.each([
    [302, true],
    [307, true],
    [301, false],
    [308, false],
  ])('of a redirect to elsewhere with status %i is retryable: %s', async (status, retryable) => {
    always(() => ({ status, headers: { location: 'https://portal.example/login' }, json: {} }));

    const error = await failure(host.open().comment(1, 'hello'));

    expect(error).toMatchObject({ code: 'FORGE_ANSWER_INVALID', retryable });
  });

  it('of another shape names the field', async () => {
    always(() => ({ json: wireIssue(1, 'yesterday') }));

    expect(await failure(host.open().issue(1))).toMatchObject({
      code: 'FORGE_ANSWER_INVALID',
      details: { answer: 'updated_at: expected a time' },
    });
  });

  it('of a closed connection is FORGE_UNAVAILABLE and retryable', async () => {
    always(() => ({ drop: true }));

    expect(await failure(host.open().info())).toMatchObject({
      code: 'FORGE_UNAVAILABLE',
      retryable: true,
      details: { status: null },
    });
  });

  it('5.4.16 in time is FORGE_UNAVAILABLE and retryable', async () => {
    always(() => ({ hang: true }));

    const error = await failure(host.open({ timeout_ms: 100 }).info());

    expect(error).toMatchObject({
      code: 'FORGE_UNAVAILABLE',
      retryable: true,
      details: { answer: 'no answer in time' },
    });
  });

  it('of a port nobody listens on is FORGE_UNAVAILABLE', async () => {
    await host.close();

    expect(await failure(host.open().info())).toMatchObject({ code: 'FORGE_UNAVAILABLE', retryable: true });
  });
});

describe('repetition', () => {
  it('repeats a read after a fault', async () => {
    let left = 1;
    always(() => {
      left -= 1;
      return left >= 0 ? { status: 502, json: {} } : { json: { login: 'ada' } };
    });

    expect(await host.open({ read_retries: 1 }).whoami()).toBe('ada');
    expect(host.requests).toHaveLength(2);
  });

  it.each([404, 304, 403, 422, 429])('does not repeat a read answered %i', async (status) => {
    always(() => ({ status, json: { message: 'no' } }));

    await failure(host.open({ read_retries: 2 }).info());

    expect(host.requests).toHaveLength(1);
  });

  it.each([500, 502, 409])('sends a write answered %i once', async (status) => {
    always(() => ({ status, json: { message: 'no' } }));

    await failure(host.open({ read_retries: 2 }).comment(1, 'hello'));

    expect(host.requests).toHaveLength(1);
  });

  it('sends a write whose connection breaks once', async () => {
    always(() => ({ drop: true }));

    await failure(host.open({ read_retries: 2 }).comment(1, 'hello'));

    expect(host.requests).toHaveLength(1);
  });

  it('asks whose token it is once', async () => {
    always(() => ({ json: { login: 'ada' } }));
    const forge = host.open();

    await Promise.all([forge.whoami(), forge.whoami()]);
    await forge.whoami();

    expect(host.requests).toHaveLength(1);
  });
});
