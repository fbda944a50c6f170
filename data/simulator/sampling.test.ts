import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import { crossTable, pick, standardize, unitVectors, weightedSampler } from './sampling.ts';

describe('a weighted sampler', () => {
  it('draws each index in proportion to its weight', () => {
    const weights = [5, 0, 1, 3, 0.5, 0.5];
    const draw = weightedSampler(weights);
    const random = createRandom(1);
    const counts = weights.map(() => 0);
    for (let i = 0; i < 100_000; i++) counts[draw(random)]++;
    expect(counts[1]).toBe(0);
    // Three standard deviations of a count are at most 3·√(n/4).
    for (let i = 0; i < weights.length; i++) expect(Math.abs(counts[i] - weights[i] * 10_000)).toBeLessThan(480);
  });

  it('never draws an index of weight 0 nor one out of range', () => {
    const weights = fc.array(fc.oneof(fc.constant(0), fc.double({ min: 1e-3, max: 1e3, noNaN: true })), {
      minLength: 1,
      maxLength: 20,
    });
    fc.assert(
      fc.property(
        weights.filter((w) => w.some((x) => x > 0)),
        fc.nat(),
        (w, seed) => {
          const draw = weightedSampler(w);
          const random = createRandom(seed);
          for (let i = 0; i < 200; i++) expect(w[draw(random)]).toBeGreaterThan(0);
        },
      ),
    );
  });
});

describe('a table of a cross', () => {
  it('has no main effects and the size asked for', () => {
    const table = crossTable(6, 5, 0.7, createRandom(2));
    for (let r = 0; r < 6; r++) expect(table.subarray(r * 5, r * 5 + 5).reduce((a, b) => a + b)).toBeCloseTo(0, 12);
    for (let c = 0; c < 5; c++) {
      expect([0, 1, 2, 3, 4, 5].reduce((sum, r) => sum + table[r * 5 + c], 0)).toBeCloseTo(0, 12);
    }
    expect(Math.sqrt(table.reduce((sum, x) => sum + x * x, 0) / 30)).toBeCloseTo(0.7, 12);
  });
});

describe('small draws', () => {
  it('picks by share', () => {
    const random = createRandom(3);
    const counts = [0, 0, 0];
    for (let i = 0; i < 30_000; i++) counts[pick([0.2, 0.5, 0.3], random)]++;
    expect(counts.map((n) => Math.round(n / 3000))).toEqual([2, 5, 3]);
  });

  it('standardises to mean 0 and deviation 1, and a constant to 0', () => {
    expect([...standardize(Float64Array.of(1, 3))]).toEqual([-1, 1]);
    expect([...standardize(Float64Array.of(4, 4, 4))]).toEqual([0, 0, 0]);
  });

  it('makes vectors of length 1', () => {
    const vectors = unitVectors(10, 4, createRandom(4));
    for (let r = 0; r < 10; r++) expect(Math.hypot(...vectors.subarray(r * 4, r * 4 + 4))).toBeCloseTo(1, 12);
  });
});
