import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { checkedHost, createTokenHosts, misplaced } from './token-hosts.ts';

const GITHUB = 'https://api.github.com';
const GIT = 'https://git.example.test/api/v1';

let dir: string;
let project_file: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'caloron-hosts-'));
  project_file = join(dir, 'caloron.json');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function project(settings: unknown): void {
  writeFileSync(project_file, typeof settings === 'string' ? settings : JSON.stringify(settings));
}

describe('the host of a token', () => {
  it('is github.com for GITHUB_TOKEN and nobody’s for others, where nothing is said', () => {
    const host_of = createTokenHosts({ project_file });

    expect(host_of('GITHUB_TOKEN')).toBe(GITHUB);
    for (const name of ['GITEA_TOKEN', '__proto__', 'constructor']) expect(host_of(name)).toBeNull();
  });

  it('is caloron.json’s for the variables it names, as the file is at that moment', () => {
    const host_of = createTokenHosts({ project_file });

    project({ host: GIT, token_env: 'GITEA_TOKEN', reviewer_token_env: 'SECOND' });
    expect(['GITEA_TOKEN', 'SECOND', 'THIRD', 'GITHUB_TOKEN'].map(host_of)).toEqual([GIT, GIT, null, GITHUB]);
    project({ token_env: 'GITEA_TOKEN' });
    expect(['GITEA_TOKEN', 'SECOND'].map(host_of)).toEqual([GITHUB, null]);
    project({ host: GIT });
    expect(host_of('GITHUB_TOKEN')).toBe(GIT);
  });

  it.each(['{"host":', '[]', '{"host": 7}', 'null'])('is not read of the file %s', (text) => {
    project(text);

    expect(createTokenHosts({ project_file })('GITHUB_TOKEN')).toBe(GITHUB);
  });

  it('is the operator’s before the file’s', () => {
    project({ host: GIT, token_env: 'GITEA_TOKEN' });
    const listed = ` GITEA_TOKEN = http://127.0.0.1:3000/ ,, GITHUB_TOKEN=${GIT}`;
    const host_of = createTokenHosts({ listed, project_file });

    expect(['GITEA_TOKEN', 'GITHUB_TOKEN'].map(host_of)).toEqual(['http://127.0.0.1:3000', GIT]);
  });

  it.each(['ghp_value', 'GITEA_TOKEN=ghp_value', 'GITEA_TOKEN=https://ghp_value@git.example.test', 'a-b=x'])(
    'is refused with the place in the list for %s, which may be a token itself',
    (listed) => {
      const said = (() => {
        try {
          createTokenHosts({ listed })('GITEA_TOKEN');
        } catch (error) {
          return error;
        }
        return undefined;
      })();

      expect(said).toMatchObject({ code: 'FORGE_HOST_INVALID' });
      expect(said).toMatchObject({
        message: expect.stringContaining('CALORON_TOKEN_HOSTS, entry 1') as string,
      });
      expect(JSON.stringify([said, String(said), (said as Error).cause])).not.toContain('ghp_value');
    },
  );
});

describe('a token that is bound to nobody', () => {
  const nobody = () => null;

  it.each(['http://127.0.0.1:3000', 'http://localhost:3000/api/v1', 'http://[::1]:1', 'http://127.9.9.9'])(
    'may go to %s',
    (host) => {
      expect(misplaced('X', checkedHost(host), nobody)).toBeNull();
    },
  );

  it.each([
    GITHUB,
    'http://127.0.0.1.evil.test',
    'http://localhost.evil.test',
    'http://evil.test/127.0.0.1',
    'http://10.0.0.1',
    'http://0.0.0.0:3000',
    'http://[::ffff:10.0.0.1]',
  ])('may not go to %s', (host) => {
    expect(misplaced('X', checkedHost(host), nobody)).toEqual({ belongs_to: null });
  });
});
