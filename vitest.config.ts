import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    reporters: ['default', './test/countReporter.ts'],
    include: ['{src,training,data,benchmarks,test}/**/*.test.ts'],
    exclude: ['**/*.long.test.ts', 'node_modules/**', 'dist/**'],
    testTimeout: 60_000,
    // A core each: vitest leaves one free, which on two cores doubles the time.
    maxWorkers: '100%',
  },
});
