import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UserError } from '../core/errors.ts';
import { createRandom } from '../core/random.ts';
import { createBandit } from './bandit.ts';
import { armsOf, chosenShares, randomCounts, range } from './banditRuns.ts';
import type { ArmCounts, Arms } from './creative.ts';
import { mergeBanditStates } from './mergeStates.ts';
import { readBanditSettings } from './settings.ts';
import { type AdState, type BanditState, readBanditState, readStateHead } from './state.ts';

const nowMs = 1_700_000_000_000;
const dayMs = 86_400_000;
const seeds = fc.integer({ min: 0, max: 2 ** 31 - 1 });
const settings = readBanditSettings({ viewMsTarget: 4000, examination: [1, 0.3, 0.17], windows: 6 });

function fed(arms: Arms, counts: readonly ArmCounts[], untilMs = nowMs, state?: unknown) {
  const bandit = createBandit(arms, settings, state);
  bandit.settle(nowMs - 10_000_000);
  for (const one of counts.slice(0, counts.length / 2)) bandit.add(one);
  bandit.settle(nowMs);
  for (const one of counts.slice(counts.length / 2)) bandit.add(one);
  bandit.settle(untilMs);
  return bandit;
}

/** A state of random counts, some of which have been forgotten, and some of which are of creatives that are gone. */
function randomState(seed: number): BanditState {
  const random = createRandom(seed);
  const arms = armsOf(3, 1, 5);
  const bandit = fed(arms, randomCounts(random, arms, nowMs, random.below(30)), nowMs + random.below(8_000_000));
  for (let ad = 0; ad < 3; ad++)
    if (random.next() < 0.4) bandit.record.forgetBefore(ad, bandit.record.window - random.below(6));
  if (random.next() < 0.5) return bandit.save();
  const later = createBandit(armsOf(...range(3).map(() => random.below(3))), settings, bandit.save());
  later.settle(nowMs + random.below(90 * dayMs));
  return later.save();
}

describe('a saved bandit', () => {
  it('goes on where it was, through JSON', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const random = createRandom(seed);
        const arms = armsOf(3, 1, 5);
        const [before, after] = [randomCounts(random, arms, nowMs, 20), randomCounts(random, arms, nowMs, 10)];
        const one = fed(arms, before);
        const other = createBandit(arms, settings, JSON.parse(JSON.stringify(one.save())));
        expect(other.save()).toEqual(one.save());
        expect(chosenShares(other, 2)).toEqual(chosenShares(one, 2));
        for (const bandit of [one, other]) {
          for (const counts of after) bandit.add(counts);
          bandit.settle(nowMs + 2_000_000);
        }
        expect(other.save()).toEqual(one.save());
        expect(chosenShares(other, 2)).toEqual(chosenShares(one, 2));
      }),
      { numRuns: 20 },
    );
  });

  it('keeps aside what is of other arms, and gives it back to them', () => {
    const all = armsOf(3, 2);
    const state = fed(all, randomCounts(createRandom(7), all, nowMs, 40)).save();
    // Ad b and one creative of a are gone, another is new.
    const fewer: Arms = { offsets: Int32Array.of(0, 3), adKeys: ['a'], creativeKeys: ['a2', 'new', 'a0'] };
    const between = createBandit(fewer, settings, state);
    expect(between.record.totals.impressions[1]).toBe(0);
    expect(between.record.totals.impressions[0]).toBe(state.ads[0].creatives[2].totals[0]);
    between.add({ arm: 2, timeMs: nowMs, impressions: 100, clicks: 3 });
    between.settle(nowMs);
    const again = createBandit(all, settings, between.save());
    const expected = createBandit(all, settings, state);
    expected.add({ arm: 0, timeMs: nowMs, impressions: 100, clicks: 3 });
    expected.settle(nowMs);
    expect(again.save()).toEqual(expected.save());
  });

  it('keeps contexts that its policy has no use for', () => {
    const arms = armsOf(2);
    const linear = readBanditSettings({ policy: 'linucb', contextSize: 2 });
    const bandit = createBandit(arms, linear);
    bandit.add({ arm: 1, timeMs: nowMs, impressions: 10, clicks: 1, context: Float64Array.of(0.5, 0.5) });
    const plain = createBandit(arms, readBanditSettings(), bandit.save());
    expect(createBandit(arms, linear, plain.save()).save()).toEqual(bandit.save());
    const other = readBanditSettings({ policy: 'linucb', contextSize: 3 });
    expect(() => createBandit(arms, other, bandit.save())).toThrow(
      "bandit state: creative 'a1' has 8 numbers of contexts",
    );
    expect(() => createBandit(arms, other, bandit.save(), 'state.json')).toThrow("state.json: creative 'a1'");
    expect(() => createBandit(arms, other, {}, 'state.json')).toThrow('state.json: expected');
  });

  it('made in parts while it goes on, also into other windows, has each ad as it was then, whole', () => {
    const arms = armsOf(2, 2, 2, 2);
    const steps = fc.array(fc.tuple(fc.integer({ min: -3, max: 5 }), fc.nat(7)), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(seeds, steps, (seed, steps) => {
        const random = createRandom(seed);
        const bandit = fed(arms, randomCounts(random, arms, nowMs, 30));
        const { head, ads } = bandit.saveInParts();
        const made: AdState[] = [];
        for (const ad of ads) {
          // As a bandit has it that alone is saved, but for windows that have begun since.
          const [now] = bandit.save().ads.filter((one) => one.ad === ad.ad);
          expect(ad.creatives.map(({ totals, learned }) => [totals, learned])).toEqual(
            now.creatives.map(({ totals, learned }) => [totals, learned]),
          );
          made.push(ad);
          const [windows, arm] = steps[made.length % steps.length];
          bandit.settle(nowMs + windows * settings.windowMs);
          bandit.add({ arm, timeMs: nowMs + windows * settings.windowMs, impressions: 50, clicks: 1 });
          if (windows > 2) bandit.record.forgetBefore(bandit.record.adOf[arm], bandit.record.window);
        }
        const state = readBanditState(JSON.parse(JSON.stringify({ ...head, ads: made })));
        const back = createBandit(arms, settings, state);
        expect(back.save().ads.map(({ creatives }) => creatives.map(({ learned }) => learned))).toEqual(
          made.map(({ creatives }) => creatives.map(({ learned }) => learned)),
        );
      }),
      { numRuns: 50 },
    );
  });

  it('may be given windows of another length: nothing that was counted is lost', () => {
    const arms = armsOf(3, 1, 5);
    const one = fed(arms, randomCounts(createRandom(3), arms, nowMs, 30));
    const other = createBandit(arms, readBanditSettings({ windowMs: 3_600_000 }), one.save());
    expect(other.record.totals).toEqual(one.record.totals);
    expect(other.record.exposures).toEqual(one.record.exposures);
    expect(other.record.window).toBe(Math.floor(one.record.window / 2));
  });

  it.each([3_600_000, 2_000_000, 900_000])(
    'reads its own save again after windows have become of %i ms',
    (windowMs) => {
      const all = armsOf(3, 2);
      const state = fed(all, randomCounts(createRandom(3), all, nowMs, 40)).save();
      // Ad b and two creatives of a are gone.
      const fewer: Arms = { offsets: Int32Array.of(0, 1), adKeys: ['a'], creativeKeys: ['a1'] };
      const between = createBandit(fewer, readBanditSettings({ windowMs }), state).save();
      expect(() => readBanditState(between)).not.toThrow();
      const [back, whole] = [between, state].map((one) => createBandit(all, readBanditSettings({ windowMs }), one));
      expect(back.save()).toEqual(whole.save());
      expect(back.record.totals.impressions.every((count) => count > 0)).toBe(true);
    },
  );

  it('forgets a change in creatives that were gone when it was found, once they come back', () => {
    const all = armsOf(2);
    const before = createBandit(all, settings);
    before.settle(nowMs);
    const told = (timeMs: number) => [0, 1].map((arm) => ({ arm, timeMs, impressions: 100, clicks: 2 }));
    for (const timeMs of [nowMs - 3_600_000, nowMs]) before.addAll(told(timeMs));
    const fewer: Arms = { offsets: Int32Array.of(0, 1), adKeys: ['a'], creativeKeys: ['a1'] };
    const between = createBandit(fewer, settings, before.save());
    between.record.forgetBefore(0, between.record.window);
    const back = createBandit(all, settings, between.save());
    expect([...back.record.exposures]).toEqual([100, 100]);
    expect([...back.record.totals.impressions]).toEqual([200, 200]);
  });
});

describe('creatives that are gone', () => {
  const fewer: Arms = { offsets: Int32Array.of(0, 1), adKeys: ['a'], creativeKeys: ['a1'] };
  const all = armsOf(2, 1);
  const told = (timeMs: number): ArmCounts[] => range(3).map((arm) => ({ arm, timeMs, impressions: 100, clicks: 2 }));
  const saved = () => {
    const bandit = createBandit(all, settings);
    bandit.settle(nowMs);
    bandit.addAll(told(nowMs));
    return bandit.save();
  };
  const idsOf = ({ ads }: BanditState) => ads.map(({ ad, creatives }) => [ad, ...creatives.map((one) => one.creative)]);
  /** Goes on without them until then. */
  const goneUntil = (timeMs: number, state: unknown, json = {}) => {
    const bandit = createBandit(fewer, readBanditSettings(json), state);
    bandit.settle(timeMs);
    return bandit.save();
  };

  it.each([1, 30, 365])('for more than %i days, if so set, are forgotten, and no sooner', (goneDays) => {
    const comesBack = (timeMs: number) => {
      const back = createBandit(all, settings, goneUntil(timeMs, saved(), { goneDays }));
      return [...back.record.totals.impressions];
    };
    const { windowMs } = settings;
    // They may have been seen at the very end of their window.
    const windowEndMs = (Math.floor(nowMs / windowMs) + 1) * windowMs;
    expect(comesBack(windowEndMs + goneDays * dayMs - 1)).toEqual([100, 100, 100]);
    expect(comesBack(windowEndMs + goneDays * dayMs + 1)).toEqual([0, 100, 0]);
  });

  it('begin their days anew when they have been back, shown or not', () => {
    let state = saved();
    for (let month = 1; month <= 24; month++) {
      state = goneUntil(nowMs + (29 * month - 14) * dayMs, state);
      const back = createBandit(all, settings, state);
      back.settle(nowMs + 29 * month * dayMs);
      state = back.save();
      expect([...back.record.totals.impressions]).toEqual([100, 100, 100]);
    }
    // Nor are those forgotten that have been there all the time.
    expect(idsOf(goneUntil(nowMs + 10_000 * dayMs, state))).toEqual([['a', 'a1']]);
  });

  it('do not make the state of ever new ones grow for ever', () => {
    let state: BanditState | undefined;
    for (let day = 0; day < 100; day++) {
      const arms: Arms = { offsets: Int32Array.of(0, 2), adKeys: ['ad'], creativeKeys: ['stays', `of day ${day}`] };
      const bandit = createBandit(arms, settings, state);
      bandit.settle(nowMs + day * dayMs);
      for (const arm of [0, 1]) bandit.add({ arm, timeMs: nowMs + day * dayMs, impressions: 10 });
      state = bandit.save();
      expect(state.ads[0].creatives.length).toBe(Math.min(day, 30) + 2);
    }
    const stays = state?.ads[0].creatives.find(({ creative }) => creative === 'stays');
    expect(stays?.totals[0]).toBe(1000);
  });

  it('are not brought back by merging with states of old, nor lost where another replica still has them', () => {
    const old = saved();
    const laterMs = nowMs + 20 * dayMs;
    const without = goneUntil(laterMs, old);
    const later = createBandit(all, settings, old);
    later.settle(laterMs);
    // One has them no more since day 0, the other since day 20: both counts are kept until day 50.
    const both = mergeBanditStates(goneUntil(laterMs, without), later.save());
    expect(goneUntil(nowMs + 49 * dayMs, both).ads[0].creatives[0]).toMatchObject({
      creative: 'a0',
      learned: [200, 4],
    });
    expect(idsOf(goneUntil(nowMs + 51 * dayMs, both))).toEqual([['a', 'a1']]);
    // 40 days after day 0, one has forgotten them.
    const states = [old, later.save()].map((other) => {
      let state = goneUntil(laterMs + 20 * dayMs, without);
      for (let time = 0; time < 3; time++)
        state = createBandit(fewer, settings, mergeBanditStates(state, other)).save();
      return idsOf(state);
    });
    expect(states[0]).toEqual([['a', 'a1']]);
    expect(states[1]).toEqual([
      ['a', 'a0', 'a1'],
      ['b', 'b0'],
    ]);
  });

  it('are kept without the windows that are of no more use, and with what was learned', () => {
    const state = goneUntil(nowMs + dayMs, saved());
    const [{ creatives }] = state.ads;
    expect(creatives[0]).toMatchObject({ creative: 'a0', learned: [100, 2], windows: [] });
    expect(creatives[0].seen).toBe(Math.floor(nowMs / settings.windowMs));
    expect(creatives[1]).not.toHaveProperty('seen');
  });
});

it('a state’s view time that λ has followed is not followed again', () => {
  const bandit = createBandit(armsOf(1), settings);
  bandit.settle(nowMs);
  bandit.add({ arm: 0, timeMs: nowMs, impressions: 9, views: 9, viewMs: 9000 });
  const { window, lambdaWindow, viewTimes, ...state } = bandit.save();
  expect([lambdaWindow, viewTimes]).toEqual([window - 1, [[window, 9000, 9]]]);
  const lambdaOf = (given: readonly [number, number, number][]) => {
    const restored = createBandit(armsOf(1), settings, { ...state, window, lambdaWindow, viewTimes: given });
    restored.settle(nowMs + settings.windowMs);
    return restored.stats().lambda;
  };
  expect(lambdaOf([[window, 9000, 9]])).toBeCloseTo(0.05 * (1 - 1 / 4), 12);
  expect(lambdaOf([[window - 1, 9000, 9]])).toBe(0);
});

describe('merging', () => {
  it('adds up what two replicas have counted, as if one had', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const random = createRandom(seed);
        const arms = armsOf(3, 1, 5);
        const [left, right] = [randomCounts(random, arms, nowMs, 20), randomCounts(random, arms, nowMs, 20)];
        const feed = (counts: readonly ArmCounts[]) => {
          const bandit = createBandit(arms, readBanditSettings({ examination: [1, 0.3] }));
          bandit.settle(nowMs);
          for (const one of counts) bandit.add(one);
          return bandit.save();
        };
        const whole = createBandit(arms, settings, feed([...left, ...right])).save();
        const merged = createBandit(arms, settings, mergeBanditStates(feed(left), feed(right))).save();
        expect(merged).toEqual(whole);
      }),
      { numRuns: 30 },
    );
  });

  it('is associative and commutative to the bit', () => {
    fc.assert(
      fc.property(seeds, seeds, seeds, (x, y, z) => {
        const [a, b, c] = [randomState(x), randomState(y), randomState(z)];
        expect(mergeBanditStates(a, b)).toEqual(mergeBanditStates(b, a));
        expect(mergeBanditStates(mergeBanditStates(a, b), c)).toEqual(mergeBanditStates(a, mergeBanditStates(b, c)));
      }),
      { numRuns: 50 },
    );
  });

  it('forgets in both what one has found to have changed', () => {
    const arms = armsOf(2);
    const [one, other] = [0, 1].map(() => {
      const bandit = createBandit(arms, settings);
      bandit.settle(nowMs);
      for (const timeMs of [nowMs - 3_600_000, nowMs])
        for (const arm of [0, 1]) bandit.add({ arm, timeMs, impressions: 100, clicks: 2 });
      return bandit;
    });
    one.record.forgetBefore(0, one.record.window);
    const merged = createBandit(arms, settings, mergeBanditStates(one.save(), other.save()));
    expect([...merged.record.exposures]).toEqual([200, 200]);
    expect([...merged.record.totals.impressions]).toEqual([400, 400]);
  });

  it('refuses windows and contexts of different length', () => {
    const state = randomState(1);
    expect(() => mergeBanditStates(state, { ...state, windowMs: 1000 })).toThrow('do not add up');
    const withContexts = (length: number) => ({
      ...state,
      ads: [
        {
          ad: 'a',
          since: 0,
          creatives: [
            {
              creative: 'a0',
              totals: [0, 0, 0, 0, 0, 0, 0],
              learned: [0, 0],
              windows: [],
              contexts: new Array(length).fill(0),
            },
          ],
        },
      ],
    });
    expect(() => mergeBanditStates(withContexts(2), withContexts(6))).toThrow('contexts of creative');
  });
});

describe('a state from outside', () => {
  it('of another version is refused', () => {
    const state = { ...randomState(2), version: 2 };
    expect(() => readBanditState(state, 'bandit.json')).toThrow('bandit.json: a bandit of version 2, where 1 is read');
    expect(() => readBanditState({ ...state, version: '1' })).toThrow('a bandit of version "1", where 1 is read');
    expect(() => createBandit(armsOf(3), settings, state)).toThrow(UserError);
    expect(() => mergeBanditStates(randomState(3), state)).toThrow(UserError);
  });

  it.each([null, 7, 'state', [], {}])('is refused where it is %j', (json) => {
    expect(() => readBanditState(json)).toThrow('expected a saved bandit with its version');
  });

  it('that is damaged anywhere is refused or read as it stands, never half of it', () => {
    const state = structuredClone(randomState(11));
    Object.assign(state.ads[0].creatives[0], { contexts: new Array(8).fill(1) });
    fc.assert(
      fc.property(fc.nat(), fc.constantFrom(null, -1, Number.NaN, 'x', [], {}, 0.5), (place, value) => {
        const copy = JSON.parse(JSON.stringify(state));
        const [parent, key] = placesOf(copy)[place % placesOf(copy).length];
        parent[key] = value;
        try {
          const { ads } = readBanditState(copy);
          // What is read makes a bandit that chooses.
          const bandit = createBandit(armsOf(3, 1, 5), settings, copy);
          expect(bandit.save().ads.length).toBeLessThanOrEqual(ads.length);
          expect(chosenShares(bandit, 0).propensities.every((share) => share > 0)).toBe(true);
        } catch (error) {
          if (!(error instanceof UserError)) throw error;
        }
      }),
      { numRuns: 300 },
    );
  });

  it('names where it is damaged', () => {
    const state = JSON.parse(JSON.stringify(randomState(11)));
    const [{ ad, creatives }] = state.ads;
    const wrong = (change: (creative: Record<string, unknown>) => void) => {
      const copy = structuredClone(state);
      change(copy.ads[0].creatives[0]);
      return () => readBanditState(copy);
    };
    const where = `damaged at creative '${creatives[0].creative}' of ad '${ad}'`;
    const [impressions] = creatives[0].totals;
    expect(wrong((creative) => Object.assign(creative, { learned: [1] }))).toThrow(where);
    expect(wrong((creative) => Object.assign(creative, { contexts: null }))).toThrow(where);
    const tooMany = [impressions, impressions + 1, 0, 0, 0, 0, 0];
    expect(wrong((creative) => Object.assign(creative, { totals: tooMany }))).toThrow(where);
    expect(wrong((creative) => Object.assign(creative, { windows: [[state.window + 1, 1, 0]] }))).toThrow(where);
    expect(() => readBanditState({ ...state, ads: [state.ads[0], state.ads[0]] })).toThrow('damaged at ads');
    const { readAds } = readStateHead(state);
    expect(readAds([state.ads[0]])).toEqual([state.ads[0]]);
    expect(() => readAds([state.ads[0]])).toThrow('damaged at ads');
  });

  const good = [100, 10, 5000, 9000, 20, -55.5, 40];
  it.each<[string, readonly number[], object?]>([
    ['half an impression', [100.5, ...good.slice(1)]],
    ['half a click', [100, 9.5, ...good.slice(2)]],
    ['half a view', [100, 10, 5000, 9000, 19.5, -55.5, 40]],
    ['more logits than impressions', [...good.slice(0, 6), 101]],
    ['more views than impressions', [100, 10, 5000, 9000, 101, -55.5, 40]],
    ['view time of no views', [100, 10, 5000, 9000, 0, -55.5, 40]],
    ['more learned exposures than impressions', good, { learned: [101, 10] }],
    ['more learned clicks than clicks', good, { learned: [90, 11] }],
    ['half a click in a window', good, { windows: [[5, 3, 0.5]] }],
  ])('is refused where it has %s', (_, totals, more = {}) => {
    const stateOf = (creative: object) => ({
      ...{ version: 1, windowMs: 1000, window: 7, lambda: 0, lambdaWindow: 6, viewTimes: [] },
      ads: [
        { ad: 'a', since: 0, creatives: [{ creative: 'a0', totals, learned: [90, 10], windows: [], ...creative }] },
      ],
    });
    expect(() => readBanditState(stateOf({ totals: good }))).not.toThrow();
    expect(() => readBanditState(stateOf(more))).toThrow("damaged at creative 'a0' of ad 'a'");
  });

  it('is refused where λ is beyond any bound, and its λ kept to the settings’ own', () => {
    const state = { ...randomState(2), lambda: 1e9 };
    expect(() => readBanditState(state)).toThrow('damaged at lambda');
    const bandit = createBandit(armsOf(3), settings, { ...state, lambda: 1000 });
    expect(bandit.stats().lambda).toBe(settings.qoeMost);
    expect(bandit.save().lambda).toBe(settings.qoeMost);
  });
});

/** Every place of a JSON value. */
function placesOf(json: object): [parent: Record<string, unknown>, key: string][] {
  return Object.entries(json).flatMap(([key, value]) => [
    [json as Record<string, unknown>, key],
    ...(typeof value === 'object' && value !== null ? placesOf(value) : []),
  ]);
}
