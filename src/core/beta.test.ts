import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { betaCdf, lnGamma } from './beta.ts';

const golden = JSON.parse(readFileSync(new URL('golden/beta.json', import.meta.url), 'utf8'));

describe('lnGamma and betaCdf', () => {
  it('agree with SciPy', () => {
    for (const [x, expected] of golden.lnGamma) {
      expect(Math.abs(lnGamma(x) - expected)).toBeLessThan(1e-13 * (1 + Math.abs(expected)));
    }
    for (const [x, a, b, expected] of golden.betaCdf) {
      // The logarithms of Γ are as large as a·ln a, and lose that much of the sixteen digits.
      expect(Math.abs(betaCdf(x, a, b) - expected), `${x} ${a} ${b}`).toBeLessThan(1e-13 * (10 + a + b));
    }
  });

  it('is a binomial tail', () => {
    const trials = fc
      .integer({ min: 1, max: 40 })
      .chain((n) => fc.tuple(fc.constant(n), fc.integer({ min: 1, max: n })));
    fc.assert(
      fc.property(trials, fc.double({ min: 0.001, max: 0.999, noNaN: true }), ([n, k], p) => {
        let [tail, choose] = [0, 1];
        for (let i = 0; i <= n; i++) {
          if (i >= k) tail += choose * p ** i * (1 - p) ** (n - i);
          choose *= (n - i) / (i + 1);
        }
        expect(betaCdf(p, k, n - k + 1)).toBeCloseTo(tail, 11);
      }),
    );
  });

  it('goes from 0 to 1', () => {
    expect([betaCdf(-1, 2, 3), betaCdf(0, 2, 3), betaCdf(1, 2, 3), betaCdf(2, 2, 3)]).toEqual([0, 0, 1, 1]);
  });
});
