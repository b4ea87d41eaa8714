import { join } from 'node:path';

import { defineConfig } from 'vitest/config';

const root = join(import.meta.dirname, '../..');

/** `pnpm test:agents`: installs four programs of some hundred megabytes each, one at a time, and runs them; no part of `pnpm test`. */
export default defineConfig({
  root,
  test: {
    include: ['test/agents/**/*.test.ts'],
    exclude: ['**/node_modules/**'],
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    reporters: ['default', './test/support/plain-reporter.ts'],
  },
});
