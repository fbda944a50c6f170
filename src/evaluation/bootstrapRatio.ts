import { assert } from '../core/errors.ts';
import type { Random } from '../core/random.ts';
import { percentile, type RatioOfSums, ratioOfSums } from './bootstrap.ts';

export interface Interval {
  readonly value: number;
  /** 95 %: the 2.5 and 97.5 percentiles over the resamples. */
  readonly low: number;
  readonly high: number;
}

/**
 * Bootstrap intervals of Σ above / Σ below, or Σ above: as many groups as there are, drawn with replacement. All ratios are measured on the
 * same draws. A ratio whose lower sum is 0 has no interval: null.
 *
 * @see Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13 (percentile interval)
 */
export function bootstrapRatios(ratios: readonly RatioOfSums[], random: Random, resamples = 1000): (Interval | null)[] {
  assert(ratios.length > 0 && resamples >= 1, `bootstrapRatios: ${ratios.length} ratios, ${resamples} resamples`);
  const groups = ratios[0].above.length;
  for (const { above, below = above } of ratios)
    assert(
      above.length === groups && below.length === groups,
      `bootstrapRatios: one value for each of ${groups} groups`,
    );
  const timesDrawn = new Float64Array(groups).fill(1);
  const values = ratios.map((ratio) => ratioOfSums(ratio, timesDrawn));
  const drawn = ratios.map((): number[] => []);
  for (let resample = 0; resample < resamples; resample++) {
    timesDrawn.fill(0);
    for (let i = 0; i < groups; i++) timesDrawn[random.below(groups)]++;
    for (const [i, ratio] of ratios.entries()) {
      const value = ratioOfSums(ratio, timesDrawn);
      if (Number.isFinite(value)) drawn[i].push(value);
    }
  }
  return drawn.map((list, i) => {
    if (!Number.isFinite(values[i])) return null;
    list.sort((a, b) => a - b);
    return { value: values[i], low: percentile(list, 0.025), high: percentile(list, 0.975) };
  });
}
