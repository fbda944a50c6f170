import { describe, expect, it } from 'vitest';
import { createRandom, type Random } from '../core/random.ts';
import { fitRatePrior, shrunkenRate } from './ratePrior.ts';

/** Arrivals of rate 1 before `mean`. */
function poisson(mean: number, random: Random): number {
  let count = -1;
  for (let time = 0; time < mean; count++) time -= Math.log(1 - random.next());
  return Math.max(0, count);
}

/** Gamma of shape 3 and mean `mean`, whose relative variance is a third. */
function gammaOf3(mean: number, random: Random): number {
  return (-mean / 3) * Math.log((1 - random.next()) * (1 - random.next()) * (1 - random.next()));
}

describe('fitRatePrior', () => {
  it('finds how rates are spread, from many items of few clicks and a few of many alike', () => {
    for (const [items, exposuresOf] of [
      [40_000, () => 40],
      [2_000, (random: Random) => Math.exp(8 * random.next())],
      [500, () => 50_000],
    ] as const) {
      const random = createRandom(11);
      const exposures = Float64Array.from({ length: items }, () => exposuresOf(random));
      const clicks = exposures.map((exposure) => poisson(gammaOf3(0.02, random) * exposure, random));
      const { mean, relativeVariance } = fitRatePrior(clicks, exposures);
      expect(Math.abs(mean / 0.02 - 1)).toBeLessThan(0.06);
      expect(Math.abs(relativeVariance * 3 - 1)).toBeLessThan(0.2);
    }
  });

  it('finds next to none where all rates are the same', () => {
    const random = createRandom(12);
    const exposures = Float64Array.from({ length: 2_000 }, () => 10 + 5_000 * random.next());
    const { relativeVariance } = fitRatePrior(
      exposures.map((exposure) => poisson(0.02 * exposure, random)),
      exposures,
    );
    expect(relativeVariance).toBeLessThan(0.003);
  });

  it('is 0 without clicks, and leaves out what was never shown', () => {
    expect(fitRatePrior(new Float64Array(3), Float64Array.of(1, 2, 3))).toEqual({ mean: 0, relativeVariance: 0 });
    const some = fitRatePrior(Float64Array.of(5, 30), Float64Array.of(100, 100));
    expect(fitRatePrior(Float64Array.of(5, 30, 7), Float64Array.of(100, 100, 0))).toEqual(some);
  });
});

describe('shrunkenRate', () => {
  it('goes from the mean to the item’s own rate with its exposures', () => {
    const prior = { mean: 0.02, relativeVariance: 0.25 };
    expect(shrunkenRate(prior, 0, 0)).toBe(0.02);
    // Gamma of shape 4 and rate 200, after 6 clicks of 100 exposures: 10 / 300.
    expect(shrunkenRate(prior, 6, 100)).toBeCloseTo(10 / 300, 15);
    expect(shrunkenRate(prior, 60_000, 1_000_000)).toBeCloseTo(0.06, 4);
    expect(shrunkenRate({ mean: 0.02, relativeVariance: 0 }, 6, 100)).toBe(0.02);
  });
});
