import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readmeWithResults } from '../scripts/buildReadme.ts';

test('the README shows the results that are kept (npm run build:readme)', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  expect(readmeWithResults(readme)).toBe(readme);
});
