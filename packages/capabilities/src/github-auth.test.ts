import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { fixedClock } from './clock.ts';
import { createForges } from './github.ts';
import { createTokenHosts } from './token-hosts.ts';

const TOKEN = 'ghp_secretsecretsecret';
const clock = fixedClock('2026-04-14T08:30:00.000Z');

/** A host on this machine that knows every repository. */
let server: Server;
let url: string;
let requests: string[];

beforeEach(async () => {
  requests = [];
  server = createServer((request, response) => {
    requests.push(String(request.headers.authorization));
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ login: 'somebody' }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

describe('opening', () => {
  const forges = (more: object = {}) =>
    createForges({
      allow: ['GITHUB_TOKEN', 'GITEA_TOKEN'],
      env: { GITHUB_TOKEN: TOKEN, HOME: '/root' },
      clock,
      ...more,
    });
  const target = { repo: 'acme/app', host: null, token_env: 'GITHUB_TOKEN' };

  it.each([
    ['FORGE_TOKEN_NOT_ALLOWED', { ...target, token_env: 'HOME' }],
    ['FORGE_TOKEN_NOT_ALLOWED', { ...target, token_env: '__proto__' }],
    ['FORGE_TOKEN_MISSING', { ...target, host: 'http://127.0.0.1:9', token_env: 'GITEA_TOKEN' }],
    ['FORGE_HOST_INVALID', { ...target, host: 'ftp://example.test' }],
    ['FORGE_HOST_INVALID', { ...target, host: 'git.example.test' }],
    ['FORGE_HOST_INVALID', { ...target, host: 'https://u:p@git.example.test/api/v1' }],
    ['FORGE_HOST_INVALID', { ...target, host: 'https://git.example.test/api/v1?x=1' }],
    ['FORGE_HOST_INVALID', { ...target, host: 'https://github.com' }],
    ['FORGE_REPO_INVALID', { ...target, repo: 'acme/../../user' }],
    ['FORGE_REPO_INVALID', { ...target, repo: 'acme/..' }],
  ])('throws %s for %j and makes no request', (code, bad) => {
    expect(() => forges().open(bad)).toThrow(expect.objectContaining({ code }) as Error);
    expect(requests).toEqual([]);
  });

  it.each(['ghp_one\nghp_two', 'token ghp_one', 'ghp_…', 'ghp_\u0000'])(
    'throws FORGE_TOKEN_MALFORMED for what no header can hold (%j), names the variable alone and makes no request',
    (held) => {
      const open = () => forges({ env: { GITHUB_TOKEN: held } }).open(target);

      expect(open).toThrow(expect.objectContaining({ code: 'FORGE_TOKEN_MALFORMED' }) as Error);
      expect(open).not.toThrow(/ghp_/);
      expect(open).toThrow(/GITHUB_TOKEN/);
      expect(requests).toEqual([]);
    },
  );

  it('keeps a credential of the address out of the message', () => {
    expect(() => forges().open({ ...target, host: 'https://u:hunter2@git.example.test' })).not.toThrow(
      /hunter2/,
    );
  });

  it('gives one client for one host, repository and variable', () => {
    const all = forges();

    expect(all.open(target)).toBe(all.open({ ...target, host: 'https://api.github.com/' }));
    expect(all.open(target)).not.toBe(all.open({ ...target, repo: 'acme/other' }));
  });

  it('refuses another host for a token that is bound to one, and asks it nothing', () => {
    const hosts = createTokenHosts({ listed: 'GITEA_TOKEN=https://git.example.test/api/v1' });
    const bound = forges({ hosts, env: { GITHUB_TOKEN: TOKEN, GITEA_TOKEN: TOKEN } });
    const elsewhere = expect.objectContaining({ code: 'FORGE_TOKEN_OTHER_HOST' }) as Error;
    const gitea = { ...target, token_env: 'GITEA_TOKEN' };

    expect(() => bound.open({ ...target, host: url })).toThrow(elsewhere);
    expect(() => bound.open({ ...gitea, host: url })).toThrow(elsewhere);
    expect(() => bound.open(gitea)).toThrow(elsewhere);
    for (const host of ['https://git.example.test', 'http://git.example.test/api/v1'])
      expect(() => bound.open({ ...gitea, host })).toThrow(elsewhere);
    expect(() => bound.open(target)).not.toThrow();
    expect(() => bound.open({ ...gitea, host: 'https://git.example.test/api/v1/' })).not.toThrow();
    expect(requests).toEqual([]);
  });

  it('sends a token that nobody bound to this machine alone', async () => {
    const all = forges({ env: { GITEA_TOKEN: TOKEN } });
    const gitea = { ...target, token_env: 'GITEA_TOKEN' };

    expect(() => all.open(gitea)).toThrow(/was given no host and is not sent to https:\/\/api\.github\.com/);
    await all.open({ ...gitea, host: url }).whoami();
    expect(requests).toEqual([`token ${TOKEN}`]);
  });
});
