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
