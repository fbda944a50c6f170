import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UserError } from '../core/errors.ts';
import { createRandom } from '../core/random.ts';
import { createBandit } from './bandit.ts';
import { armsOf, chosenShares, questionOf, randomCounts, range } from './banditRuns.ts';
import type { ArmCounts } from './creative.ts';
import { type PolicyName, policyNames } from './policyNames.ts';
import { readBanditSettings } from './settings.ts';

const nowMs = 1_700_000_000_000;
const seeds = fc.integer({ min: 0, max: 2 ** 31 - 1 });

function banditOf(json: Record<string, unknown> = {}, counts: readonly ArmCounts[] = [], arms = armsOf(3, 1, 5)) {
  const bandit = createBandit(arms, readBanditSettings(json));
  bandit.settle(nowMs);
  for (const one of counts) bandit.add(one);
  bandit.settle(nowMs);
  return bandit;
}

/** Clicks of an arm in as many impressions, now. */
const shown = (arm: number, impressions: number, clicks: number): ArmCounts => ({
  arm,
  timeMs: nowMs,
  impressions,
  clicks,
});

const settingsOf = (policy: PolicyName) => ({ policy, epsilon: 0.04, ...(policy === 'linucb' && { contextSize: 2 }) });
const contextOf = (policy: PolicyName) => (policy === 'linucb' ? Float64Array.of(0.25, 0.75) : undefined);

describe('choosing', () => {
  it.each(policyNames)('%s: propensities are how often each arm is chosen, and sum to 1', (policy) => {
    fc.assert(
      fc.property(seeds, fc.boolean(), (seed, hasModel) => {
        const random = createRandom(seed);
        const arms = armsOf(3, 1, 5);
        const bandit = banditOf(settingsOf(policy), randomCounts(random, arms, nowMs, 30), arms);
        for (const [ad, count] of [3, 1, 5].entries()) {
          const p = hasModel ? range(count).map(() => 0.05 * random.next()) : undefined;
          const { shares, propensities } = chosenShares(bandit, ad, p, contextOf(policy));
          expect(propensities.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 9);
          for (const [i, share] of shares.entries()) expect(Math.abs(share - propensities[i])).toBeLessThan(2e-4);
        }
      }),
      { numRuns: 8 },
    );
  });

  it.each(policyNames)('%s: shares, where asked for, sum to 1, and that of a choice is its propensity', (policy) => {
    fc.assert(
      fc.property(seeds, fc.boolean(), (seed, hasModel) => {
        const random = createRandom(seed);
        const arms = armsOf(3, 1, 5);
        const settings = { ...settingsOf(policy), epsilon: 0.3 * random.next(), exitWindows: 1 };
        const bandit = banditOf(settings, randomCounts(random, arms, nowMs, 60), arms);
        // Ad −1 is unknown, with two variants.
        const ads = Int32Array.from({ length: 40 }, () => random.below(4) - 1);
        const variantOffsets = new Int32Array(41);
        for (const [i, ad] of ads.entries()) variantOffsets[i + 1] = variantOffsets[i] + ([3, 1, 5][ad] ?? 2);
        const p = Float64Array.from({ length: variantOffsets[40] }, () => 0.05 * random.next());
        const question = { count: 40, ads, variantOffsets, context: contextOf(policy), ...(hasModel && { p }) };
        const drawn = () => ({ variants: new Int32Array(40), propensities: new Float64Array(40) });
        const [asked, unasked] = [{ ...drawn(), shares: new Float64Array(variantOffsets[40]) }, drawn()];
        bandit.choose({ ...question, random: createRandom(seed) }, asked);
        bandit.choose({ ...question, random: createRandom(seed) }, unasked);
        expect(unasked).toEqual({ variants: asked.variants, propensities: asked.propensities });
        for (const [i, variant] of asked.variants.entries()) {
          const ofCandidate = asked.shares.subarray(variantOffsets[i], variantOffsets[i + 1]);
          expect(ofCandidate.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 12);
          expect(asked.propensities[i]).toBe(asked.shares[variant]);
        }
        // What is drawn tells its own.
        const i = ads.indexOf(2);
        const ofModel = hasModel ? [...p.subarray(variantOffsets[i], variantOffsets[i + 1])] : undefined;
        const { propensities } = chosenShares(bandit, 2, ofModel, contextOf(policy));
        for (const [k, share] of propensities.entries())
          if (share > 0) expect(asked.shares[variantOffsets[i] + k]).toBe(share);
      }),
      { numRuns: 4 },
    );
  });

  it.each(policyNames)('%s: no arm is left out, so that every choice can be evaluated', (policy) => {
    const counts = [shown(0, 50_000, 2000), shown(1, 50_000, 100), shown(2, 50_000, 100)];
    const { propensities } = chosenShares(banditOf(settingsOf(policy), counts), 0, undefined, contextOf(policy));
    for (const propensity of propensities) expect(propensity).toBeGreaterThanOrEqual(0.04 / 6);
  });

  it('knows nothing of an ad without impressions, and shows its creatives all the same', () => {
    for (const policy of policyNames) {
      const { propensities } = chosenShares(banditOf(settingsOf(policy)), 2, undefined, contextOf(policy));
      expect(propensities.every((propensity) => propensity > 0)).toBe(true);
    }
  });

  it('compares creatives of an ad that it does not know by the model alone', () => {
    const bandit = banditOf({ epsilon: 0.03 });
    const { propensities } = chosenShares(bandit, -1, [0.01, 0.03, 0.02]);
    expect(propensities).toEqual([0.01, 0.98, 0.01].map((share) => expect.closeTo(share, 12)));
    const { shares } = chosenShares(bandit, -1);
    for (const share of shares) expect(share).toBeCloseTo(1 / 3, 3);
  });

  it('draws one number a candidate, whatever comes of it', () => {
    const bandit = banditOf();
    const [one, other] = [createRandom(3), createRandom(3)];
    const choices = { variants: new Int32Array(7), propensities: new Float64Array(7) };
    bandit.choose(questionOf(bandit.arms, 2, 7, one), choices);
    for (let i = 0; i < 7; i++) other.next();
    expect(one.next()).toBe(other.next());
  });

  it('refuses arrays that do not fit: our own mistake', () => {
    const bandit = banditOf();
    const question = questionOf(bandit.arms, 0, 4, createRandom(1));
    const choices = { variants: new Int32Array(4), propensities: new Float64Array(4) };
    const short = { variants: new Int32Array(3), propensities: new Float64Array(4) };
    expect(() => bandit.choose(question, short)).toThrow(RangeError);
    expect(() => bandit.choose(question, { ...choices, shares: new Float64Array(11) })).toThrow(RangeError);
    expect(() => bandit.choose({ ...question, p: new Float32Array(5) }, choices)).toThrow(RangeError);
    expect(() => bandit.choose({ ...question, ads: new Int32Array(4).fill(2) }, choices)).toThrow(RangeError);
    expect(() => bandit.choose({ ...question, ads: new Int32Array(4).fill(3) }, choices)).toThrow(RangeError);
  });
});

describe('a creative that the model knows', () => {
  const greedy = { policy: 'epsilon-greedy', greedyEpsilon: 0.02 };
  const logits = (p: number, impressions: number) => impressions * Math.log(p / (1 - p));

  it('starts from the model, and rests on its record once that is proven', () => {
    const p = [0.03, 0.02, 0.01];
    const fresh = [0, 1, 2].map((arm) => ({ ...shown(arm, 5, 0), logits: logits(p[arm], 5) }));
    expect(chosenShares(banditOf(greedy, fresh), 0, p).shares[0]).toBeGreaterThan(0.97);
    // The model has them the wrong way round.
    const proven = [0, 1, 2].map((arm) => ({
      ...shown(arm, 20_000, [200, 400, 600][arm]),
      logits: logits(p[arm], 20_000),
    }));
    expect(chosenShares(banditOf(greedy, proven), 0, p).shares[2]).toBeGreaterThan(0.97);
  });

  it('keeps what the model knows of the user beside its record', () => {
    const p = [0.02, 0.02, 0.02];
    const proven = [0, 1, 2].map((arm) => ({ ...shown(arm, 20_000, 400), logits: logits(p[arm], 20_000) }));
    const bandit = banditOf(greedy, proven);
    for (const arm of [0, 1, 2]) {
      const ofUser = p.map((value, i) => (i === arm ? 1.2 * value : value));
      expect(chosenShares(bandit, 0, ofUser).shares[arm]).toBeGreaterThan(0.97);
    }
  });

  it('is corrected by α of the gap between record and model, α by its views', () => {
    // One creative, whose posterior mean is known: odds of p′ are odds of p times e^(α·gap).
    const arms = armsOf(2);
    const impressions = 200;
    const counts = [{ ...shown(0, impressions, 6), logits: logits(0.02, impressions) }, shown(1, 0, 0)];
    const bandit = banditOf(greedy, counts, arms);
    const mean = bandit.standing(0).ctrs[0];
    const alpha = 1 / (1 + Math.exp(-(impressions - 150) / 50));
    const gap = Math.log(mean / (1 - mean)) - Math.log(0.02 / 0.98);
    const odds = (0.05 / 0.95) * Math.exp(alpha * gap);
    const corrected = odds / (1 + odds);
    expect(chosenShares(bandit, 0, [0.05, corrected * 1.0001]).shares[1]).toBeGreaterThan(0.9);
    expect(chosenShares(bandit, 0, [0.05, corrected * 0.9999]).shares[0]).toBeGreaterThan(0.9);
  });

  it('is sampled more often by Thompson where the user likes it more', () => {
    const p = [0.02, 0.02, 0.02];
    const counts = [0, 1, 2].map((arm) => ({ ...shown(arm, 2000, 40), logits: logits(0.02, 2000) }));
    const bandit = banditOf({ policy: 'thompson' }, counts);
    const alike = chosenShares(bandit, 0, p).propensities;
    for (const share of alike) expect(share).toBeCloseTo(1 / 3, 2);
    const liked = chosenShares(bandit, 0, [0.02, 0.024, 0.02]).propensities;
    expect(liked[1]).toBeGreaterThan(0.45);
    // A user who clicks more on everything likes none of it more.
    expect(chosenShares(bandit, 0, [0.04, 0.04, 0.04]).propensities).toEqual(
      alike.map((share) => expect.closeTo(share, 2)),
    );
  });
});

describe('position', () => {
  it('is taken out: exposures are impressions times how much their position is looked at', () => {
    const settings = { policy: 'epsilon-greedy', examination: [1, 0.5], likenessClicks: 1 };
    const counts = [
      { ...shown(0, 10_000, 200), position: 1 },
      { ...shown(1, 10_000, 150), position: 2 },
      { ...shown(2, 10_000, 90), position: 7 },
    ];
    const bandit = banditOf(settings, counts);
    expect([...bandit.record.exposures.subarray(0, 3)]).toEqual([10_000, 5000, 5000]);
    expect(chosenShares(bandit, 0).shares[1]).toBeGreaterThan(0.9);
  });
});

describe('the reward', () => {
  const greedy = { policy: 'epsilon-greedy', greedyEpsilon: 0.02 };

  it('weighs clicks and what they earn', () => {
    const counts = [
      { ...shown(0, 50_000, 1000), revenueMicros: 1000 * 500_000 },
      { ...shown(1, 50_000, 900), revenueMicros: 900 * 900_000 },
      { ...shown(2, 50_000, 500), revenueMicros: 500 * 100_000 },
    ];
    expect(chosenShares(banditOf(greedy, counts), 0).shares[0]).toBeGreaterThan(0.97);
    const paid = banditOf({ ...greedy, revenueWeight: 1 }, counts);
    expect(chosenShares(paid, 0).shares[1]).toBeGreaterThan(0.97);
  });

  it('counts view time while it is below its target, and no longer than that', () => {
    const settings = { ...greedy, viewMsTarget: 4000, qoeStep: 0.5, qoeMost: 2 };
    const bandit = banditOf(settings);
    const lambdas = [1000, 1000, 1000, 9000, 9000, 9000].map((viewMs, window) => {
      const timeMs = nowMs + window * 1_800_000;
      bandit.settle(timeMs);
      for (const arm of [0, 1, 2])
        bandit.add({
          ...shown(arm, 20_000, arm === 0 ? 420 : 400),
          timeMs,
          views: 1000,
          // The second is looked at for longer than the others.
          viewMs: 1000 * viewMs * [0.8, 1.4, 0.8][arm],
        });
      bandit.settle(timeMs + 1_800_000);
      return { lambda: bandit.stats().lambda, best: chosenShares(bandit, 0).shares };
    });
    expect(lambdas.map(({ lambda }) => Number(lambda.toFixed(4)))).toEqual([0.375, 0.75, 1.125, 0.5, 0, 0]);
    expect(lambdas[2].best[1]).toBeGreaterThan(0.97);
    expect(lambdas[5].best[0]).toBeGreaterThan(0.97);
  });

  it.each([0, 1, 5, 100])('counts view time that is told %i windows late once, as it would have in time', (late) => {
    const { windowMs } = readBanditSettings();
    const bandit = banditOf({ viewMsTarget: 4000, qoeStep: 0.5, qoeMost: 2 }, [shown(0, 100, 1), shown(1, 100, 1)]);
    const lambdaAt = (windows: number) => {
      bandit.settle(nowMs + windows * windowMs);
      return bandit.stats().lambda;
    };
    expect(lambdaAt(late)).toBe(0);
    // 100 views of 1 s and 50 of 4 s: a mean of 2 s.
    bandit.add({ arm: 0, timeMs: nowMs, views: 100, viewMs: 100_000 });
    bandit.add({ arm: 1, timeMs: nowMs + late * windowMs, views: 50, viewMs: 200_000 });
    expect(lambdaAt(late)).toBe(0);
    expect(lambdaAt(late + 1)).toBe(0.25);
    expect([5, 1, 3, 30].map((windows) => lambdaAt(late + windows))).toEqual([0.25, 0.25, 0.25, 0.25]);
  });

  it('keeps view time at its target where the longest views are told last', () => {
    const { windowMs } = readBanditSettings();
    const bandit = banditOf({ viewMsTarget: 4000, qoeStep: 0.1, qoeMost: 2 });
    // Half of the views take 1 s and are told at once, half 7 s and are told three windows later: 4 s, once they come in.
    for (let window = 0; window < 200; window++) {
      const timeMs = nowMs + window * windowMs;
      bandit.settle(timeMs);
      bandit.add({ ...shown(0, 100, 1), timeMs, views: 50, viewMs: 50_000 });
      if (window >= 3) bandit.add({ arm: 0, timeMs: timeMs - 3 * windowMs, views: 50, viewMs: 350_000 });
    }
    // Three windows without the long ones, 0.1·(1 − 1/4) each.
    expect(bandit.stats().lambda).toBeCloseTo(0.225, 9);
  });
});

describe('leaving exploration', () => {
  const windowMs = readBanditSettings().windowMs;

  /** An ad's three arms shown alike, 1,000 impressions in each window, at these CTRs. */
  function windowsOf(bandit: ReturnType<typeof banditOf>, ctrs: readonly number[], from: number, to: number): void {
    for (let window = from; window < to; window++) {
      const timeMs = nowMs + window * windowMs;
      bandit.settle(timeMs);
      for (const [arm, ctr] of ctrs.entries()) bandit.add({ ...shown(arm, 1000, Math.round(1000 * ctr)), timeMs });
    }
    bandit.settle(nowMs + to * windowMs);
  }

  it('comes when the CTRs are stable and little is to be gained, and shows the best but for ε', () => {
    const bandit = banditOf({ epsilon: 0.06 });
    expect(bandit.hasExited(0)).toBe(false);
    windowsOf(bandit, [0.02, 0.04, 0.03], 0, 8);
    expect(bandit.hasExited(0)).toBe(true);
    expect(bandit.standing(0)).toMatchObject({ hasExited: true, leader: 1 });
    expect(chosenShares(bandit, 0).propensities[1]).toBeCloseTo(1 - 0.06 * (2 / 3), 2);
    expect(bandit.stats()).toMatchObject({ exited: 2, exploring: 1 });
  });

  it('does not come while CTRs still move, nor where it is switched off', () => {
    const moving = banditOf({ exitLoss: 1, exitBand: 0.01 });
    windowsOf(moving, [0.02, 0.04, 0.03], 0, 2);
    windowsOf(moving, [0.03, 0.02, 0.04], 2, 4);
    expect(moving.hasExited(0)).toBe(false);
    const off = banditOf({ exit: false });
    windowsOf(off, [0.02, 0.04, 0.03], 0, 8);
    expect(off.hasExited(0)).toBe(false);
  });

  it('does not come before as many windows have ended as CTRs have to be stable for, nor again after a change', () => {
    const bandit = banditOf();
    const exits = range(4).map((window) => {
      windowsOf(bandit, [0.02, 0.04, 0.02], window, window + 1);
      return bandit.hasExited(0);
    });
    expect(exits).toEqual([false, true, true, true]);
    bandit.record.forgetBefore(0, bandit.record.window - 1);
    bandit.add({ ...shown(1, 1, 0), timeMs: nowMs + 4 * windowMs });
    bandit.settle(nowMs + 4 * windowMs);
    expect(bandit.hasExited(0)).toBe(false);
    // All in one window, however much.
    const first = banditOf({}, [shown(0, 20_000, 1000), shown(1, 20_000, 1200), shown(2, 20_000, 1000)]);
    expect(first.standing(0).expectedLoss).toBeLessThan(0.01);
    expect(first.hasExited(0)).toBe(false);
  });

  it('of an ad with one creative is at once: there is nothing to explore', () => {
    const bandit = banditOf();
    expect(bandit.hasExited(1)).toBe(true);
    expect(chosenShares(bandit, 1).propensities).toEqual([expect.closeTo(1, 12)]);
  });

  it('ends where the CTR changes: what was before is forgotten, though not lost', () => {
    const bandit = banditOf();
    windowsOf(bandit, [0.02, 0.04, 0.03], 0, 12);
    expect(bandit.stats().reopened).toBe(0);
    windowsOf(bandit, [0.02, 0.015, 0.03], 12, 17);
    expect(bandit.stats().reopened).toBeGreaterThanOrEqual(1);
    const { sinceMs, leader } = bandit.standing(0);
    expect(Math.abs(sinceMs - (nowMs + 12 * windowMs))).toBeLessThan(2 * windowMs);
    expect(leader).toBe(2);
    expect(bandit.record.totals.impressions[1]).toBe(17_000);
  });

  it('is not undone by chance: few ads that never change are reopened', () => {
    const ads = 200;
    const arms = armsOf(...range(ads).map(() => 2));
    const bandit = createBandit(arms, readBanditSettings());
    const random = createRandom(5);
    for (let window = 0; window < 40; window++) {
      const timeMs = nowMs + window * windowMs;
      bandit.settle(timeMs);
      for (let arm = 0; arm < 2 * ads; arm++) {
        let clicks = 0;
        for (let i = 0; i < 500; i++) if (random.next() < (arm % 2 === 0 ? 0.02 : 0.04)) clicks++;
        bandit.add({ arm, timeMs, impressions: 500, clicks });
      }
    }
    expect(bandit.stats().exited).toBeGreaterThan(150);
    expect(bandit.stats().reopened).toBeLessThan(8);
  });
});

describe('windows', () => {
  it('owe each creative some exposures: half of ε goes to what they lack', () => {
    const counts = [shown(0, 100, 4), shown(1, 100, 1), shown(2, 5, 0)];
    const { propensities } = chosenShares(banditOf({ epsilon: 0.06, windowFloor: 50, exit: false }, counts), 0);
    // The third has what the others have not of the second half.
    expect([...propensities].sort((a, b) => a - b)[0]).toBeCloseTo(0.01, 9);
    const third = propensities[2] > 0.5 ? propensities[2] - 0.94 : propensities[2];
    expect(third).toBeCloseTo(0.04, 9);
  });

  it('let sw-ucb forget what is older', () => {
    const bandit = banditOf({ policy: 'sw-ucb', windows: 3, slidingXi: 0.0001 }, [
      shown(0, 1000, 100),
      shown(1, 1000, 10),
      shown(2, 1000, 10),
    ]);
    expect(chosenShares(bandit, 0).shares[0]).toBeGreaterThan(0.9);
    const timeMs = nowMs + 4 * 1_800_000;
    bandit.settle(timeMs);
    for (const arm of [0, 1, 2]) bandit.add({ ...shown(arm, 1000, arm === 1 ? 30 : 10), timeMs });
    bandit.settle(timeMs);
    expect(chosenShares(bandit, 0).shares[1]).toBeGreaterThan(0.9);
  });

  it('of very many ads end over several settlings, each ad once', () => {
    const ads = 10_000;
    const arms = armsOf(...range(ads).map(() => 2));
    const counts = range(2 * ads).map((arm) => shown(arm, 200, arm % 2 === 0 ? 4 : 40));
    const bandit = banditOf({ exitWindows: 1 }, counts, arms);
    expect(bandit.stats().exited).toBe(0);
    const later = nowMs + 2 * 1_800_000;
    const exited = range(4).map(() => {
      bandit.settle(later);
      return bandit.stats().exited;
    });
    expect(exited).toEqual([4096, 8192, ads, ads]);
  });

  it('are not thrown out by a clock that is ahead', () => {
    const bandit = banditOf();
    bandit.add({ ...shown(0, 10, 1), timeMs: nowMs * 2 });
    bandit.settle(nowMs);
    expect(bandit.record.windowExposures[bandit.record.windowAt(bandit.record.window)]).toBe(10);
  });
});

describe('a clock that was ahead', () => {
  const { windowMs } = readBanditSettings();

  it.each([2, 5, 30, 17_520])('by %i windows does not hold up later windows, and nothing counted is lost', (ahead) => {
    const settings = { viewMsTarget: 4000 };
    const fed = [
      { ...shown(0, 5000, 100), views: 10, viewMs: 10_000 },
      { ...shown(1, 5000, 200), timeMs: nowMs - 2 * windowMs },
    ];
    const bandit = banditOf(settings, fed);
    bandit.settle(nowMs + ahead * windowMs);
    bandit.add({ ...shown(0, 700, 7), timeMs: nowMs + ahead * windowMs, views: 1, viewMs: 100 });
    bandit.add({ ...shown(4, 50, 1), timeMs: nowMs + ahead * windowMs });
    bandit.record.forgetBefore(2, bandit.record.window);
    bandit.settle(nowMs + ahead * windowMs);
    const state = bandit.save();
    const { arms, record } = bandit;
    const restored = createBandit(arms, readBanditSettings(settings), state);
    for (const one of [bandit, restored]) {
      one.settle(nowMs);
      expect(one.record.window).toBe(Math.floor(nowMs / windowMs));
      expect([...one.record.exposures.subarray(0, 3)]).toEqual([5700, 5000, 0]);
      const kept = ahead < record.windows - 2 ? 5000 : 0;
      const [now, before] = [one.record.window, one.record.window - 2].map((window) => one.record.windowAt(window));
      expect(one.record.windowExposures[now]).toBe(700 + kept);
      expect(one.record.windowExposures[before + 1]).toBe(kept);
      expect(one.record.windowExposures.reduce((sum, count) => sum + count)).toBe(750 + 2 * kept);
      // λ has followed the ten views of before, and does not again.
      expect(one.save().viewTimes).toEqual([[one.record.window, 100, 1]]);
      // What is saved can be read, whatever it is read with.
      const again = createBandit(armsOf(2), readBanditSettings(), one.save());
      again.settle(nowMs - 3 * windowMs);
      createBandit(arms, readBanditSettings(), again.save());
      one.settle(nowMs + 3 * windowMs);
      expect(one.record.window).toBe(Math.floor(nowMs / windowMs) + 3);
    }
    expect(restored.save()).toEqual(bandit.save());
  });
});

describe('feedback', () => {
  it('in any order, late or early, gives the same record to the bit', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const random = createRandom(seed);
        const arms = armsOf(3, 1, 5);
        const settings = { examination: [1, 0.37, 1 / 3] };
        const counts = randomCounts(random, arms, nowMs, 20);
        // Clicks come after their impressions; all else is free.
        const later = [...counts].map((one, i) => ({ one, at: (i % 2) + random.next() }));
        const other = later.sort((a, b) => a.at - b.at).map(({ one }) => one);
        expect(banditOf(settings, other, arms).save()).toEqual(banditOf(settings, counts, arms).save());
      }),
    );
  });

  it('is settled once: settling again changes nothing', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const random = createRandom(seed);
        const arms = armsOf(3, 1, 5);
        const counts = randomCounts(random, arms, nowMs, 40);
        const bandit = banditOf({ viewMsTarget: 5000 }, counts, arms);
        bandit.settle(nowMs + 3_600_000);
        const [state, choices] = [bandit.save(), chosenShares(bandit, 2)];
        bandit.settle(nowMs + 3_600_000);
        // Nor does a clock that goes back a little.
        bandit.settle(nowMs + 1_800_000);
        expect(bandit.save()).toEqual(state);
        expect(chosenShares(bandit, 2)).toEqual(choices);
      }),
      { numRuns: 20 },
    );
  });

  const held = [shown(0, 100, 4), { ...shown(1, 50, 1), views: 10, viewMs: 9000 }];
  it.each<[string, ArmCounts, string]>([
    ['an unknown creative', shown(9, 10, 1), 'there is no arm 9 of 9'],
    ['a creative that is no number', shown(0.5, 10, 1), 'there is no arm 0.5'],
    ['more clicks than impressions', shown(0, 10, 11 + 96), '111 clicks in 110 impressions'],
    ['clicks without impressions', shown(2, 0, 1), ' 1 click in 0 impressions'],
    ['negative impressions', shown(0, -1, 0), 'impressions is -1'],
    ['half a click', shown(0, 10, 0.5), 'clicks is 0.5'],
    ['negative view time', { ...shown(0, 10, 0), views: 1, viewMs: -5 }, 'viewMs is -5'],
    ['view time of no views', { ...shown(0, 10, 0), viewMs: 5 }, 'viewMs is 5 of no views'],
    ['more views than impressions', { ...shown(0, 1, 0), views: 200 }, '200 views in 101 impressions'],
    ['negative revenue', { ...shown(0, 1, 0), revenueMicros: -1 }, 'revenueMicros is -1'],
    ['no time', { ...shown(0, 1, 0), timeMs: Number.NaN }, 'timeMs is NaN'],
    ['a position above the best', { ...shown(0, 1, 0), position: 0 }, 'position is 0'],
    ['endless logits', { ...shown(0, 1, 0), logits: Number.NEGATIVE_INFINITY }, 'logits are -Infinity'],
  ])('of %s is refused, and what is held is kept', (_, counts, message) => {
    const bandit = banditOf({}, held);
    const state = bandit.save();
    expect(() => bandit.add(counts)).toThrow(UserError);
    expect(() => bandit.add(counts)).toThrow(message);
    bandit.settle(nowMs);
    expect(bandit.save()).toEqual(state);
  });

  it('of one batch is taken in any order, all of it or none', () => {
    const [impression, click] = [shown(2, 1, 0), shown(2, 0, 1)];
    const bandit = banditOf({}, held);
    bandit.addAll([click, impression]);
    expect([...bandit.record.totals.clicks.subarray(0, 3)]).toEqual([4, 1, 1]);
    const state = bandit.save();
    for (const wrong of [click, shown(9, 1, 0), { ...click, views: 2 }, shown(2, -1, 0)])
      expect(() => bandit.addAll([impression, wrong, shown(0, 1, 1), click])).toThrow(UserError);
    expect(() => bandit.check([impression, click, click])).toThrow(
      "creative 'a2' would have 3 clicks in 2 impressions; tell each impression with or before what came of it",
    );
    expect(bandit.save()).toEqual(state);
  });

  it('of a context that does not fit is refused, and what is held is kept', () => {
    const bandit = banditOf({ policy: 'linucb', contextSize: 2 }, held);
    const state = bandit.save();
    expect(() => bandit.add({ ...shown(0, 1, 0), context: Float64Array.of(1) })).toThrow('expected 2 shares');
    expect(() => bandit.add({ ...shown(0, 1, 0), context: Float64Array.of(2, 0) })).toThrow(UserError);
    expect(bandit.save()).toEqual(state);
  });
});
