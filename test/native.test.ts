import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';

const compilers = [process.env.CXX, 'c++', 'g++', 'clang++'].filter((name) => name !== undefined);
const hasCompiler = compilers.some((name) => spawnSync(name, ['--version']).status === 0);

const run = (...options: string[]) =>
  spawnSync(process.execPath, ['native/build.mjs', ...options], { encoding: 'utf8', env: { ...process.env, CI: '' } });

test.skipIf(!hasCompiler)(
  'the native kernels agree with plain loops on every instruction set (needs a C++ compiler)',
  {
    timeout: 600_000,
  },
  () => {
    const { status, stdout } = run('--test', '--strict');
    expect(stdout).toMatch(/^native kernel tests: \d{6,} passed \(.*scalar\)$/m);
    expect(status).toBe(0);
  },
);

test('an install without a C++ compiler succeeds and says in one line what that means', () => {
  const { status, stdout } = spawnSync(process.execPath, ['native/build.mjs'], {
    encoding: 'utf8',
    env: { CXX: '', PATH: '/nowhere' },
  });
  expect(status).toBe(0);
  expect(stdout).toBe(
    "limelight: no C++ compiler found, so the native engine is not built and engine auto uses TensorFlow.js; install one and run 'npm run build:native'\n",
  );
});
