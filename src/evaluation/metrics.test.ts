import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bucketOf } from '../core/hash.ts';
import { createRandom, shuffle } from '../core/random.ts';
import { auc, gauc } from './auc.ts';
import { denseGroups, groupCount, halfOf } from './groups.ts';
import { evaluateTask, logLoss, normalizedEntropy, pcoc } from './metrics.ts';
import { ascendingOrder } from './order.ts';
import { ece, reliabilityBins, wilsonInterval } from './reliability.ts';

const golden = JSON.parse(readFileSync(new URL('./golden/metrics.json', import.meta.url), 'utf8'));
const score = Float64Array.from(golden.score);
const label = Uint8Array.from(golden.label);
const group = Int32Array.from(golden.group);
const weight = Float64Array.from(golden.weight);

/** Rows with scores on a coarse grid, so that ties are common. */
const someRows = fc
  .array(
    fc.record({
      s: fc.integer({ min: 0, max: 8 }),
      y: fc.integer({ min: 0, max: 1 }),
      g: fc.integer({ min: -1, max: 3 }),
    }),
    {
      maxLength: 40,
    },
  )
  .map((rows) => ({
    scores: Float64Array.from(rows, (row) => row.s / 8),
    labels: Uint8Array.from(rows, (row) => row.y),
    groups: Int32Array.from(rows, (row) => row.g),
  }));

describe('evaluateTask', () => {
  it('agrees with an independent NumPy program', () => {
    const metrics = evaluateTask({ probabilities: score, labels: label, groups: group });
    for (const [name, value] of Object.entries(golden.unweighted)) {
      expect(metrics[name as keyof typeof metrics], name).toBeCloseTo(value as number, 12);
    }
    expect(Object.keys(metrics).sort()).toEqual(Object.keys(golden.unweighted).sort());
  });

  it('agrees with it on weighted rows too', () => {
    const metrics = evaluateTask({ probabilities: score, labels: label, groups: group, weights: weight });
    for (const [name, value] of Object.entries(golden.weighted)) {
      expect(metrics[name as keyof typeof metrics], name).toBeCloseTo(value as number, 11);
    }
  });

  it('says null, not NaN, where a metric has no meaning', () => {
    const labels = new Uint8Array(4);
    const metrics = evaluateTask({ probabilities: new Float32Array(4).fill(0.5), labels, groups: new Int32Array(4) });
    expect(metrics).toMatchObject({ auc: null, gauc: null, gaucCoverage: 0, normalizedEntropy: null, pcoc: null });
    const none = evaluateTask({ probabilities: new Float32Array(0), labels: new Uint8Array(0) });
    expect(JSON.parse(JSON.stringify(none))).toEqual(none);
    expect(none).toMatchObject({ rows: 0, logLoss: null, constantLogLoss: null, ece: null, gaucCoverage: null });
  });

  it('stays finite where a sure prediction was wrong', () => {
    const metrics = evaluateTask({ probabilities: Float32Array.of(0, 1), labels: Uint8Array.of(1, 0) });
    // 1 − (1 − 1e-15) is not exactly 1e-15 in float64.
    expect(metrics.logLoss).toBeCloseTo(-Math.log(1e-15), 1);
  });

  it('names the row of a prediction, label or weight it cannot use', () => {
    const labels = Uint8Array.of(0, 1);
    expect(() => evaluateTask({ probabilities: Float32Array.of(0.5, Number.NaN), labels })).toThrow(/row 1 .* NaN/);
    expect(() => evaluateTask({ probabilities: Float32Array.of(1.5, 0), labels })).toThrow(/row 0 .* 1.5/);
    expect(() => evaluateTask({ probabilities: Float32Array.of(0, 0), labels: Uint8Array.of(0, 2) })).toThrow(
      /label 2/,
    );
    const weights = Float32Array.of(1, -1);
    expect(() => evaluateTask({ probabilities: Float32Array.of(0, 0), labels, weights })).toThrow(/weight -1/);
  });

  it('does not depend on the order of the rows', () => {
    fc.assert(
      fc.property(someRows, fc.integer(), ({ scores, labels, groups }, seed) => {
        const order = Int32Array.from(scores, (_, i) => i);
        shuffle(order, createRandom(seed));
        const before = evaluateTask({ probabilities: scores, labels, groups });
        const after = evaluateTask({
          probabilities: Float64Array.from(order, (i) => scores[i]),
          labels: Uint8Array.from(order, (i) => labels[i]),
          groups: Int32Array.from(order, (i) => groups[i]),
        });
        for (const name of Object.keys(before) as (keyof typeof before)[]) {
          if (before[name] === null) expect(after[name]).toBeNull();
          else expect(after[name]).toBeCloseTo(before[name], 12);
        }
      }),
    );
  });
});

describe('auc', () => {
  it('is the share of pairs in the right order, ties counting half, exactly', () => {
    fc.assert(
      fc.property(someRows, ({ scores, labels }) => {
        let wins = 0;
        let pairs = 0;
        for (let i = 0; i < scores.length; i++) {
          for (let j = 0; j < scores.length; j++) {
            if (labels[i] !== 1 || labels[j] !== 0) continue;
            pairs++;
            wins += scores[i] > scores[j] ? 1 : scores[i] === scores[j] ? 0.5 : 0;
          }
        }
        expect(auc(scores, labels)).toBe(pairs > 0 ? wins / pairs : null);
      }),
    );
  });

  it('is unchanged by a strictly increasing transform, and mirrored by a decreasing one', () => {
    fc.assert(
      fc.property(someRows, ({ scores, labels }) => {
        const before = auc(scores, labels);
        expect(
          auc(
            scores.map((s) => Math.expm1(3 * s) - 7),
            labels,
          ),
        ).toBe(before);
        const mirrored = auc(
          scores.map((s) => -s),
          labels,
        );
        if (before === null) expect(mirrored).toBeNull();
        else expect(mirrored).toBeCloseTo(1 - before, 12);
      }),
    );
  });

  it('takes a row of weight 2 as two rows, and one of weight 0 as none', () => {
    const weights = Float64Array.of(2, 1, 0, 1);
    const weighted = auc(Float64Array.of(0.6, 0.5, 0.9, 0.7), Uint8Array.of(1, 0, 0, 0), weights);
    expect(weighted).toBe(auc(Float64Array.of(0.6, 0.6, 0.5, 0.7), Uint8Array.of(1, 1, 0, 0)));
    expect(auc(Float64Array.of(0.1, 0.2), Uint8Array.of(1, 0), Float64Array.of(0, 1))).toBeNull();
  });

  it('refuses a NaN score', () => {
    expect(() => auc(Float64Array.of(0.1, Number.NaN), Uint8Array.of(0, 1))).toThrow(/row 1 has the score NaN/);
  });
});

describe('gauc', () => {
  it('leaves out groups with one class and rows in no group, and says how much is left', () => {
    const scores = Float64Array.of(0.1, 0.9, 0.9, 0.1, 0.5, 0.5, 0.7, 0.3);
    const labels = Uint8Array.of(0, 1, 0, 1, 1, 1, 1, 0);
    const groups = Int32Array.of(0, 0, 1, 1, 2, 2, -1, -1);
    expect(gauc(scores, labels, groups)).toEqual({ gauc: 0.5, coverage: 0.5 });
  });

  it('is the AUC where there is one group', () => {
    fc.assert(
      fc.property(someRows, ({ scores, labels }) => {
        const whole = auc(scores, labels);
        const grouped = gauc(scores, labels, new Int32Array(scores.length)).gauc;
        if (whole === null) expect(grouped).toBeNull();
        else expect(grouped).toBeCloseTo(whole, 12);
      }),
    );
  });
});

describe('ascendingOrder', () => {
  it('sorts many rows as a stable comparison sort does, negative numbers, zeros and infinities included', () => {
    const random = createRandom(3);
    for (const rows of [2047, 2048, 5000]) {
      const scores = Float64Array.from({ length: rows }, () => {
        const kind = random.below(6);
        if (kind === 0) return random.below(5) - 2;
        if (kind === 1) return -0;
        if (kind === 2) return random.next() < 0.5 ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
        return random.normal() * 10 ** (random.below(40) - 20);
      });
      for (const column of [scores, Float32Array.from(scores)]) {
        const expected = [...column.keys()].sort((i, j) =>
          column[i] < column[j] ? -1 : column[i] > column[j] ? 1 : i - j,
        );
        expect([...ascendingOrder(column)]).toEqual(expected);
      }
    }
  });
});

describe('reliability bins', () => {
  it('agree with the NumPy program, weighted or not', () => {
    for (const [name, weights] of [
      ['bins7', undefined],
      ['bins7weighted', weight],
    ] as const) {
      const bins = reliabilityBins(score, label, 7, weights);
      const flat = bins.flatMap((bin) => [bin.rows, bin.weight, bin.predicted, bin.observed]);
      const expected: number[] = golden[name].flat();
      expect(flat.length).toBe(expected.length);
      for (let i = 0; i < flat.length; i++) expect(flat[i]).toBeCloseTo(expected[i], 11);
    }
  });

  it('never cut equal predictions apart, and hold every row once, within each interval', () => {
    fc.assert(
      fc.property(someRows, fc.integer({ min: 1, max: 12 }), ({ scores, labels }, most) => {
        const bins = reliabilityBins(scores, labels, most);
        expect(bins.length).toBeLessThanOrEqual(most);
        expect(bins.reduce((sum, bin) => sum + bin.rows, 0)).toBe(scores.length);
        for (let i = 0; i < bins.length; i++) {
          expect(bins[i].low).toBeLessThanOrEqual(bins[i].observed + 1e-12);
          expect(bins[i].high).toBeGreaterThanOrEqual(bins[i].observed - 1e-12);
          if (i > 0) expect(bins[i].predicted).toBeGreaterThan(bins[i - 1].predicted);
        }
      }),
    );
  });

  it('are of equal size where nothing ties', () => {
    const p = Float64Array.from({ length: 100 }, (_, i) => (i + 1) / 101);
    expect(reliabilityBins(p, new Uint8Array(100), 20).map((bin) => bin.rows)).toEqual(new Array(20).fill(5));
  });

  it('give a constant predictor one bin and the ECE of its bias', () => {
    expect(
      ece(
        new Float64Array(10).fill(0.3),
        Uint8Array.from({ length: 10 }, (_, i) => (i < 5 ? 1 : 0)),
      ),
    ).toBeCloseTo(0.2, 12);
  });

  it('have Wilson intervals as published', () => {
    // 95 % interval of 81 successes in 263 trials: Newcombe 1998, table I, method 3.
    const [low, high] = wilsonInterval(81 / 263, 263);
    expect(low).toBeCloseTo(0.2553, 4);
    expect(high).toBeCloseTo(0.3662, 4);
    expect(wilsonInterval(0, 20)[0]).toBe(0);
    expect(wilsonInterval(0, 20)[1]).toBeCloseTo(0.1611, 4);
  });
});

describe('the single metrics', () => {
  it('agree with evaluateTask', () => {
    const metrics = evaluateTask({ probabilities: score, labels: label, weights: weight });
    expect(auc(score, label, weight)).toBe(metrics.auc);
    expect(logLoss(score, label, weight)).toBe(metrics.logLoss);
    expect(normalizedEntropy(score, label, weight)).toBe(metrics.normalizedEntropy);
    expect(pcoc(score, label, weight)).toBe(metrics.pcoc);
    expect(ece(score, label, 20, weight)).toBe(metrics.ece);
  });
});

describe('groups', () => {
  it('number keys by first appearance, telling apart keys that share a half', () => {
    const lo = Int32Array.of(7, 7, 8, 7, -1, 8);
    const hi = Int32Array.of(0, 1, 0, 0, -1, 0);
    expect([...denseGroups(lo, hi)]).toEqual([0, 1, 2, 0, 3, 2]);
    expect(groupCount(denseGroups(lo, hi))).toBe(4);
    expect(denseGroups(new Int32Array(0), new Int32Array(0)).length).toBe(0);
  });

  it('agree with a Map over many keys', () => {
    const random = createRandom(1);
    const lo = Int32Array.from({ length: 20000 }, () => random.below(300) * 4096);
    const hi = Int32Array.from({ length: 20000 }, () => random.below(20));
    const seen = new Map<string, number>();
    const expected = Array.from(lo, (_, i) => {
      const key = `${lo[i]}:${hi[i]}`;
      if (!seen.has(key)) seen.set(key, seen.size);
      return seen.get(key)!;
    });
    expect([...denseGroups(lo, hi)]).toEqual(expected);
  });

  it('split users in halves of like size that say nothing about consecutive ids', () => {
    let second = 0;
    let differs = 0;
    for (let user = 0; user < 10000; user++) {
      second += halfOf(user, 0);
      if (halfOf(user, 0) !== halfOf(user + 1, 0)) differs++;
    }
    expect(Math.abs(second - 5000)).toBeLessThan(200);
    expect(Math.abs(differs - 5000)).toBeLessThan(200);
  });

  it('split the users of a hashing bucket as they split all users', () => {
    let both = 0;
    for (let user = 0; user < 10000; user++) both += halfOf(user, 0) === bucketOf(user, 0, 2) ? 1 : 0;
    expect(Math.abs(both - 5000)).toBeLessThan(200);
  });
});
