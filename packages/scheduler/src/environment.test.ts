import { findHome } from '@caloron/store';
import { describe, expect, it } from 'vitest';

import { credentialOf, readEnvironment, secretsOf } from './environment.ts';

const home = findHome({ flag: '/nowhere', cwd: '/nowhere' });
const environment = readEnvironment(
  {
    CALORON_TOKEN_ENVS: 'MY_FORGE',
    CALORON_SHELL_TOKEN: 'shell-token',
    MY_FORGE: 'forge-value',
    OPENAI_API_KEY: 'key-value',
    DB_PASSWORD: 'password-value',
    DATABASE_URL: 'postgres://ada:in-address@db.example.org/x',
    KEYBOARD: 'qwerty-layout',
    HOME: '/home/ada',
  },
  home,
);

describe('secrets of the environment', () => {
  it('are the values of token variables and of those named so, passwords of addresses, and the token of the shell', () => {
    const secrets = secretsOf(environment);

    expect(secrets).toEqual(
      expect.arrayContaining(['forge-value', 'key-value', 'password-value', 'in-address', 'shell-token']),
    );
    expect(secrets).not.toEqual(expect.arrayContaining([expect.stringMatching(/qwerty|home/)]));
    expect(secrets).not.toContain('');
  });

  it('go as credentials only from the variables on the list', () => {
    expect(credentialOf(environment, 'MY_FORGE')).toBe('forge-value');
    expect(credentialOf(environment, 'OPENAI_API_KEY')).toBeNull();
    expect(credentialOf(environment, 'UNSET')).toBeNull();
  });
});
