import { describe, expect, it } from 'vitest';

import { CliError } from './errors.ts';
import { checkForgeWords, type ForgeWords } from './forge-words.ts';

function refusal(words: Partial<ForgeWords>): CliError {
  try {
    checkForgeWords({ repo: 'acme/app', ...words });
  } catch (error) {
    if (error instanceof CliError) return error;
    throw error;
  }
  throw new Error('it was taken');
}

describe('a forge in words', () => {
  it.each([
    {},
    { repo: 'a.b/c_d-e' },
    { host: 'http://127.0.0.1:7720' },
    { host: 'https://git.example.org/api/v1/' },
    { tokenEnv: 'GITEA_TOKEN' },
  ])('that can be one is taken: %j', (words) => {
    expect(() => checkForgeWords({ repo: 'acme/app', ...words })).not.toThrow();
  });

  it.each([
    ['a/../x', '"a/../x"', 'as in --repo acme/app'],
    ['../x', '"../x"', 'as in --repo acme/app'],
    ['app', '"app"', 'as in --repo acme/app'],
    ['', '""', 'as in --repo acme/app'],
    ['a/b\u001b[31m', '"a/b\\u001b[31m"', 'as in --repo acme/app'],
    ['https://github.com/acme/app', '"https://github.com/acme/app"', '--repo acme/app'],
    ['https://github.com/acme/app.git/', '"https://github.com/acme/app.git/"', '--repo acme/app'],
    ['github.com/acme/app', '"github.com/acme/app"', '--repo acme/app'],
    ['git@github.com:acme/app.git', 'something else', '--repo acme/app'],
    [
      'https://git.example.org:3000/acme/app',
      '"https://git.example.org:3000/acme/app"',
      '--repo acme/app, and --host with the API address of its forge',
    ],
  ])('whose repository is %j is told what was expected, and what comes next', (repo, got, next) => {
    const { code, message, hint = '' } = refusal({ repo });

    expect([code, message]).toEqual([
      'CLI_USAGE',
      `--repo: expected a repository like owner/name, got ${got}`,
    ]);
    expect(hint.endsWith(next)).toBe(true);
  });

  it.each([
    'github',
    'gitea',
    'github.com',
    'ftp://x',
    'file:///etc',
    'https://github.com',
    'https://x/?q=1',
  ])('whose host is the word %j is told what was expected', (host) => {
    const { code, message, hint } = refusal({ host });

    expect([code, message]).toEqual([
      'CLI_USAGE',
      `--host: expected the API address of a forge, like https://git.example.org/api/v1, got "${host}"`,
    ]);
    expect(hint).toMatch(/^leave --host out for github\.com/);
  });

  it.each<Partial<ForgeWords>>([
    { repo: 'https://ada:ghp_secret@github.com/acme/app' },
    { repo: `ghp_secret${'x'.repeat(100)}` },
    { host: 'https://ada:ghp_secret@git.example.org' },
    { host: 'ghp_secretsecretsecretsecret' },
    { tokenEnv: 'ghp_secret' },
  ])('that holds a token shows none of it', (words) => {
    const { message, hint } = refusal(words);

    expect(`${message} ${hint ?? ''}`).not.toContain('ghp_secret');
  });
});
