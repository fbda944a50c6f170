import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../core/random.ts';
import type { ArmCounts, Arms, CreativeQuestion } from './creative.ts';
import { type RandomizedTests, type ReplayedBandit, replay } from './replay.ts';

/** Each test as its arms' [impressions, clicks]. */
function testsOf(...given: (readonly [impressions: number, clicks: number])[][]): RandomizedTests {
  const offsets = new Int32Array(given.length + 1);
  for (const [i, arms] of given.entries()) offsets[i + 1] = offsets[i] + arms.length;
  const flat = given.flat();
  return {
    arms: {
      offsets,
      adKeys: given.map((_, i) => `test ${i}`),
      creativeKeys: given.flatMap((arms) => arms.map((_, i) => `arm ${i}`)),
    },
    impressions: Float64Array.from(flat, ([impressions]) => impressions),
    clicks: Float64Array.from(flat, ([, clicks]) => clicks),
  };
}

/** Chooses by a rule, and keeps what it is told. */
function ruled(
  arms: Arms,
  choose: (ad: number, question: CreativeQuestion, i: number) => number,
  more: Partial<ReplayedBandit> = {},
): ReplayedBandit & { readonly told: ArmCounts[]; readonly settledMs: number[] } {
  const told: ArmCounts[] = [];
  const settledMs: number[] = [];
  return {
    arms,
    told,
    settledMs,
    choose(question, { variants, propensities }) {
      for (let i = 0; i < question.count; i++) {
        variants[i] = question.variantOffsets[i] + choose(question.ads[i], question, i);
        propensities[i] = 1;
      }
    },
    add: (counts) => void told.push(counts),
    settle: (nowMs) => void settledMs.push(nowMs),
    ...more,
  };
}

const uniform = (arms: Arms) => ruled(arms, (ad, { random }) => random.below(arms.offsets[ad + 1] - arms.offsets[ad]));
const always = (arms: Arms, arm: number) => ruled(arms, () => arm);
const seed = () => createRandom(3);
const total = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0);

describe('replaying randomised tests', () => {
  const two = testsOf(
    [
      [600, 60],
      [400, 20],
    ],
    [
      [100, 1],
      [130, 13],
      [20, 2],
    ],
  );

  it('plays each test for as many impressions as it had, and counts regret against its best arm', () => {
    const first = replay(two, always(two.arms, 0), { random: seed() });
    expect([...first.impressions]).toEqual([1000, 250]);
    expect(first.regret[0]).toBe(0);
    expect(first.regret[1]).toBeCloseTo(250 * (0.1 - 0.01), 9);
    expect([...first.bestImpressions]).toEqual([1000, 0]);
    const second = replay(two, always(two.arms, 1), { random: seed() });
    expect(second.regret[0]).toBeCloseTo(1000 * (0.1 - 0.05), 9);
    expect([...second.bestImpressions]).toEqual([0, 250]);
  });

  it('counts each of several best arms as the best', () => {
    expect([...replay(two, always(two.arms, 2), { random: seed() }).bestImpressions]).toEqual([0, 250]);
  });

  it('feeds back once a batch, what is left last, and settles before each', () => {
    const bandit = always(two.arms, 1);
    replay(two, bandit, { random: seed(), batch: 100, batchMs: 5 });
    const ofSecond = bandit.told.filter(({ arm }) => arm === 3);
    expect(ofSecond.map(({ impressions, timeMs }) => [impressions, timeMs])).toEqual([
      [100, 0],
      [100, 5],
      [50, 10],
    ]);
    expect(bandit.settledMs).toEqual([0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50]);
    const told = bandit.told.reduce((sum, { clicks = 0 }) => sum + clicks, 0);
    expect(told).toBe(total(replay(two, always(two.arms, 1), { random: seed() }).clicks));
  });

  it('tells after each feedback how many impressions have been played, of all', () => {
    const told: number[][] = [];
    replay(two, uniform(two.arms), { random: seed(), batch: 300, onProgress: (...of) => told.push(of) });
    expect(told).toEqual([
      [550, 1250],
      [850, 1250],
      [1150, 1250],
      [1250, 1250],
    ]);
  });

  it('shows a test 1,000 impressions an hour, however many come between two feedbacks', () => {
    const one = testsOf([
      [1500, 100],
      [500, 10],
    ]);
    for (const batch of [10, 100, 500]) {
      const bandit = always(one.arms, 0);
      replay(one, bandit, { random: seed(), batch });
      expect(bandit.settledMs[bandit.settledMs.length - 1]).toBe(2 * 3_600_000);
    }
  });

  it('draws clicks at the observed rate', () => {
    const one = testsOf([
      [50_000, 5_000],
      [50_000, 500],
    ]);
    // Five standard deviations of a binomial.
    expect(Math.abs(total(replay(one, always(one.arms, 0), { random: seed() }).clicks) - 10_000)).toBeLessThan(475);
    expect(Math.abs(total(replay(one, always(one.arms, 1), { random: seed() }).clicks) - 1_000)).toBeLessThan(158);
  });

  it('gives the k-th impression of an arm the same click whatever the policy and the batch', () => {
    const one = testsOf([
      [700, 300],
      [300, 100],
    ]);
    const clicksAlong = (batch: number) => {
      const bandit = always(one.arms, 0);
      replay(one, bandit, { random: seed(), batch });
      let sum = 0;
      return new Map(bandit.told.map(({ clicks = 0 }, i) => [(i + 1) * batch, (sum += clicks)]));
    };
    const [by10, by50] = [clicksAlong(10), clicksAlong(50)];
    for (const [shown, clicks] of by50) expect(by10.get(shown)).toBe(clicks);
    // Shown every other time, the arm's 500 impressions are the first 500 of the policy that shows it always.
    const mixed = ruled(one.arms, (_, __, i) => i % 2);
    replay(one, mixed, { random: seed(), batch: 10 });
    const clicks = mixed.told.filter(({ arm }) => arm === 0).reduce((sum, { clicks = 0 }) => sum + clicks, 0);
    expect(clicks).toBe(by10.get(500));
  });

  it('counts impressions off the arm that looks best so far', () => {
    const one = testsOf([
      [100, 0],
      [100, 100],
    ]);
    // Before the first feedback no arm looks better; after it, an arm that was clicked always does.
    expect(total(replay(one, always(one.arms, 1), { random: seed(), batch: 50 }).exploredImpressions)).toBe(0);
    const wrong = ruled(one.arms, (_, __, i) => (i === 0 ? 1 : 0));
    expect(total(replay(one, wrong, { random: seed(), batch: 50 }).exploredImpressions)).toBe(3 * 49);
  });

  it('notes the impressions at which a test first left exploration', () => {
    const settled: number[] = [];
    const bandit = ruled(two.arms, () => 0, {
      settle: (nowMs) => void settled.push(nowMs),
      // Exits for the third and fourth feedback, then explores again.
      hasExited: (ad) => ad === 0 && (settled.length === 4 || settled.length === 5),
    });
    expect([...replay(two, bandit, { random: seed() }).impressionsToExit]).toEqual([300, Number.NaN]);
    expect([...replay(two, always(two.arms, 0), { random: seed() }).impressionsToExit]).toEqual([
      Number.NaN,
      Number.NaN,
    ]);
  });

  it('spreads what happened over the shares of the horizon without loss', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.array(fc.tuple(fc.integer({ min: 1, max: 300 }), fc.double({ min: 0, max: 1, noNaN: true })), {
            minLength: 1,
            maxLength: 5,
          }),
          { minLength: 1, maxLength: 5 },
        ),
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 1, max: 70 }),
        (drawn, batch, curvePoints) => {
          const tests = testsOf(...drawn.map((arms) => arms.map(([n, ctr]) => [n, Math.floor(n * ctr)] as const)));
          const played = replay(tests, uniform(tests.arms), { random: seed(), batch, curvePoints });
          expect(total(played.impressions)).toBe(total(tests.impressions));
          expect(total(played.impressionsByShare)).toBeCloseTo(total(played.impressions), 6);
          expect(total(played.regretByShare)).toBeCloseTo(total(played.regret), 6);
          expect(total(played.bestByShare)).toBeCloseTo(total(played.bestImpressions), 6);
          for (const share of played.impressionsByShare)
            expect(share).toBeCloseTo(total(played.impressions) / curvePoints, 6);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('is the same for the same seed', () => {
    const again = () => replay(two, uniform(two.arms), { random: seed() });
    expect(again()).toEqual(again());
    expect(replay(two, uniform(two.arms), { random: createRandom(4) }).clicks).not.toEqual(again().clicks);
  });

  it('refuses arms that nobody saw, or that were clicked more often than shown', () => {
    for (const arm of [
      [0, 0],
      [5, 6],
      [5, -1],
      [Number.NaN, 0],
    ] as const) {
      const tests = testsOf([[10, 1], arm]);
      expect(() => replay(tests, uniform(tests.arms), { random: seed() })).toThrow(RangeError);
    }
  });
});
