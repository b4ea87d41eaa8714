import { globSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

import { defineConfig } from 'vitest/config';

const exclude = ['**/node_modules/**', '**/dist/**', '**/.caloron/**'];

/** Whole sprints with many processes: `pnpm test:slow`, so that `pnpm test` stays under five minutes on two cores. */
const SLOW = 'test/integration/**/*.slow.test.ts';
/** Files of which `pnpm test` runs a sample and `pnpm test:slow` all: those that look at which of the two it is. */
const SAMPLED = globSync(['{packages/*/src,test}/**/*.test.ts'], { cwd: import.meta.dirname }).filter(
  (path) => readFileSync(join(import.meta.dirname, path), 'utf8').includes('CALORON_TEST_SLOW'),
);

/** What is waited for: a condition, with a deadline for a machine that is ten times slower. */
const poll = { timeout: 30_000 };

export default defineConfig({
  test: {
    // Most tests wait for processes and not for a core.
    maxWorkers: Math.max(4, availableParallelism()),
    reporters: ['default', './test/support/plain-reporter.ts'],
    globalSetup: './test/support/run-root.ts',
    projects: [
      {
        test: {
          name: 'unit',
          include: ['packages/*/src/**/*.test.ts', 'stages/**/*.test.ts', 'test/*.test.ts'],
          exclude,
          // Tests change nothing of a module: files share one, which spares a third of the time.
          isolate: false,
          // Each start of git copies the page tables of the process that starts it: a small one pays less.
          execArgv: ['--max-semi-space-size=2'],
          // What waits has a deadline of its own; this is for what computes, on a machine with much else to do.
          testTimeout: 120_000,
          hookTimeout: 120_000,
          expect: { poll },
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/{contract,integration}/**/*.test.ts'],
          exclude: [...exclude, SLOW],
          isolate: false,
          testTimeout: 300_000,
          hookTimeout: 300_000,
          expect: { poll },
        },
      },
      {
        test: {
          name: 'slow',
          include: [SLOW, ...SAMPLED],
          exclude,
          env: { CALORON_TEST_SLOW: '1' },
          testTimeout: 400_000,
          hookTimeout: 300_000,
          expect: { poll },
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          exclude,
          testTimeout: 300_000,
          hookTimeout: 300_000,
          expect: { poll },
        },
      },
    ],
  },
});
