import { describe, expect, it } from 'vitest';

import { logLevelOf } from './log-level.ts';

describe('the level of the log', () => {
  it.each([
    [{}, 'info'],
    [{ RUST_LOG: 'noether_scheduler=info' }, 'info'],
    [{ RUST_LOG: 'noether_scheduler=debug' }, 'debug'],
    [{ RUST_LOG: 'warn,noether_scheduler=TRACE,hyper=error' }, 'trace'],
    [{ RUST_LOG: 'noether_scheduler' }, 'trace'],
    [{ RUST_LOG: 'hyper=debug' }, 'info'],
    [{ RUST_LOG: 'hyper=debug, error' }, 'error'],
    [{ RUST_LOG: 'off' }, 'silent'],
    [{ RUST_LOG: 'nonsense' }, 'info'],
    [{ RUST_LOG: '' }, 'info'],
    [{ RUST_LOG: 'debug', CALORON_LOG_LEVEL: 'warn' }, 'warn'],
    [{ RUST_LOG: 'debug', CALORON_LOG_LEVEL: '' }, 'debug'],
  ])('S6 of %j is %s', (variables, level) => {
    expect(logLevelOf(variables)).toBe(level);
  });

  it('that nobody knows is refused with those there are', () => {
    expect(() => logLevelOf({ CALORON_LOG_LEVEL: 'loud' })).toThrow(
      expect.objectContaining({
        code: 'SCHEDULER_LOG_LEVEL_INVALID',
        message: expect.stringMatching(
          /^CALORON_LOG_LEVEL is "loud", expected one of trace, .*silent$/,
        ) as string,
      }),
    );
  });
});
