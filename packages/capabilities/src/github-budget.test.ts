import type { ForgeBudget, ForgeLeave } from '@caloron/types';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { ForgeError } from './forge-errors.ts';
import { failure, type ScriptedHost, scriptedHost, wireIssue } from './testing/scripted-host.ts';
import { tokenIdOf } from './token-id.ts';

const ISSUE = 'GET /repos/acme/app/issues/1';
const COMMENT = 'POST /repos/acme/app/issues/1/comments';

let host: ScriptedHost;
/** What the budget was told, in order. */
let told: unknown[][];
let leave: ForgeLeave;

const budget: ForgeBudget = {
  reserve: async ({ token_id, host: whose }, { kind, who }) => {
    told.push(['reserve', kind, who]);
    expect([whose, token_id]).toEqual([host.url, tokenIdOf('ghp_secretsecretsecret')]);
    return leave;
  },
  answered: async (_account, limit, free) => void told.push(['answered', limit, free]),
  limited: async (_account, hold, until) => void told.push(['limited', hold, until]),
  failed: async () => void told.push(['failed']),
};

beforeEach(async () => {
  host = await scriptedHost();
  told = [];
  leave = { ok: true };
});
afterEach(() => host.close());

describe('the budget of a host', () => {
  const date = 'Tue, 14 Apr 2026 08:30:00 GMT';
  const limits = {
    date,
    'x-ratelimit-limit': '50',
    'x-ratelimit-remaining': '7',
    'x-ratelimit-reset': '1776157200',
  };
  const limit = { limit: 50, remaining: 7, reset_at: '2026-04-14T09:00:00.000Z' };

  it('is asked before every request and hears what the host says of its limit', async () => {
    host.script({
      [ISSUE]: { headers: limits, json: wireIssue(1, '2026-04-14T08:00:00Z') },
      [COMMENT]: { status: 422, headers: limits, json: { message: 'no' } },
    });
    const forge = host.open({ budget, who: 'person' });

    await forge.issue(1);
    await failure(forge.comment(1, 'hello'));
    await forge.closeIssue(1).catch(() => undefined);

    expect(told.slice(0, 5)).toEqual([
      ['reserve', 'read', 'person'],
      ['answered', limit, false],
      ['reserve', 'create', 'person'],
      ['answered', limit, false],
      ['reserve', 'write', 'person'],
    ]);
  });

  it('that gives no leave lets no request out, and says until when and why', async () => {
    const until = '2026-04-14T09:00:00.000Z';
    leave = { ok: false, hold: 'kept', until, limit: 5000 };

    const error = await failure(host.open({ budget }).issue(1));

    expect(host.requests).toEqual([]);
    expect(told).toEqual([['reserve', 'read', 'tick']]);
    expect(error).toMatchObject({ code: 'FORGE_PARKED', retryable: true, details: { reset_at: until } });
    expect(error.message).toBe(
      `did not try to read issue #1 in acme/app on ${host.url}: nothing is asked there until ${until}: what is left of 5000 requests an hour is kept for people`,
    );
    expect(error.hint).toContain('commands that you type still get through');
  });

  it.each<[string, Record<string, string>, string]>([
    ['used_up', { 'x-ratelimit-remaining': '0' }, '2026-04-14T09:00:00.000Z'],
    ['slow_down', { 'retry-after': '90' }, '2026-04-14T08:31:30.000Z'],
  ])('hears of a limit that is %s', async (hold, more, until) => {
    host.script({
      [ISSUE]: { status: 403, headers: { ...limits, ...more }, json: { message: 'slow down' } },
    });

    await failure(host.open({ budget }).issue(1));

    expect(told.at(-1)).toEqual(['limited', hold, until]);
  });

  it('hears of one fault, however often a read was tried', async () => {
    host.script({ [ISSUE]: { drop: true } });

    await failure(host.open({ budget, read_retries: 1 }).issue(1));

    expect(host.requests).toHaveLength(2);
    expect(told).toEqual([['reserve', 'read', 'tick'], ['failed']]);
  });

  it.each([
    [
      'a limit',
      'FORGE_RATE_LIMITED',
      '2026-04-14T09:00:00.000Z',
      ['limited', 'slow_down', '2026-04-14T09:00:00.000Z'],
    ],
    ['a limit without an end', 'FORGE_RATE_LIMITED', null, undefined],
    ['an outage', 'FORGE_UNAVAILABLE', null, ['failed']],
  ] as const)('hears of %s that an app met while its token was made', async (_, code, reset_at, heard) => {
    const facts = { host: host.url, repo: 'acme/app', doing: 'get a token', status: 429, answer: 'no' };
    const refusal = new ForgeError(code, { ...facts, reset_at }, { retryable: true });
    const token = {
      id: tokenIdOf('ghp_secretsecretsecret'),
      known: () => '',
      get: () => Promise.reject(refusal),
      login: () => Promise.reject(refusal),
    };

    expect(await failure(host.open({ budget, token }).issue(1))).toMatchObject({ code });
    expect(told).toEqual([['reserve', 'read', 'tick'], ...(heard === undefined ? [] : [heard])]);
    expect(host.requests).toEqual([]);
  });

  it('makes no token of an app while the host is left alone', async () => {
    leave = { ok: false, hold: 'slow_down', until: '2026-04-14T08:50:00.000Z', limit: null };
    const asked: string[] = [];
    const made = { token: 'ghs_x', expires_at: null };
    const token = {
      id: tokenIdOf('ghp_secretsecretsecret'),
      known: () => '',
      get: () => Promise.resolve(made).finally(() => asked.push('token')),
      login: () => Promise.resolve('app[bot]'),
    };

    const parked = await failure(host.open({ budget, token }).issue(1));
    expect([parked.code, asked]).toEqual(['FORGE_PARKED', []]);
  });

  it('hears which answer cost nothing', async () => {
    host.script({
      'GET /repos/acme/app/issues': ({ headers }) =>
        headers['if-none-match'] === '"a"'
          ? { status: 304, headers: limits }
          : { headers: { ...limits, etag: '"a"' }, json: [] },
    });
    const forge = host.open({ budget });
    const { next } = await forge.changedIssues(null);

    await forge.changedIssues(next?.updated_at ?? null, next);

    expect(told.map(([what, , free]) => [what, free]).at(-1)).toEqual(['answered', true]);
  });
});
