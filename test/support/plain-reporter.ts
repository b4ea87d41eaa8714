import type { Reporter, TestModule } from 'vitest/node';

/** Prints `N passed, N failed` as the last line, so that a script can read the outcome of any run. */
export default class PlainReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly unknown[]): void {
    let passed = 0;
    let failed = unhandled.length;
    for (const module of modules) {
      failed += module.errors().length;
      for (const test of module.children.allTests()) {
        if (test.result().state === 'passed') passed += 1;
        else failed += 1;
      }
    }
    process.on('exit', (code) => {
      // What goes wrong after the last test, as processes that are left running, fails the run too.
      if (code !== 0) failed = Math.max(failed, 1);
      process.stdout.write(`${passed} passed, ${failed} failed\n`);
    });
  }
}
