import { defineConfig } from 'vitest/config';

/** The tests too slow for every change: real data, golden training targets. Run by `npm run test:long` and by CI. */
export default defineConfig({
  test: {
    reporters: ['default', './test/countReporter.ts'],
    include: ['{src,training,data,benchmarks,test}/**/*.long.test.ts'],
    testTimeout: 1_200_000,
    // A training takes one core.
    maxWorkers: 2,
  },
});
