import { describe, expect, it } from 'vitest';
import { sigmoid } from '../core/numerics.ts';
import { createRandom } from '../core/random.ts';
import { auc, gauc } from './auc.ts';
import { pairedBootstrap } from './bootstrap.ts';
import { logLoss } from './metrics.ts';

/** Clicks of users with tastes; model A sees the true logit, model B the same through some noise. */
function twoModels(rows: number, users: number, noise: number, seed: number) {
  const random = createRandom(seed);
  const groups = Int32Array.from({ length: rows }, () => random.below(users));
  const taste = Float64Array.from({ length: users }, () => random.normal());
  const labels = new Uint8Array(rows);
  const a = new Float32Array(rows);
  const b = new Float32Array(rows);
  for (let i = 0; i < rows; i++) {
    const z = taste[groups[i]] + random.normal();
    labels[i] = random.next() < sigmoid(z) ? 1 : 0;
    a[i] = sigmoid(z);
    b[i] = sigmoid(z + noise * random.normal());
  }
  return { groups, labels, a, b };
}

describe('pairedBootstrap', () => {
  it('tells the better model, by every metric, with the metrics of the whole data', () => {
    const data = twoModels(4000, 300, 1, 1);
    const { groups, labels, a, b } = data;
    for (const metric of ['auc', 'gauc', 'logLoss'] as const) {
      const result = pairedBootstrap({ ...data, metric, random: createRandom(2) });
      const of = (p: Float32Array) =>
        ({ auc: auc(p, labels), gauc: gauc(p, labels, groups).gauc, logLoss: logLoss(p, labels) })[metric]!;
      expect(result.metricA).toBeCloseTo(of(a), 12);
      expect(result.metricB).toBeCloseTo(of(b), 12);
      expect(result.difference).toBeCloseTo(of(a) - of(b), 12);
      expect(result.pBetter).toBe(1);
      expect(Math.sign(result.low!)).toBe(metric === 'logLoss' ? -1 : 1);
      expect(Math.sign(result.high!)).toBe(Math.sign(result.low!));
      expect(result.low).toBeLessThan(result.difference!);
      expect(result.high).toBeGreaterThan(result.difference!);
    }
  });

  it('finds no difference between a model and itself', () => {
    const { groups, labels, a } = twoModels(500, 40, 1, 3);
    const result = pairedBootstrap({ groups, labels, a, b: a, metric: 'auc', random: createRandom(1), resamples: 20 });
    expect(result).toMatchObject({ difference: 0, low: 0, high: 0, pBetter: 0.5 });
  });

  it('draws whole users: rows of one user copied ten times add no certainty', () => {
    const { groups, labels, a, b } = twoModels(400, 200, 1, 4);
    const tenTimes = <T>(column: ArrayLike<T>): T[] => Array.from({ length: 10 }, () => Array.from(column)).flat();
    const once = pairedBootstrap({ groups, labels, a, b, metric: 'auc', random: createRandom(9) });
    const often = pairedBootstrap({
      groups: Int32Array.from(tenTimes(groups)),
      labels: Uint8Array.from(tenTimes(labels)),
      a: Float32Array.from(tenTimes(a)),
      b: Float32Array.from(tenTimes(b)),
      metric: 'auc',
      random: createRandom(9),
    });
    expect(often.low).toBeCloseTo(once.low!, 12);
    expect(often.high).toBeCloseTo(once.high!, 12);
  });

  it('covers the true difference about 95 times in 100', () => {
    // The same model with independent noise of one size on both sides: the true difference is 0.
    let covered = 0;
    for (let seed = 0; seed < 60; seed++) {
      const data = twoModels(600, 600, 0.7, 100 + seed);
      const random = createRandom(5000 + seed);
      const a = data.a.map((p) => sigmoid(Math.log(p / (1 - p)) + 0.7 * random.normal()));
      const result = pairedBootstrap({ ...data, a, metric: 'auc', random, resamples: 100 });
      if (result.low! <= 0 && result.high! >= 0) covered++;
    }
    expect(covered).toBeGreaterThanOrEqual(51);
    expect(covered).toBeLessThan(60);
  });

  it('takes rows in no group as groups of their own, and says null where there is one class', () => {
    const { labels, a, b } = twoModels(100, 5, 1, 6);
    const alone = pairedBootstrap({
      groups: new Int32Array(100).fill(-1),
      labels,
      a,
      b,
      metric: 'auc',
      random: createRandom(1),
    });
    const numbered = pairedBootstrap({
      groups: Int32Array.from({ length: 100 }, (_, i) => i),
      labels,
      a,
      b,
      metric: 'auc',
      random: createRandom(1),
    });
    expect(alone).toEqual(numbered);
    const none = pairedBootstrap({
      groups: new Int32Array(100),
      labels: new Uint8Array(100),
      a,
      b,
      metric: 'auc',
      random: createRandom(1),
    });
    expect(none).toEqual({ metricA: null, metricB: null, difference: null, low: null, high: null, pBetter: null });
  });
});
