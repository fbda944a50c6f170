import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { logit, sigmoid } from '../core/numerics.ts';
import { createRandom } from '../core/random.ts';
import { auc } from './auc.ts';
import {
  type CalibrationCurve,
  calibrate,
  calibrateInto,
  downsamplingCorrection,
  isCalibrationCurve,
} from './calibration.ts';
import { fitCalibration } from './fitCalibration.ts';
import { evaluateTask } from './metrics.ts';
import { poolAdjacentViolators } from './pav.ts';

const golden = JSON.parse(readFileSync(new URL('./golden/metrics.json', import.meta.url), 'utf8'));

/** Rows whose click probability is `truth(logit of the prediction)`, in logits. */
function market(rows: number, seed: number, base: number, truth: (z: number) => number) {
  const random = createRandom(seed);
  const p = new Float32Array(rows);
  const labels = new Uint8Array(rows);
  for (let i = 0; i < rows; i++) {
    const z = base + random.normal();
    p[i] = sigmoid(z);
    labels[i] = random.next() < sigmoid(truth(z)) ? 1 : 0;
  }
  return { p, labels };
}

/** Data no model would make: predictions piled up anywhere, at 0 and 1 too, with labels that may run against them. */
const hostileData = fc
  .record({
    seed: fc.integer(),
    rows: fc.integer({ min: 40, max: 600 }),
    piles: fc.array(fc.oneof(fc.constantFrom(0, 1, 1e-12, 0.5, 1 - 1e-9), fc.double({ min: 0, max: 1, noNaN: true })), {
      minLength: 1,
      maxLength: 12,
    }),
    jitter: fc.constantFrom(0, 1e-9, 0.01, 1),
    rule: fc.constantFrom('fair', 'against', 'step', 'rare'),
    weighted: fc.boolean(),
  })
  .map(({ seed, rows, piles, jitter, rule, weighted }) => {
    const random = createRandom(seed);
    const p = new Float64Array(rows);
    const labels = new Uint8Array(rows);
    for (let i = 0; i < rows; i++) {
      p[i] = Math.min(1, Math.max(0, piles[random.below(piles.length)] + (random.next() - 0.5) * jitter));
      const chance = { fair: p[i], against: 1 - p[i], step: p[i] > 0.5 ? 1 : 0, rare: 0.05 }[rule];
      labels[i] = random.next() < chance ? 1 : 0;
    }
    const weights = weighted ? Float64Array.from(p, () => random.below(3)) : undefined;
    return { p, labels, weights };
  });

/** Sorted probabilities in (0, 1), many of them little more than 1e-6 apart, at the ends too. */
const someProbabilities = fc
  .array(
    fc.oneof(
      fc.double({ min: 1e-6, max: 1 - 1e-6, noNaN: true }),
      fc.integer({ min: 1, max: 40 }).map((k) => k * 1e-6),
    ),
    {
      minLength: 2,
      maxLength: 60,
    },
  )
  .map((list) =>
    [...list, ...list.map((p) => p + 1.1e-6), ...list.map((p) => 1 - p)]
      .filter((p) => p > 0 && p < 1)
      .sort((a, b) => a - b),
  );

describe('poolAdjacentViolators', () => {
  it('agrees with the min-max formula of isotonic regression in NumPy', () => {
    const { values, weights, fitted } = golden.pav;
    const { starts, levels } = poolAdjacentViolators(values, weights);
    for (let i = 0; i < values.length; i++) {
      const block = starts.findLastIndex((start) => start <= i);
      expect(levels[block]).toBeCloseTo(fitted[i], 12);
    }
  });
});

describe('fitCalibration', () => {
  it('is strictly increasing into (0, 1), whatever it was fitted on', () => {
    fc.assert(
      fc.property(hostileData, someProbabilities, ({ p, labels, weights }, probes) => {
        const curve = fitCalibration(p, labels, weights);
        expect(isCalibrationCurve(JSON.parse(JSON.stringify(curve)))).toBe(true);
        for (let i = 1; i < probes.length; i++) {
          const [lower, higher] = [calibrate(curve, probes[i - 1]), calibrate(curve, probes[i])];
          if (probes[i] - probes[i - 1] > 1e-6) expect(higher).toBeGreaterThan(lower);
        }
        expect(calibrate(curve, 0)).toBeGreaterThan(0);
        expect(calibrate(curve, 1)).toBeLessThan(1);
      }),
      { numRuns: 300 },
    );
  });

  it('never changes a ranking', () => {
    const { p, labels } = market(20000, 1, -1, (z) => 0.3 * z + (z > 0 ? 2 : 0));
    const scores = Float64Array.from(p);
    const before = auc(scores, labels)!;
    calibrateInto(fitCalibration(p, labels), scores);
    expect(auc(scores, labels)).toBe(before);
    calibrateInto(fitCalibration(p, labels), p);
    expect(auc(p, labels)).toBeCloseTo(before, 6);
  });

  it('leaves calibrated predictions about as they are', () => {
    const { p, labels } = market(100000, 2, -2, (z) => z);
    const curve = fitCalibration(p, labels);
    for (const probe of [0.02, 0.05, 0.12, 0.3, 0.5]) {
      expect(Math.abs(logit(calibrate(curve, probe)) - logit(probe))).toBeLessThan(0.08);
    }
  });

  it.each([
    ['a shift', (z: number) => z - 1],
    ['over-confidence', (z: number) => 0.5 * z - 0.5],
    ['a bend', (z: number) => (z < -1 ? z - 0.8 : 0.4 * z - 0.1)],
  ])('removes %s from rows it has not seen', (_, truth) => {
    const fitted = market(60000, 3, -1, truth);
    const curve = fitCalibration(fitted.p, fitted.labels);
    const { p, labels } = market(60000, 4, -1, truth);
    const raw = evaluateTask({ probabilities: p, labels });
    calibrateInto(curve, p);
    const calibrated = evaluateTask({ probabilities: p, labels });
    expect(raw.ece!).toBeGreaterThan(0.03);
    expect(calibrated.ece!).toBeLessThan(0.01);
    expect(Math.abs(calibrated.pcoc! - 1)).toBeLessThan(0.03);
    expect(calibrated.logLoss!).toBeLessThan(raw.logLoss!);
  });

  it('makes the mean prediction the mean label of the rows it was fitted on, by weight', () => {
    const { p, labels } = market(5000, 5, -3, (z) => 0.7 * z + 1);
    const weights = Float32Array.from(p, (_, i) => 1 + (i % 3));
    calibrateInto(fitCalibration(p, labels, weights), p);
    expect(evaluateTask({ probabilities: p, labels, weights }).pcoc).toBeCloseTo(1, 5);
  });

  it('goes nearly flat, at the mean, where labels run against the predictions', () => {
    const { p, labels } = market(50000, 6, 0, (z) => -z);
    const curve = fitCalibration(p, labels);
    for (const probe of [0.2, 0.5, 0.8]) expect(Math.abs(calibrate(curve, probe) - 0.5)).toBeLessThan(0.03);
  });

  it('shifts a constant predictor to the label rate', () => {
    const p = new Float32Array(1000).fill(0.5);
    const labels = Uint8Array.from(p, (_, i) => (i % 10 === 0 ? 1 : 0));
    expect(calibrate(fitCalibration(p, labels), 0.5)).toBeCloseTo(0.1, 9);
  });

  it('is the identity with one class, or too few rows to say more', () => {
    const p = Float64Array.from({ length: 1000 }, (_, i) => (i + 0.5) / 1000);
    for (const positives of [0, 19, 981, 1000]) {
      const curve = fitCalibration(
        p,
        Uint8Array.from(p, (_, i) => (i < positives ? 1 : 0)),
      );
      expect(curve).toEqual({ x: [], y: [] });
      expect(calibrate(curve, 0.123)).toBe(0.123);
    }
  });
});

describe('calibrateInto', () => {
  const { p, labels } = market(20000, 7, -2, (z) => 0.6 * z);
  const curve = fitCalibration(p, labels);

  it('does to a column what calibrate does to a number, up to `length`', () => {
    const values = Float64Array.from(p.subarray(0, 500));
    calibrateInto(curve, values, 400);
    for (let i = 0; i < 500; i++) expect(values[i]).toBe(i < 400 ? calibrate(curve, p[i]) : p[i]);
  });

  it('keeps float32 probabilities inside (0, 1), those of the identity too', () => {
    for (const any of [curve, { x: [], y: [] }] as CalibrationCurve[]) {
      const values = Float32Array.of(0, 1e-30, 1 - 2 ** -24, 1);
      calibrateInto(any, values);
      for (const value of values) expect(value > 0 && value < 1).toBe(true);
      expect([...values]).toEqual([...values].sort((a, b) => a - b));
    }
  });
});

describe('isCalibrationCurve', () => {
  it('refuses what would not be strictly increasing', () => {
    expect(isCalibrationCurve({ x: [0, 1], y: [0, 1] })).toBe(true);
    for (const bad of [
      null,
      {},
      { x: [0], y: [] },
      { x: [0, 0], y: [0, 1] },
      { x: [0, 1], y: [1, 1] },
      { x: ['0'], y: ['0'] },
      { x: [0], y: [31] },
    ]) {
      expect(isCalibrationCurve(bad), JSON.stringify(bad)).toBe(false);
    }
  });
});

describe('downsamplingCorrection', () => {
  it('gives back the rate of the full data', () => {
    // 10 clicks in 1,010 impressions; one in ten negatives kept: 10 in 110.
    expect(downsamplingCorrection(10 / 110, 0.1)).toBeCloseTo(10 / 1010, 15);
    expect(downsamplingCorrection(0.3, 1)).toBeCloseTo(0.3, 15);
    expect([downsamplingCorrection(0, 0.1), downsamplingCorrection(1, 0.1)]).toEqual([0, 1]);
  });
});
