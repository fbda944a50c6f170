import type { Reporter, TestModule } from 'vitest/node';

/** Closes a run with one plain line of counts: `tests: 812 passed, 0 failed, 3 skipped`. */
export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const counts = { passed: 0, failed: 0, skipped: 0, pending: 0 };
    for (const module of modules) {
      let failed = 0;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        counts[state]++;
        if (state === 'failed') failed++;
      }
      // A file that does not load has no tests to fail.
      if (module.state() === 'failed' && failed === 0) counts.failed++;
    }
    // After the other reporters' summary.
    process.once('exit', () => {
      process.stdout.write(
        `tests: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped + counts.pending} skipped\n`,
      );
    });
  }
}
