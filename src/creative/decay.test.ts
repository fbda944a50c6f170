import { describe, expect, it } from 'vitest';
import { createRandom, type Random } from '../core/random.ts';
import { decayWarnings } from './decay.ts';
import { type CreativeWindows, cusumOfFall, dispersionOf, windowsByCreative, windowVariance } from './decayWindows.ts';

const DAY_MS = 86_400_000;
const DAYS = 30;
const CTR = 0.05;

/** Poisson, by arrivals; nearly so, by a normal, of many. */
function poisson(mean: number, random: Random): number {
  if (mean > 500) return Math.max(0, Math.round(mean + Math.sqrt(mean) * random.normal()));
  let count = -1;
  for (let time = 0; time < mean; count++) time -= Math.log(1 - random.next());
  return Math.max(0, count);
}

interface Drawn {
  readonly creatives: number;
  readonly clicksPerDay: number;
  /** The CTR of a day, as a share of the first one's. */
  readonly course: (day: number) => number;
  /** Standard deviation of what days do to the logarithm of the CTR, of themselves. */
  readonly noise?: number;
}

/** A month of creatives, traffic up and down by half. */
function drawWindows({ creatives, clicksPerDay, course, noise = 0 }: Drawn, seed = 1): CreativeWindows {
  const random = createRandom(seed);
  const rows = Array.from({ length: creatives * DAYS }, (_, row) => row % DAYS);
  const exposures = Float64Array.from(rows, () => (clicksPerDay / CTR) * (0.5 + random.next()));
  return {
    creatives: Int32Array.from(rows, (_, row) => Math.floor(row / DAYS)),
    startMs: Float64Array.from(rows, (day) => day * DAY_MS),
    exposures,
    clicks: Float64Array.from(rows, (day, row) =>
      poisson(exposures[row] * CTR * course(day) * Math.exp(noise * random.normal()), random),
    ),
  };
}

const warned = (drawn: Drawn) => decayWarnings(drawWindows(drawn)).length / drawn.creatives;
const fallOn20 = (day: number) => (day < 20 ? 1 : 0.6);

describe('decay warnings', () => {
  it('come for hardly any creative that stays as it is, and for under 5 % of those that are at 80 %', () => {
    for (const clicksPerDay of [5, 50, 500]) {
      expect(warned({ creatives: 600, clicksPerDay, course: () => 1 })).toBeLessThan(0.002);
      // The worst case that is no decay: all days before tie for the peak.
      expect(warned({ creatives: 600, clicksPerDay, course: (day) => (day < 24 ? 1 : 0.8) })).toBeLessThan(0.05);
    }
  });

  it('come as rarely where days differ of themselves, by 15 %', () => {
    const noise = 0.15;
    expect(warned({ creatives: 600, clicksPerDay: 500, course: () => 1, noise })).toBeLessThan(0.005);
    const at80 = (day: number) => (day < 24 ? 1 : 0.8);
    expect(warned({ creatives: 600, clicksPerDay: 500, course: at80, noise })).toBeLessThan(0.05);
  });

  it('come as rarely for large creatives among many small ones', () => {
    const warnedOfLarge = (course: (day: number) => number) => {
      const large = drawWindows({ creatives: 200, clicksPerDay: 5000, course, noise: 0.15 });
      const small = drawWindows({ creatives: 800, clicksPerDay: 20, course, noise: 0.15 }, 2);
      const both = (column: 'startMs' | 'exposures' | 'clicks') => Float64Array.of(...large[column], ...small[column]);
      const warnings = decayWarnings({
        creatives: Int32Array.of(...large.creatives, ...small.creatives.map((creative) => 200 + creative)),
        startMs: both('startMs'),
        exposures: both('exposures'),
        clicks: both('clicks'),
      });
      return warnings.filter(({ creative }) => creative < 200).length / 200;
    };
    expect(warnedOfLarge(() => 1)).toBeLessThan(0.005);
    expect(warnedOfLarge((day) => (day < 24 ? 1 : 0.8))).toBeLessThan(0.05);
    expect(warnedOfLarge(fallOn20)).toBeGreaterThan(0.3);
  });

  it('take creatives of very many windows', () => {
    const count = 6000;
    const windows = {
      creatives: new Int32Array(count),
      startMs: Float64Array.from({ length: count }, (_, hour) => (hour * DAY_MS) / 24),
      exposures: new Float64Array(count).fill(1000),
      clicks: Float64Array.from({ length: count }, (_, hour) => (hour < 5000 ? 50 : 20)),
    };
    const [{ ratio }] = decayWarnings(windows);
    expect(ratio.low).toBeLessThan(0.4);
    expect(ratio.high).toBeGreaterThan(0.4);
  });

  it('find a fall by 40 % after ten days: a third with 20 clicks a day, 95 % with 100', () => {
    expect(warned({ creatives: 300, clicksPerDay: 20, course: fallOn20 })).toBeGreaterThan(0.25);
    expect(warned({ creatives: 300, clicksPerDay: 100, course: fallOn20 })).toBeGreaterThan(0.95);
    // From the first day's 1 to 0.6, slowly.
    const slow = (day: number) => 0.6 ** (Math.log1p(day) / Math.log(DAYS));
    expect(warned({ creatives: 100, clicksPerDay: 500, course: slow })).toBeGreaterThan(0.9);
  });

  it('say how much is left of which peak, since when', () => {
    const warnings = decayWarnings(drawWindows({ creatives: 200, clicksPerDay: 200, course: fallOn20 }));
    expect(warnings.length).toBeGreaterThan(190);
    const share = (holds: (warning: (typeof warnings)[number]) => boolean) =>
      warnings.filter(holds).length / warnings.length;
    // Not the highest of many: within 5 % of the truth, both ways.
    const peaks = warnings.reduce((sum, { peak }) => sum + peak.rate, 0) / warnings.length;
    expect(Math.abs(peaks / CTR - 1)).toBeLessThan(0.05);
    expect(share(({ ratio }) => ratio.low < 0.6 && ratio.high > 0.6)).toBeGreaterThan(0.9);
    for (const { ratio, confidence, effects, cause, windows, creative } of warnings) {
      expect(ratio.low <= ratio.value && ratio.value <= ratio.high && ratio.high <= 0.8).toBe(true);
      expect(confidence).toBeGreaterThanOrEqual(0.95);
      expect(effects.frequency).toBeUndefined();
      expect(cause).not.toBe('frequency');
      expect(windows.cusum).toHaveLength(DAYS);
      expect(creative).toBeLessThan(200);
    }
    expect(share(({ sinceMs }) => Math.abs(sinceMs / DAY_MS - 20) <= 2)).toBeGreaterThan(0.9);
    expect(share(({ current }) => current.toMs === 29 * DAY_MS && current.fromMs >= 20 * DAY_MS)).toBeGreaterThan(0.9);
  });

  it('name the cause: the same viewers again and again from day 15 on, or age', () => {
    const seenBefore = (day: number) => Math.max(0, day - 15) / 2;
    const causes = (course: (day: number) => number) => {
      const given = drawWindows({ creatives: 100, clicksPerDay: 400, course });
      const frequency = given.startMs.map((start) => seenBefore(start / DAY_MS));
      const warnings = decayWarnings({ ...given, frequency });
      expect(warnings.length).toBeGreaterThan(90);
      const share = (cause: string) => warnings.filter((warning) => warning.cause === cause).length / warnings.length;
      return { frequency: share('frequency'), age: share('age') };
    };
    expect(causes((day) => (1 + seenBefore(day)) ** -0.4).frequency).toBeGreaterThan(0.95);
    expect(causes((day) => (1 + day) ** -0.3).age).toBeGreaterThan(0.95);
  });

  it('know no effect of frequency of creatives whose frequency is not always known', () => {
    const given = drawWindows({ creatives: 2, clicksPerDay: 400, course: fallOn20 });
    const frequency = given.startMs.map((start, row) => (row === 40 ? Number.NaN : start / DAY_MS));
    const [known, unknown] = decayWarnings({ ...given, frequency });
    expect(known.effects.frequency).toBeDefined();
    expect(unknown.effects.frequency).toBeUndefined();
    expect(unknown).toEqual(decayWarnings(given)[1]);
  });

  it('stop for a creative that has recovered', () => {
    const dip = (day: number) => (day >= 14 && day < 20 ? 0.5 : 1);
    expect(warned({ creatives: 200, clicksPerDay: 500, course: dip })).toBeLessThan(0.01);
  });

  it('do not depend on the order of rows, nor on windows without exposures', () => {
    const given = drawWindows({ creatives: 20, clicksPerDay: 60, course: fallOn20 });
    const order = Array.from(given.creatives.keys()).sort((a, b) => ((a * 7919) % 601) - ((b * 7919) % 601));
    const take = (column: Float64Array) => Float64Array.from([...order.map((row) => column[row]), 0]);
    const shuffled = {
      creatives: Int32Array.from([...order.map((row) => given.creatives[row]), 5]),
      startMs: take(given.startMs),
      exposures: take(given.exposures),
      clicks: take(given.clicks),
    };
    const warnings = decayWarnings(given);
    expect(warnings.length).toBeGreaterThan(5);
    expect(decayWarnings(shuffled)).toEqual(warnings);
  });

  it('have an interval down to 0 where nobody clicks any more', () => {
    const [{ ratio, current }] = decayWarnings(
      drawWindows({ creatives: 1, clicksPerDay: 100, course: (day) => (day < 20 ? 1 : 0) }),
    );
    expect(current.rate).toBe(0);
    expect(ratio.low).toBeLessThan(1e-6);
    expect(ratio.value).toBeLessThan(1e-6);
    expect(ratio.high).toBeLessThan(0.1);
  });

  it('need as many windows as a peak and a present have', () => {
    const short = (days: number) => ({
      creatives: new Int32Array(days),
      startMs: Float64Array.from({ length: days }, (_, day) => day * DAY_MS),
      exposures: new Float64Array(days).fill(100_000),
      clicks: Float64Array.from({ length: days }, (_, day) => (day < days / 2 ? 5000 : 2000)),
    });
    expect(decayWarnings(short(5))).toEqual([]);
    expect(decayWarnings(short(6))).toHaveLength(1);
    expect(decayWarnings(short(2), { runWindows: 1 })).toHaveLength(1);
    expect(decayWarnings(short(0))).toEqual([]);
  });

  it('refuse windows and settings that cannot be', () => {
    const given = drawWindows({ creatives: 1, clicksPerDay: 50, course: () => 1 });
    const refuses = (change: Partial<CreativeWindows>, message: RegExp) =>
      expect(() => decayWarnings({ ...given, ...change })).toThrow(message);
    refuses({ clicks: given.clicks.map((value, row) => (row === 3 ? -1 : value)) }, /row 3 has -1 clicks/);
    refuses(
      { exposures: given.exposures.map((value, row) => (row === 3 ? 0 : value)) },
      /row 3 has \d+ clicks of 0 exp/,
    );
    refuses({ exposures: given.exposures.map(() => Number.NaN) }, /row 0 has \d+ clicks of NaN exposures/);
    refuses({ startMs: given.startMs.map(() => Number.NaN) }, /row 0 starts at NaN; expected a time/);
    refuses({ startMs: given.startMs.map(() => 7) }, /rows 0 and 1 both have creative 0 from 7; add them up/);
    refuses({ frequency: given.clicks.map(() => -0.5) }, /row 0 has a frequency of -0.5; expected 0 or more/);
    refuses({ clicks: new Float64Array(3) }, /columns have 30, 30, 30, 3, 3 rows/);
    expect(() => decayWarnings(given, { share: 1 })).toThrow('decay: share is 1; expected above 0 and below 1');
    expect(() => decayWarnings(given, { confidence: 0.5 })).toThrow(/confidence is 0.5; expected above 0.5/);
    expect(() => decayWarnings(given, { runWindows: 1.5 })).toThrow(/runWindows is 1.5; expected a whole number/);
  });
});

describe('windowVariance', () => {
  const variance = (...drawn: Drawn[]) =>
    windowVariance(drawn.flatMap((one) => [...windowsByCreative(drawWindows(one)).values()]));
  const constant = { creatives: 100, course: () => 1 };

  it('is near 0 of Poisson counts, also where the rate falls', () => {
    expect(variance({ ...constant, clicksPerDay: 100 })).toBeLessThan(0.001);
    expect(variance({ ...constant, clicksPerDay: 100, course: fallOn20 })).toBeLessThan(0.001);
  });

  it('is what days do, whatever the size of creatives', () => {
    const large = { ...constant, clicksPerDay: 5000, noise: 0.15 };
    const small = { ...constant, creatives: 400, clicksPerDay: 20, noise: 0.15 };
    for (const drawn of [[large], [large, small], [{ ...small, creatives: 1200 }]])
      expect(Math.abs(variance(...drawn) / 0.15 ** 2 - 1)).toBeLessThan(0.15);
  });

  it('is 0 where there are too few clicks to tell', () => {
    expect(variance({ ...constant, clicksPerDay: 2 })).toBe(0);
  });
});

describe('dispersionOf', () => {
  it('is the ratio of the clicks’ variance to Poisson’s', () => {
    const windows = (clicks: number[]) => ({
      startMs: Float64Array.from(clicks, (_, day) => day * DAY_MS),
      exposures: Float64Array.from(clicks, () => 1000),
      clicks: Float64Array.from(clicks),
    });
    expect(dispersionOf(windows([100, 300]), 0.01)).toBe(1 + (100 * 1 + 300 * 3) / 400);
    expect(dispersionOf(windows([100, 300]), 0)).toBe(1);
    expect(dispersionOf(windows([0, 0]), 0.01)).toBe(1);
  });
});

describe('cusumOfFall', () => {
  it('is 0 while the rate holds, and rises when it has fallen', () => {
    const windows = {
      startMs: Float64Array.of(0, 1, 2, 3, 4),
      exposures: new Float64Array(5).fill(1000),
      clicks: Float64Array.of(50, 55, 30, 30, 60),
    };
    const sums = cusumOfFall(windows, 0.05, 0.8);
    const rise = 30 * Math.log(0.8) + 1000 * 0.05 * 0.2;
    expect([...sums].map((value) => value.toFixed(6))).toEqual(
      [0, 0, rise, 2 * rise, Math.max(0, 2 * rise + 60 * Math.log(0.8) + 10)].map((value) => value.toFixed(6)),
    );
  });
});
