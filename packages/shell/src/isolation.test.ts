import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

import { createLogger } from '@caloron/capabilities/logger';
import { probeSandbox } from '@caloron/capabilities/sandbox';
import type { Sprint } from '@caloron/types';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { createIsolation, type Isolation } from './isolation.ts';
import { pathsOf } from './paths.ts';
import { createFixture, exampleSprint, type Fixture } from './testing/fixture.ts';

let fixture: Fixture;
beforeEach(async () => {
  fixture = await createFixture();
  mkdirSync(join(fixture.home, '.caloron'), { recursive: true });
});
afterEach(() => fixture.close());

/** Isolation on a machine that has bubblewrap or, with an empty PATH, none. */
function isolation(path: string | undefined, require_sandbox = false): Isolation {
  return createIsolation({
    config: { env: { ...fixture.config.env, PATH: path }, require_sandbox, db: fixture.config.db },
    paths: pathsOf(fixture.home),
    log: createLogger({ name: 'test', level: 'silent' }),
  });
}
const without = (require_sandbox = false): Isolation => isolation('/nonexistent', require_sandbox);
const sprint = (changes: Partial<Sprint> = {}): Sprint => ({ ...exampleSprint, ...changes });

const missing = 'bubblewrap (bwrap) is not installed, or not on PATH';

describe('without a working sandbox', () => {
  it('agents of a forge of one’s own are started', async () => {
    await expect(without().admit(sprint())).resolves.toBeUndefined();
  });

  it.each([
    ['isolation.sandbox is "require"', false, { isolation: { sandbox: 'require' } }],
    ['the sprint works on github.com', false, { host: null }],
    ['the shell was started with --require-sandbox (or CALORON_REQUIRE_SANDBOX)', true, {}],
    [
      'the shell was started with --require-sandbox (or CALORON_REQUIRE_SANDBOX)',
      true,
      { isolation: { sandbox: 'off' } },
    ],
  ] as const)('none is started where %s', async (required_by, flag, changes) => {
    await expect(without(flag).admit(sprint(changes))).rejects.toMatchObject({
      code: 'SANDBOX_UNAVAILABLE',
      message: `no agent of sprint s1 is started without a sandbox, since ${required_by}: ${missing}`,
      hint: expect.stringContaining('apt-get install bubblewrap'),
    });
  });

  it('github.com is worked on where the settings say off', async () => {
    await expect(
      without().admit(sprint({ host: null, isolation: { sandbox: 'off' } })),
    ).resolves.toBeUndefined();
  });

  it('a shell that has to have one does not start', async () => {
    const env = { ...fixture.config.env, PATH: '/nonexistent' };

    await expect(fixture.start({ require_sandbox: true, env })).rejects.toMatchObject({
      code: 'SANDBOX_UNAVAILABLE',
      details: { sprint_id: null, reason: missing },
    });
  });
});

describe('further paths', () => {
  it.each([
    ['relative', 'it is not absolute', () => 'data'],
    ['missing', 'it does not exist', () => join(fixture.home, 'none')],
    [
      'a link',
      'it is a symbolic link',
      () => {
        symlinkSync('/usr', join(fixture.home, 'link'));
        return join(fixture.home, 'link');
      },
    ],
    ['in .caloron', 'it would show', () => join(fixture.home, '.caloron')],
    ['above .caloron', 'it would show', () => fixture.home],
    ['the home directory', 'it would show', () => join(fixture.home, '..')],
    ['everything', 'it would show', () => '/'],
    ['the system’s', 'it belongs to the system', () => '/proc'],
  ])('W2 %s is refused where there is a sandbox, before anything is made', async (_what, reason, make) => {
    const works = (await probeSandbox(fixture.config.env['PATH'])).program !== null;
    const admitted = isolation(fixture.config.env['PATH']).admit(
      sprint({ isolation: { readable: ['/usr/share', make()] } }),
    );

    if (works)
      await expect(admitted).rejects.toMatchObject({
        code: 'SANDBOX_PATH_INVALID',
        details: { field: 'isolation.readable', reason: expect.stringContaining(reason) },
      });
    else await expect(admitted).resolves.toBeUndefined();
  });
});
