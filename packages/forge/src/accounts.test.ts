import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { fixedClock } from '@caloron/capabilities/clock';
import { main } from './main.ts';
import { addUser } from './server.ts';
import { appRepo, octokitOf, testForge, type TestForge } from './test-kit.ts';

const at = { owner: 'alice', repo: 'app' } as const;

describe('users and tokens', () => {
  let dir: string;
  let data: string;
  let forge: TestForge;
  let printed: string;
  beforeEach(async () => {
    dir = mkdtempSync(path.join(tmpdir(), 'forge-users-'));
    data = path.join(dir, 'data');
    forge = await testForge({ data });
    await appRepo(forge);
    printed = '';
    const keep = (text: string | Uint8Array): boolean => {
      printed += String(text);
      return true;
    };
    vi.spyOn(process.stdout, 'write').mockImplementation(keep);
    vi.spyOn(process.stderr, 'write').mockImplementation(keep);
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    process.exitCode = undefined;
    await forge.stop();
    rmSync(dir, { recursive: true, force: true });
  });
  const status = async (token: string): Promise<number> =>
    (await fetch(`${forge.url}/user`, { headers: { authorization: `Bearer ${token}` } })).status;

  it('are listed with how many tokens they have', async () => {
    await addUser(data, 'bob', { admin: true });

    await main(['user', 'list', '--data', data]);

    expect(JSON.parse(printed)).toEqual({
      users: [
        { login: 'alice', admin: false, tokens: 1 },
        { login: 'bob', admin: true, tokens: 2 },
        { login: 'carol', admin: false, tokens: 1 },
      ],
    });
  });

  it('that are revoked open nothing from then on; the others do', async () => {
    const { token } = await addUser(data, 'bob');
    const file = path.join(dir, 'token');
    writeFileSync(file, `${token}\n`);

    await main(['token', 'revoke', '--token-file', file, '--data', data]);

    expect(JSON.parse(printed)).toEqual({ revoked: 1 });
    expect([await status(token), await status(forge.tokens.bob)]).toEqual([401, 200]);
    await main(['token', 'revoke', 'BOB', '--data', data]);
    expect([await status(forge.tokens.bob), await status(forge.tokens.alice)]).toEqual([401, 200]);
  });

  it('that are removed leave what they wrote, with nobody as its author', async () => {
    const bob = forge.as('bob');
    const { number: issue_number } = (await bob.issues.create({ ...at, title: 'by bob' })).data;
    await bob.issues.createComment({ ...at, issue_number, body: 'said' });

    await main(['user', 'remove', 'bob', '--data', data]);

    const alice = forge.as('alice');
    expect((await alice.issues.get({ ...at, issue_number })).data.user).toBeNull();
    expect((await alice.issues.listComments({ ...at, issue_number })).data[0]).toMatchObject({
      body: 'said',
      user: null,
    });
    expect(await status(forge.tokens.bob)).toBe(401);
    const again = octokitOf(forge.url, (await addUser(data, 'bob')).token);
    expect((await again.issues.get({ ...at, issue_number })).data.user?.login).toBe('bob');
    expect((await again.repos.get(at)).data.permissions?.push).toBe(false);
  });

  it.each([
    ['an unknown login', ['user', 'remove', 'nobody']],
    ['neither a login nor a token', ['token', 'revoke']],
    ['a file that is not there', ['token', 'revoke', '--token-file', '/absent/token']],
  ])('are not found by %s', async (_, args) => {
    await main([...args, '--data', data]);

    expect(process.exitCode).toBe(1);
    expect(printed).toContain('LOCAL_FORGE_OPTION_INVALID');
  });
});

describe('a data directory that cannot be made', () => {
  it('is refused at once, with what to do', async () => {
    await expect(addUser('/proc/absent', 'alice')).rejects.toMatchObject({
      code: 'LOCAL_FORGE_DATA_DAMAGED',
      hint: expect.stringContaining('--data') as unknown,
    });
  });
});

describe('the secondary limit', () => {
  it('takes so many changes a minute, says how long to wait, and lets reads through', async () => {
    const clock = fixedClock('2026-01-01T00:00:00.000Z');
    const forge = await testForge({ secondary_limit: 3, clock });
    try {
      const create = async (name: string) =>
        forge.fetch('/user/repos', { method: 'POST', body: JSON.stringify({ name }), as: 'alice' });
      for (const name of ['a', 'b', 'c']) expect((await create(name)).status).toBe(201);

      const refused = await create('d');

      expect(refused.status).toBe(403);
      expect(refused.headers.get('retry-after')).toBe('60');
      expect(Number(refused.headers.get('x-ratelimit-remaining'))).toBeGreaterThan(0);
      expect(await refused.json()).toMatchObject({
        message: expect.stringContaining('secondary rate limit') as unknown,
      });
      expect((await forge.fetch('/repos/alice/a', { as: 'alice' })).status).toBe(200);
      clock.advance(60_000);
      expect((await create('d')).status).toBe(201);
    } finally {
      await forge.stop();
    }
  });
});
