import { describe, expect, it } from 'vitest';
import { forgeConfig } from './config.ts';
import { Login } from './model/users.ts';

describe('forgeConfig', () => {
  it('O9 listens on this machine alone unless told otherwise', () => {
    const config = forgeConfig({ port: '0', data: '/x' }, {});

    expect(config).toEqual({
      host: '127.0.0.1',
      port: 0,
      data: '/x',
      rate_limit: 5000,
      secondary_limit: null,
      log_level: 'info',
    });
  });

  it.each([
    [{ port: 'x' }, '--port'],
    [{ port: '70000' }, '--port'],
    [{ port: '' }, '--port'],
    [{ rateLimit: '0' }, '--rate-limit'],
    [{ rateLimit: '1.5' }, '--rate-limit'],
    [{ secondary: '0' }, '--secondary'],
  ])('refuses %j, naming the option', (options, option) => {
    expect(() => forgeConfig({ port: '0', data: '/x', ...options }, {})).toThrow(option);
  });

  it('refuses an unknown log level', () => {
    expect(() => forgeConfig({ port: '0', data: '/x' }, { CALORON_LOG_LEVEL: 'loud' })).toThrow(
      'CALORON_LOG_LEVEL',
    );
  });
});

describe('Login', () => {
  it.each(['alice', 'A', 'caloron-agent-1', 'x'.repeat(39)])('takes %j', (login) => {
    expect(Login.safeParse(login).success).toBe(true);
  });

  it.each(['', 'a b', '../x', '-x', 'x-', 'a--b', 'a_b', 'ui', 'Repos', 'x'.repeat(40)])(
    'refuses %j',
    (login) => {
      expect(Login.safeParse(login).success).toBe(false);
    },
  );
});
