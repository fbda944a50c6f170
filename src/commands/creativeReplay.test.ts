import { describe, expect, it } from 'vitest';
import { createRandom } from '../core/random.ts';
import type { RandomizedTests, ReplayedBandit } from '../creative/replay.ts';
import { replayPolicies } from './creativeReplay.ts';

const count = 60;
const random = createRandom(8);
const tests: RandomizedTests = {
  arms: {
    offsets: Int32Array.from({ length: count + 1 }, (_, i) => 2 * i),
    adKeys: Array.from({ length: count }, (_, i) => `test ${i}`),
    creativeKeys: Array.from({ length: 2 * count }, (_, i) => `arm ${i % 2}`),
  },
  impressions: Float64Array.from({ length: 2 * count }, () => 200 + random.below(300)),
  clicks: Float64Array.from({ length: 2 * count }, () => random.below(100)),
};

/** Shows the first arm with this chance; leaves exploration at once in the first tests. */
const showing =
  (chance: number, exits = 0): (() => ReplayedBandit) =>
  () => ({
    arms: tests.arms,
    choose(question, { variants, propensities }) {
      for (let i = 0; i < question.count; i++) {
        const arm = question.random.next() < chance ? 0 : 1;
        variants[i] = question.variantOffsets[i] + arm;
        propensities[i] = arm === 0 ? chance : 1 - chance;
      }
    },
    add() {},
    settle() {},
    hasExited: (ad) => ad < exits,
  });

describe('replaying policies', () => {
  it('sums up each, with intervals over tests, and compares all with the first', () => {
    const policies = new Map([
      ['half', showing(0.5, 15)],
      ['first', showing(1)],
      ['same', showing(0.5)],
    ]);
    const [half, first, same] = replayPolicies(tests, policies, { seed: 1, resamples: 200 }).map(
      ({ result }) => result,
    );
    const { interval, overFirst, ...rest } = half;
    expect(same).toEqual({
      ...half,
      policy: 'same',
      exitedShare: 0,
      exposuresToExit: null,
      interval: { ...interval, exposuresToExit: null },
    });
    expect(overFirst).toEqual({ regret: { value: 1, low: 1, high: 1 }, clicks: { value: 1, low: 1, high: 1 } });
    expect(rest.impressions).toBe(tests.impressions.reduce((sum, n) => sum + n, 0));
    expect([rest.exitedShare, rest.exposuresToExit]).toEqual([0.25, 0]);
    for (const key of ['clicks', 'regret', 'bestArmShare', 'exploredShare'] as const) {
      expect(interval[key][0]).toBeLessThan(half[key]);
      expect(interval[key][1]).toBeGreaterThan(half[key]);
    }
    expect(first.overFirst.regret?.value).toBeCloseTo(first.regret / half.regret, 12);
    expect(first.overFirst.clicks?.value).toBeCloseTo(first.clicks / half.clicks, 12);
  });

  it('says nothing of a ratio to a regret of 0', () => {
    const good = { ...tests, clicks: tests.clicks.map((_, i) => (i % 2 === 0 ? 50 : 0)) };
    const [result] = replayPolicies(good, new Map([['first', showing(1)]]), { seed: 1, resamples: 20 });
    expect(result.result.regret).toBe(0);
    expect(result.result.overFirst.regret).toBeNull();
  });
});
