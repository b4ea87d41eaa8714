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

  it.each([
    ['OPENAI_APIKEY', 'value-of-it', 'value-of-it'],
    ['SMTP_PASS', 'value-of-it', 'value-of-it'],
    ['GITHUB_PAT', 'value-of-it', 'value-of-it'],
    ['MYSQL_PWD', 'value-of-it', 'value-of-it'],
    ['SSH_PASSPHRASE', 'value-of-it', 'value-of-it'],
    ['DB', 'postgres://ada:at@in-it@db.example.org/x', 'at@in-it'],
    ['DB', 'postgres://ada:p%40ssword@db.example.org/x', 'p@ssword'],
    ['DB', 'postgres://ada:p%40ssword@db.example.org/x', 'p%40ssword'],
    ['BROKERS', 'amqp://u:first-one@a,amqp://u:second-one@b', 'second-one'],
    ['GIT_REMOTE', 'https://ghp_0123456789@github.com/a/b', 'ghp_0123456789'],
    ['BAD', 'redis://:100%-sure@cache', '100%-sure'],
    ['NOETHER_REGISTRY_WRITE_KEY', 'the-new-one-of-both, the-old-one-of-both', 'the-old-one-of-both'],
    ['NOETHER_REGISTRY_API_KEY', ' sent-without-spaces ', 'sent-without-spaces'],
  ])('are also found in %s=%s: %s', (name, value, secret) => {
    expect(secretsOf(readEnvironment({ [name]: value }, home))).toContain(secret);
  });

  it.each([
    ['PWD', '/srv/project'],
    ['OLDPWD', '/srv/project'],
    ['MONKEY_PATH', '/srv/project'],
    ['REMOTE', 'ssh://deploy@example.org/x'],
    ['PAGE', 'https://example.org/@user'],
    ['PATHS', '/a:/b'],
  ])('are none in %s=%s', (name, value) => {
    expect(secretsOf(readEnvironment({ [name]: value }, home))).toEqual([]);
  });

  it('go as credentials only from the variables on the list', () => {
    expect(credentialOf(environment, 'MY_FORGE')).toBe('forge-value');
    expect(credentialOf(environment, 'OPENAI_API_KEY')).toBeNull();
    expect(credentialOf(environment, 'UNSET')).toBeNull();
    // A forge may have it by default, a remote stage may be anywhere.
    expect(credentialOf(readEnvironment({ GITHUB_TOKEN: 'of-the-forge' }, home), 'GITHUB_TOKEN')).toBeNull();
  });
});
