import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, it } from 'vitest';

import { sandboxWarning } from './sandbox-warning.ts';

const NOWHERE = '/nonexistent';
const LOCAL = 'http://127.0.0.1:9';

it('a sprint on github.com, or one that requires a sandbox, is warned of where none works', async () => {
  expect(await sandboxWarning({ host: null }, NOWHERE)).toMatch(
    /^No agent will start .* since the sprint works on github\.com: bubblewrap \(bwrap\) is not installed/,
  );
  expect(await sandboxWarning({ host: LOCAL, isolation: { sandbox: 'require' } }, NOWHERE)).toContain(
    'isolation.sandbox is "require"',
  );
});

it('one whose agents run without is not', async () => {
  expect(await sandboxWarning({ host: LOCAL }, NOWHERE)).toBeNull();
  expect(await sandboxWarning({ host: null, isolation: { sandbox: 'off' } }, NOWHERE)).toBeNull();
});

it('says what to do: to install it where it is missing, to permit it where it is there and does not work', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'caloron-warning-'));
  try {
    expect(await sandboxWarning({ host: null }, dir)).toContain(
      'What helps: run apt-get install bubblewrap.',
    );
    const refused = 'echo "bwrap: No permissions to create new namespace" >&2; exit 1';
    writeFileSync(join(dir, 'bwrap'), `#!/bin/sh\n${refused}\n`, { mode: 0o755 });
    const said = await sandboxWarning({ host: null }, dir);
    expect(said).toContain('does not work here: bwrap: No permissions to create new namespace');
    expect(said).toContain('What helps: let users make namespaces:');
    expect(said).not.toContain('apt-get');
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
