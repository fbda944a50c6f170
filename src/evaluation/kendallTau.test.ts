import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { kendallTau } from './kendallTau.ts';

const golden = JSON.parse(readFileSync(new URL('./golden/kendall.json', import.meta.url), 'utf8'));

/** Two scores on a coarse grid, so that ties are common. */
const twoScores = fc
  .array(fc.tuple(fc.integer({ min: -3, max: 3 }), fc.integer({ min: -3, max: 3 })), { maxLength: 40 })
  .map((rows) => [0, 1].map((which) => Float64Array.from(rows, (row) => row[which])));

/** By definition, over all pairs. */
function tauOfPairs(x: Float64Array, y: Float64Array): number | null {
  let [agreement, differentX, differentY] = [0, 0, 0];
  for (let i = 0; i < x.length; i++) {
    for (let j = 0; j < i; j++) {
      const [dx, dy] = [Math.sign(x[i] - x[j]), Math.sign(y[i] - y[j])];
      agreement += dx * dy;
      differentX += dx * dx;
      differentY += dy * dy;
    }
  }
  return differentX === 0 || differentY === 0 ? null : agreement / Math.sqrt(differentX * differentY);
}

describe('kendallTau', () => {
  it('agrees with an independent NumPy program, with ties and without', () => {
    for (const { x, y, tau } of golden) {
      expect(kendallTau(Float64Array.from(x), Float64Array.from(y))).toBeCloseTo(tau, 12);
    }
  });

  it('is what counting all pairs gives', () => {
    fc.assert(
      fc.property(twoScores, ([x, y]) => {
        const expected = tauOfPairs(x, y);
        const tau = kendallTau(x, y);
        if (expected === null) expect(tau).toBeNull();
        else expect(tau).toBeCloseTo(expected, 12);
      }),
    );
  });

  it('is 1 of the same order, −1 of the opposite, null where there is none', () => {
    const up = Float64Array.of(-2, 0, 0.5, 7);
    expect(kendallTau(up, up.map(Math.exp))).toBe(1);
    expect(kendallTau(up, Float64Array.of(4, 3, 2, 1))).toBe(-1);
    expect(kendallTau(up, new Float64Array(4))).toBeNull();
    expect(kendallTau(new Float64Array(1), new Float64Array(1))).toBeNull();
    expect(kendallTau(new Float64Array(0), new Float64Array(0))).toBeNull();
  });

  it('sorts, so that a hundred thousand rows are no matter', () => {
    const x = Float64Array.from({ length: 100_000 }, (_, i) => (i * 7919) % 100_003);
    expect(kendallTau(x, x)).toBe(1);
    expect(
      kendallTau(
        x,
        x.map((value) => -value),
      ),
    ).toBe(-1);
  });

  it('refuses a NaN score, which has no place in an order', () => {
    expect(() => kendallTau(Float64Array.of(1, Number.NaN), Float64Array.of(1, 2))).toThrow(/row 1 has the score NaN/);
  });
});
