import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { readConfig } from './config.ts';

let root: string;

beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'caloron-config-')));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe('the config of a shell', () => {
  it('O9 is complete without flags and variables', () => {
    const config = readConfig({}, {}, root);

    expect(config).toMatchObject({
      home: root,
      db: join(root, '.caloron/caloron.db'),
      host: '127.0.0.1',
      port: 7710,
      token: null,
      token_envs: ['GITHUB_TOKEN', 'GITEA_TOKEN', 'CALORON_REVIEWER_TOKEN', 'CALORON_FORGE_TOKEN'],
      log_level: 'info',
      heartbeat_ms: 60_000,
    });
    expect(config.harness_bin).toMatch(/packages\/harness\/bin\/caloron-harness\.mjs$/);
    expect(Object.isFrozen(config)).toBe(true);
  });

  it('finds the home above the working directory', () => {
    mkdirSync(join(root, '.caloron'));
    const deep = join(root, 'a/b');
    mkdirSync(deep, { recursive: true });

    expect(readConfig({}, {}, deep).home).toBe(root);
    expect(readConfig({ home: 'c' }, {}, deep).home).toBe(join(deep, 'c'));
  });

  it('O9 takes flags before variables', () => {
    const env = { CALORON_SHELL_PORT: '8000', CALORON_DB: 'other.db', NOETHER_KV_PATH: 'old.db' };

    expect(readConfig({}, env, root)).toMatchObject({ port: 8000, db: join(root, 'other.db') });
    expect(readConfig({ port: '0' }, env, root).port).toBe(0);
    expect(readConfig({ host: '0.0.0.0' }, env, root).host).toBe('0.0.0.0');
    expect(readConfig({ home: root }, env, '/').db).toBe(join(root, '.caloron/caloron.db'));
    expect(readConfig({}, { NOETHER_KV_PATH: '/x/old.db' }, root).db).toBe('/x/old.db');
  });

  it.each([
    ['--port', { port: '70000' }, {}],
    ['--port', { port: '7710x' }, {}],
    ['CALORON_SHELL_PORT', {}, { CALORON_SHELL_PORT: 'http' }],
    ['CALORON_HEARTBEAT_MS', {}, { CALORON_HEARTBEAT_MS: '-1' }],
    ['CALORON_LOG_LEVEL', {}, { CALORON_LOG_LEVEL: 'loud' }],
    ['CALORON_TOKEN_ENVS', {}, { CALORON_TOKEN_ENVS: 'GITHUB_TOKEN,x y' }],
  ])('refuses a bad %s by its name', (name, flags, env) => {
    expect(() => readConfig(flags, env, root)).toThrow(
      expect.objectContaining({ code: 'SHELL_CONFIG_INVALID', details: expect.objectContaining({ name }) }),
    );
  });
});
