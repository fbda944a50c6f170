import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import { createDrift } from './drift.ts';
import { createAds } from './inventory.ts';
import { type DriftEffects, marketPresets } from './presets.ts';
import { unitVectors } from './sampling.ts';

const HOUR_MS = 3_600_000;
const preset = { ...marketPresets.get('drift')!, userCount: 400, adCount: 30, advertiserCount: 12 };
const topicCount = preset.categoryCount * preset.topicsPerCategory;
const random = createRandom(8);
const ads = createAds(preset, unitVectors(topicCount, preset.latentSize, random), random.fork('ads'));
const start = preset.startMs;

const driftOf = (effects: Partial<DriftEffects>) =>
  createDrift(preset, { ...preset.drift!, ...effects }, ads, createRandom(3));
const calm = { mood: { deviation: 0, halfLifeMs: HOUR_MS }, trend: { deviation: 0, halfLifeMs: HOUR_MS } };

describe('moods', () => {
  const { deviation, halfLifeMs } = preset.drift!.mood;
  const pairs = Array.from({ length: preset.userCount * topicCount }, (_, i) => i);

  function moodsAt(timesMs: readonly number[]): number[][] {
    const drift = driftOf({});
    return timesMs.map((timeMs) =>
      pairs.map((i) => {
        const user = Math.floor(i / topicCount);
        if (i % topicCount === 0) drift.enter(user, timeMs);
        return drift.mood(user, i % topicCount);
      }),
    );
  }
  const product = (a: number[], b: number[]) => a.reduce((sum, x, i) => sum + x * b[i], 0) / a.length;

  it('keep their deviation, and half of themselves after a half-life, however often they are asked', () => {
    const [first, , later] = moodsAt([start, start + 0.3 * halfLifeMs, start + halfLifeMs]);
    // 4800 draws: five standard errors of a variance are a tenth of it.
    expect(Math.abs(product(first, first) / deviation ** 2 - 1)).toBeLessThan(0.1);
    expect(Math.abs(product(later, later) / deviation ** 2 - 1)).toBeLessThan(0.1);
    expect(Math.abs(product(first, later) / deviation ** 2 - 0.5)).toBeLessThan(0.1);
  });

  it('do not change while no time passes', () => {
    const [first, second] = moodsAt([start + HOUR_MS, start + HOUR_MS]);
    expect(second).toEqual(first);
  });

  it('are a user’s own, where trends are everybody’s', () => {
    const drift = driftOf({ wear: 0, fade: 0, mood: calm.mood });
    drift.enter(0, start + HOUR_MS);
    const [one, other] = [drift.clickLogit(0, 5), drift.clickLogit(1, 5)];
    expect(one).toBe(other);
    expect(one).not.toBe(0);
    const [a, b] = [driftOf({}), driftOf({})].map((of, user) => {
      of.enter(user, start);
      return of.mood(user, 0);
    });
    expect(a).not.toBe(b);
  });
});

describe('an ad', () => {
  it('wears out for who saw it, and half of that is over after its half-life', () => {
    const drift = driftOf({ ...calm, wear: 0.5, wearHalfLifeMs: HOUR_MS, fade: 0 });
    drift.enter(1, start);
    for (let i = 0; i < 3; i++) drift.shown(1, 4);
    expect(drift.clickLogit(1, 4)).toBeCloseTo(-0.5 * Math.log(4), 12);
    expect(drift.clickLogit(2, 4)).toBeCloseTo(0, 12);
    expect(drift.clickLogit(1, 5)).toBeCloseTo(0, 12);
    drift.enter(1, start + HOUR_MS);
    expect(drift.clickLogit(1, 4)).toBeCloseTo(-0.5 * Math.log(2.5), 12);
    drift.shown(1, 4);
    expect(drift.clickLogit(1, 4)).toBeCloseTo(-0.5 * Math.log(3.5), 12);
  });

  it('fades for everybody with its impressions for every hundred users', () => {
    const drift = driftOf({ ...calm, wear: 0, fade: 0.2 });
    drift.enter(1, start);
    for (let user = 0; user < 40; user++) drift.shown(user, 4);
    // 40 impressions to 400 users are 10 for every hundred.
    expect(drift.clickLogit(300, 4)).toBeCloseTo(-0.2 * Math.log(11), 12);
    drift.enter(300, start + 100 * HOUR_MS);
    expect(drift.clickLogit(300, 4)).toBeCloseTo(-0.2 * Math.log(11), 12);
  });
});
