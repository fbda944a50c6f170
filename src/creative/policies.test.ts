import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { logit } from '../core/numerics.ts';
import { createBandit } from './bandit.ts';
import { armsOf, chosenShares } from './banditRuns.ts';
import { Contexts } from './contexts.ts';
import { findLeader, normalCdf } from './exit.ts';
import { BestOfBetas } from './policies/bestOfBetas.ts';
import { klUpperBound } from './policies/klUcb.ts';
import { policies } from './policies.ts';
import { createStatistics, fitPosterior } from './posterior.ts';
import { readBanditSettings } from './settings.ts';

interface Golden {
  klBounds: { p: number; most: number; bound: number }[];
  bestOfBetas: { arms: [a: number, b: number, slope: number, intercept: number][]; shares: number[] }[];
  ads: { exposures: number[]; clicks: number[]; rate: number; means: number[]; deviations: number[]; loss: number }[];
  contexts: {
    mean: number;
    weight: number;
    seen: { context: number[]; exposures: number; clicks: number }[];
    asked: number[];
    rate: number;
    variance: number;
  };
}

const golden: Golden = JSON.parse(readFileSync(new URL('golden/policies.json', import.meta.url), 'utf8'));
const settings = readBanditSettings();

function statisticsOf(exposures: readonly number[], clicks: readonly number[]) {
  const statistics = createStatistics(exposures.length);
  statistics.count = exposures.length;
  statistics.shown = exposures.reduce((sum, n) => sum + n, 0);
  statistics.exposures.set(exposures);
  statistics.clicks.set(clicks);
  statistics.recentExposures.set(exposures);
  statistics.recentClicks.set(clicks);
  statistics.slopes.fill(1);
  fitPosterior(statistics, settings);
  return statistics;
}

/** Indices: posterior means and what the policy adds. */
function indices(policy: keyof typeof policies, exposures: readonly number[], clicks: readonly number[]) {
  const statistics = statisticsOf(exposures, clicks);
  const bonuses = new Float64Array(exposures.length);
  policies[policy](settings).bonuses?.(statistics, bonuses);
  return bonuses.map((bonus, i) => bonus + statistics.means[i]);
}

describe('policies', () => {
  it('find the highest rate that clicks do not speak against', () => {
    for (const { p, most, bound } of golden.klBounds) expect(klUpperBound(p, most)).toBeCloseTo(bound, 11);
  });

  it.each(golden.bestOfBetas)('compute the probability of the highest reward of $arms', ({ arms, shares }) => {
    const best = new BestOfBetas();
    const computed = new Float64Array(arms.length);
    best.begin(arms.length);
    for (const [i, [a, b, slope, intercept]] of arms.entries()) best.set(i, a, b, slope, intercept);
    best.write(computed);
    for (const [i, share] of shares.entries()) expect(Math.abs(computed[i] - share)).toBeLessThan(1e-4);
  });

  it.each(golden.ads)(
    'draw the rates of an ad’s creatives to what they have in common: $clicks of $exposures',
    (ad) => {
      const statistics = statisticsOf(ad.exposures, ad.clicks);
      expect(statistics.rate).toBeCloseTo(ad.rate, 13);
      for (const [i, mean] of ad.means.entries()) {
        expect(statistics.means[i]).toBeCloseTo(mean, 13);
        expect(statistics.deviations[i]).toBeCloseTo(ad.deviations[i], 13);
      }
      const leader = { arm: 0, loss: 0 };
      findLeader(statistics, leader);
      expect(leader.arm).toBe(ad.means.indexOf(Math.max(...ad.means)));
      expect(Math.abs(leader.loss - ad.loss)).toBeLessThan(1e-6);
    },
  );

  it('learn linear rates by context', () => {
    const { mean, weight, seen, asked, rate, variance } = golden.contexts;
    const contexts = new Contexts(2, asked.length);
    for (const { context, exposures, clicks } of seen)
      contexts.add(1, Float64Array.from(context), exposures, clicks, 0);
    contexts.settle(1, mean, weight, 0);
    // Sums are kept in steps of 2⁻²⁰.
    expect(contexts.rate(1, Float64Array.from(asked))).toBeCloseTo(rate, 8);
    expect(contexts.variance(1, Float64Array.from(asked))).toBeCloseTo(mean * variance, 12);
  });

  it('have their books’ indices', () => {
    const [exposures, clicks] = [
      [400, 100],
      [8, 3],
    ];
    const ucb1 = indices('ucb1', exposures, clicks);
    expect(ucb1[0]).toBeCloseTo(0.02 + Math.sqrt((2 * Math.log(500)) / 400), 12);
    expect(ucb1[1]).toBeCloseTo(0.03 + Math.sqrt((2 * Math.log(500)) / 100), 12);
    const sliding = indices('sw-ucb', exposures, clicks);
    expect(sliding[0]).toBeCloseTo(0.02 + Math.sqrt((0.6 * Math.log(501)) / 400), 12);
    const { means, deviations } = statisticsOf(exposures, clicks);
    const ours = indices('default', exposures, clicks);
    const width = settings.confidence * Math.sqrt(2 * Math.log(501));
    expect(ours[1]).toBeCloseTo(means[1] + width * deviations[1], 12);
    expect([...indices('epsilon-greedy', exposures, clicks)]).toEqual([...means.subarray(0, 2)]);
  });

  it.each(['ucb1', 'kl-ucb', 'sw-ucb'] as const)('%s plays what was never shown before anything else', (policy) => {
    const index = indices(policy, [10, 0, 5], [10, 0, 0]);
    expect(Math.max(...index)).toBe(index[1]);
  });

  it('prefer, by context, what each segment clicks on', () => {
    const bandit = createBandit(armsOf(2), readBanditSettings({ policy: 'linucb', contextSize: 2 }));
    const segments = [Float64Array.of(1, 0), Float64Array.of(0, 1)];
    bandit.settle(1e12);
    for (const [segment, context] of segments.entries())
      for (const arm of [0, 1])
        bandit.add({ arm, timeMs: 1e12, impressions: 5000, clicks: arm === segment ? 200 : 50, context });
    bandit.settle(1e12);
    for (const [segment, context] of segments.entries()) {
      const { shares } = chosenShares(bandit, 0, undefined, context);
      expect(shares[segment]).toBeGreaterThan(0.98);
    }
  });

  it('forget, with a change, what they have learned of each segment', () => {
    const settings = readBanditSettings({ policy: 'linucb', contextSize: 2, exit: true });
    const bandit = createBandit(armsOf(2), settings);
    const context = Float64Array.of(1, 0);
    for (let window = 0; window < 24; window++) {
      const timeMs = 1e12 + window * settings.windowMs;
      bandit.settle(timeMs);
      for (const [arm, clicks] of [window < 20 ? 500 : 100, 250].entries())
        bandit.add({ arm, timeMs, impressions: 5000, clicks, context });
      if (window === 19) expect(chosenShares(bandit, 0, undefined, context).shares[0]).toBeGreaterThan(0.9);
    }
    bandit.settle(1e12 + 24 * settings.windowMs);
    expect(bandit.stats().reopened).toBe(1);
    expect(chosenShares(bandit, 0, undefined, context).shares[1]).toBeGreaterThan(0.9);
  });

  it('correct the model by context: not at all where it was right in each segment, towards the record where it was wrong', () => {
    const segments = [Float64Array.of(1, 0), Float64Array.of(0, 1)];
    // Creative 0 is clicked more in segment 0, creative 1 in segment 1.
    const rates = [
      [0.04, 0.01],
      [0.01, 0.04],
    ];
    /** How often creative 0 is chosen for a user for whom the model says `p`, when it has said `told` of each creative in each segment. */
    const shareOfFirst = (told: readonly (readonly number[])[], p: readonly number[], segment: number) => {
      const settings = readBanditSettings({ policy: 'linucb', contextSize: 2, linearConfidence: 0 });
      const bandit = createBandit(armsOf(2), settings);
      bandit.settle(1e12);
      for (const [s, context] of segments.entries())
        for (const arm of [0, 1]) {
          const counts = { impressions: 100_000, clicks: 100_000 * rates[arm][s] };
          bandit.add({ arm, timeMs: 1e12, ...counts, logits: 100_000 * logit(told[arm][s]), context });
        }
      bandit.settle(1e12);
      return chosenShares(bandit, 0, p, segments[segment]).shares[0];
    };
    // A model that knew the segments keeps its word, also where it is of another mind about this user.
    expect(shareOfFirst(rates, [0.02, 0.03], 0)).toBeLessThan(0.02);
    expect(shareOfFirst(rates, [0.04, 0.03], 0)).toBeGreaterThan(0.98);
    // One that did not is corrected in each.
    const blind = [
      [0.025, 0.025],
      [0.025, 0.025],
    ];
    expect(shareOfFirst(blind, [0.02, 0.03], 0)).toBeGreaterThan(0.98);
    expect(shareOfFirst(blind, [0.03, 0.02], 1)).toBeLessThan(0.02);
  });
});

it('the normal distribution is right to seven digits', () => {
  for (const [z, below] of [
    [0, 0.5],
    [1, 0.841344746],
    [-2.5, 0.00620966533],
  ])
    expect(Math.abs(normalCdf(z) - below)).toBeLessThan(1e-7);
});
