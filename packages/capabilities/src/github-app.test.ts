import { createVerify, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { addMs, type Timestamp } from '@caloron/types';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { systemClock } from './clock.ts';
import { type CachedForgeAnswer, createForges, type ForgesDeps } from './github.ts';
import { type Answer, type ScriptedHost, scriptedHost, type Seen } from './testing/scripted-host.ts';

const HOUR_MS = 60 * 60_000;

let publicKey: KeyObject;
let pem: string;
let other_pem: string;
beforeAll(() => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  ({ publicKey } = rsa);
  // As GitHub hands it out.
  pem = rsa.privateKey.export({ type: 'pkcs1', format: 'pem' }).toString();
  other_pem = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .privateKey.export({ type: 'sec1', format: 'pem' })
    .toString();
});

let host: ScriptedHost;
let now: Timestamp;
/** Tokens the host has made, the newest last; it takes that one alone. */
let made: string[];
let learned: string[];
let rows: Map<string, CachedForgeAnswer>;

beforeEach(async () => {
  host = await scriptedHost();
  now = systemClock.now();
  made = [];
  learned = [];
  rows = new Map();
  host.script(table());
});
afterEach(() => host.close());

/** The claims of the app's signature; undefined where it is none of its key. */
function claims({ headers }: Seen): { readonly iss: unknown; readonly iat: number } | undefined {
  const [, head = '', body = '', signature = ''] =
    /^bearer ([\w-]+)\.([\w-]+)\.([\w-]+)$/iu.exec(headers.authorization ?? '') ?? [];
  const verify = createVerify('RSA-SHA256').update(`${head}.${body}`);
  if (!verify.verify(publicKey, Buffer.from(signature, 'base64url'))) return undefined;
  return JSON.parse(Buffer.from(body, 'base64url').toString()) as { iss: unknown; iat: number };
}

const asApp =
  (answer: (seen: Seen) => Answer) =>
  (seen: Seen): Answer =>
    claims(seen)?.iss === '7'
      ? answer(seen)
      : { status: 401, json: { message: 'A JSON web token could not be decoded' } };

const make = asApp(() => {
  made.push(`ghs_made${made.length}madeby`);
  return { status: 201, json: { token: made.at(-1), expires_at: addMs(now, HOUR_MS).replace('.000Z', 'Z') } };
});
const asInstalled =
  (json: unknown) =>
  (seen: Seen): Answer =>
    seen.headers.authorization === `token ${made.at(-1)}`
      ? { headers: { etag: '"e"' }, json }
      : { status: 401, json: { message: 'Bad credentials' } };

function table(
  more: Readonly<Record<string, Answer | ((seen: Seen) => Answer)>> = {},
): Parameters<ScriptedHost['script']>[0] {
  return {
    'GET /repos/acme/app/installation': asApp(() => ({ json: { id: 42 } })),
    'POST /app/installations/42/access_tokens': make,
    'GET /app': asApp(() => ({ json: { slug: 'our-agents' } })),
    'GET /repos/acme/app': asInstalled({ full_name: 'acme/app', default_branch: 'main', private: true }),
    'POST /repos/acme/app/issues/1/labels': asInstalled([]),
    ...more,
  };
}

const variables = (): Record<string, string> => ({ BOTS_APP_ID: '7', BOTS_PRIVATE_KEY: pem });

function forges(env: Readonly<Record<string, string>> = variables(), more: Partial<ForgesDeps> = {}) {
  return createForges({
    allow: ['BOTS'],
    env,
    clock: { now: () => now },
    read_retries: 0,
    learn: (secret) => void learned.push(secret),
    cache: {
      get: async (key) => rows.get(key),
      put: async (key, answer) => void rows.set(key, answer),
    },
    ...more,
  });
}
const target = () => ({ repo: 'acme/app', host: host.url, token_env: 'BOTS' });
const asked = (): readonly string[] =>
  host.requests.map(({ method, url }) => `${method} ${url.split('?')[0]}`);
const MAKE = 'POST /app/installations/42/access_tokens';
const LOOK_UP = 'GET /repos/acme/app/installation';

/** What a refusal says, all of it. */
async function refusal(work: () => Promise<unknown>): Promise<unknown> {
  try {
    await work();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe('a GitHub App', () => {
  it('gets a token for the one repository, on its own host, when the first request is made', async () => {
    const forge = forges().open(target());
    expect(asked()).toEqual([]);

    expect(await forge.info()).toMatchObject({ full_name: 'acme/app' });

    expect(asked()).toEqual([LOOK_UP, MAKE, 'GET /repos/acme/app']);
    expect(host.requests[1]?.body).toEqual({ repositories: ['app'] });
    expect(new Set(learned)).toEqual(new Set([pem.trim(), 'ghs_made0madeby']));
  });

  it('uses it until five minutes before its end, and one for requests that are made at once', async () => {
    const all = forges();
    const forge = all.open(target());
    await Promise.all([forge.info(), forge.info(), all.open(target()).info()]);
    expect(asked().filter((line) => line === MAKE)).toHaveLength(1);

    now = addMs(now, 54 * 60_000);
    await forge.info();
    expect(made).toHaveLength(1);
    now = addMs(now, 60_000);
    await forge.info();
    expect(made).toEqual(['ghs_made0madeby', 'ghs_made1madeby']);
  });

  it('has no installation looked up that is named, and another alias has tokens of its own', async () => {
    const env = { ...variables(), BOTS_INSTALLATION_ID: '42', REVIEWS_APP_ID: '7', REVIEWS_PRIVATE_KEY: pem };
    const all = forges(env, { allow: ['BOTS', 'REVIEWS'] });

    await all.open(target()).info();
    expect(asked()).toEqual([MAKE, 'GET /repos/acme/app']);
    await all.open({ ...target(), token_env: 'REVIEWS' }).info();
    expect(made).toHaveLength(2);
  });

  it('gets one other token when the host takes the first no longer, for a write too, and no third', async () => {
    const forge = forges().open(target());
    await forge.info();
    made.push('ghs_another');

    await forge.addLabels(1, ['x']);
    expect(made).toHaveLength(3);
    expect(asked().filter((line) => line.startsWith('POST /repos'))).toHaveLength(2);

    host.script(table({ 'GET /repos/acme/app': { status: 401, json: { message: 'Bad credentials' } } }));
    expect(await refusal(() => forge.info())).toMatchObject({ code: 'FORGE_UNAUTHORIZED' });
    expect(made).toHaveLength(4);
  });

  it('keeps its ETags when its token is another', async () => {
    const list = {
      number: 1,
      title: 'One',
      state: 'open',
      user: { login: 'x' },
      labels: [],
      body: '',
      created_at: '2026-04-14T08:00:00Z',
      updated_at: '2026-04-14T08:00:00Z',
    };
    host.script(
      table({
        'GET /repos/acme/app/issues/1/comments': asInstalled([]),
        'GET /repos/acme/app/issues': asInstalled([list]),
      }),
    );
    const forge = forges().open(target());
    const first = await forge.changedIssues(null);
    now = addMs(now, HOUR_MS);
    const second = await forge.changedIssues(first.cursor, first.next);

    expect(made).toHaveLength(2);
    expect(host.requests.at(-1)?.headers['if-none-match']).toBe('"e"');
    expect(JSON.stringify([first, second, ...rows])).not.toContain('ghs_made');
  });

  it('is the account its name says', async () => {
    const forge = forges().open(target());

    expect([await forge.whoami(), await forge.whoami()]).toEqual(['our-agents[bot]', 'our-agents[bot]']);
    expect(asked()).toEqual(['GET /app']);
  });

  it('signs with the time of its host', async () => {
    const ahead_s = 600;
    const host_now = Math.floor(Date.parse(now) / 1_000) + ahead_s;
    const message =
      "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires";
    host.script(
      table({
        [LOOK_UP]: (seen) =>
          Math.abs((claims(seen)?.iat ?? 0) - host_now) < 120
            ? { json: { id: 42 } }
            : { status: 401, headers: { date: new Date(host_now * 1_000).toUTCString() }, json: { message } },
      }),
    );

    expect(await forges().open(target()).info()).toMatchObject({ private: true });
  });

  it('is told that a verdict is on its own pull request by a host that does not say who it is', async () => {
    const head = { sha: 'a'.repeat(40), ref: 'x', repo: { full_name: 'acme/app' } };
    const pull = { number: 5, title: 'x', state: 'open', draft: false, body: '', merged: false, head };
    const at = '2026-04-14T08:00:00Z';
    const refused = (message: string): Answer => ({ status: 422, json: { message } });
    const answers = {
      'GET /user': { status: 403, json: { message: 'Resource not accessible by integration' } },
      'GET /repos/acme/app/pulls/5': {
        json: {
          ...pull,
          user: { login: 'our-agents[bot]' },
          base: { ...head, ref: 'main' },
          labels: [],
          created_at: at,
          updated_at: at,
        },
      },
    };
    const path = 'POST /repos/acme/app/pulls/5/reviews';
    host.script({ ...answers, [path]: refused('Can not approve your own pull request') });
    // As a harness opens it: with the token in hand.
    const forge = host.open({ token: 'ghs_made' });
    const review = { event: 'APPROVE', body: 'good', commit_id: head.sha } as const;

    expect(await refusal(() => forge.review(5, review))).toMatchObject({
      code: 'FORGE_SELF_REVIEW',
      details: { login: 'our-agents[bot]' },
    });
    host.script({ ...answers, [path]: refused('Review comments is invalid') });
    expect(await refusal(() => forge.review(5, review))).toMatchObject({ code: 'FORGE_INVALID' });
  });

  it('stands back behind a token in the variable itself', async () => {
    host.script(
      table({
        'GET /repos/acme/app': { json: { full_name: 'acme/app', default_branch: 'main', private: true } },
      }),
    );

    await forges({ ...variables(), BOTS: 'ghp_plain' })
      .open(target())
      .info();

    expect(host.requests.map(({ headers }) => headers.authorization)).toEqual(['token ghp_plain']);
  });

  it('5.5.12 of a name that is not allowed, or of another host, is asked for no token', () => {
    const open = (more: object, allow = ['BOTS']) =>
      forges({ ...variables(), GITHUB_TOKEN_APP_ID: '7', GITHUB_TOKEN_PRIVATE_KEY: pem }, { allow }).open({
        ...target(),
        ...more,
      });

    expect(() => open({}, [])).toThrow(expect.objectContaining({ code: 'FORGE_TOKEN_NOT_ALLOWED' }) as Error);
    for (const more of [{ host: null }, { token_env: 'GITHUB_TOKEN' }])
      expect(() => open(more, ['BOTS', 'GITHUB_TOKEN'])).toThrow(
        expect.objectContaining({ code: 'FORGE_TOKEN_OTHER_HOST' }) as Error,
      );
    expect(asked()).toEqual([]);
  });
});

describe('the key of a GitHub App', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'caloron-app-'));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it.each([
    ['on one line with \\n', () => ({ BOTS_PRIVATE_KEY: pem.replaceAll('\n', '\\n') })],
    [
      'in a file',
      () => {
        writeFileSync(join(dir, 'key.pem'), pem);
        return { BOTS_PRIVATE_KEY_FILE: join(dir, 'key.pem') };
      },
    ],
  ])('is taken %s', async (_name, key) => {
    const forge = forges({ BOTS_APP_ID: '7', ...key() }).open(target());

    expect(await forge.info()).toMatchObject({ default_branch: 'main' });
  });

  it.each([
    ['has no private key', () => ({}), /BOTS_PRIVATE_KEY_FILE/],
    ['no RSA key', () => ({ BOTS_PRIVATE_KEY: 'hunter2-is-my-key' }), /page of the app/],
    ['no RSA key', () => ({ BOTS_PRIVATE_KEY: pem.slice(0, 200) }), /page of the app/],
    ['no RSA key', () => ({ BOTS_PRIVATE_KEY: other_pem }), /page of the app/],
    ['cannot be read', () => ({ BOTS_PRIVATE_KEY_FILE: join(dir, 'hunter2.pem') }), /this user may read/],
    ['BOTS_APP_ID', () => ({ BOTS_APP_ID: 'a b', BOTS_PRIVATE_KEY: pem }), /client id/],
    ['BOTS_INSTALLATION_ID', () => ({ BOTS_INSTALLATION_ID: 'acme', BOTS_PRIVATE_KEY: pem }), /last part/],
  ])('that %s is refused with what to do, without a request, and is not shown', async (says, key, next) => {
    const error = await refusal(async () => forges({ BOTS_APP_ID: '7', ...key() }).open(target()));

    expect(error).toMatchObject({
      code: 'FORGE_APP_INVALID',
      message: expect.stringContaining(says) as string,
      hint: expect.stringMatching(next) as string,
    });
    const shown = JSON.stringify([error, String(error), (error as Error).stack, (error as Error).cause]);
    expect(shown).not.toMatch(/hunter2|PRIVATE KEY-----/);
    expect(asked()).toEqual([]);
  });
});

describe('a GitHub App whose host says no', () => {
  it.each([
    [
      'a key of another app',
      { BOTS_APP_ID: '8' },
      {},
      'FORGE_APP_INVALID',
      /does not accept what its key signed/,
    ],
    [
      'a repository without it',
      {},
      { [LOOK_UP]: { status: 404 } },
      'FORGE_APP_INVALID',
      /not installed on acme\/app/,
    ],
    [
      'an installation without it',
      {},
      { [MAKE]: { status: 422 } },
      'FORGE_APP_INVALID',
      /not installed on acme\/app/,
    ],
    [
      'a suspended one',
      {},
      { [MAKE]: { status: 403, json: { message: 'This installation has been suspended' } } },
      'FORGE_APP_INVALID',
      /refuses it \(403\)/,
    ],
    [
      'a limit',
      {},
      { [LOOK_UP]: { status: 429, headers: { 'retry-after': '60' } } },
      'FORGE_RATE_LIMITED',
      /limit/,
    ],
    ['a fault', {}, { [MAKE]: { status: 502 } }, 'FORGE_UNAVAILABLE', /could not get a token of the app/],
    ['a broken connection', {}, { [LOOK_UP]: { drop: true } }, 'FORGE_UNAVAILABLE', /find the installation/],
    [
      'an answer that is none',
      {},
      { [MAKE]: { status: 201, json: { token: 7 } } },
      'FORGE_ANSWER_INVALID',
      /another shape/,
    ],
  ] as const)('over %s is told as that, and asked again later', async (_name, env, answers, code, says) => {
    host.script(table(answers));
    const forge = forges({ ...variables(), ...env }).open(target());

    const error = await refusal(() => forge.info());

    expect(error).toMatchObject({ code, message: expect.stringMatching(says) as string });
    expect(JSON.stringify([error, (error as Error).cause])).not.toMatch(/ghs_|eyJ|PRIVATE KEY/);
    if (Object.keys(answers).length === 0) return;
    host.script(table());
    expect(await forge.info()).toMatchObject({ full_name: 'acme/app' });
  });
});
