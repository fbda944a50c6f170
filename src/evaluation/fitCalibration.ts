import { clamp, logit, sigmoid } from '../core/numerics.ts';
import { type CalibrationCurve, CLOSEST, calibrate } from './calibration.ts';
import { poolAdjacentViolators } from './pav.ts';
import { reliabilityBins } from './reliability.ts';
import { rootOf } from './root.ts';
import { checkRows, type Labels, type Values } from './rows.ts';

export interface CalibrationOptions {
  /** Most bins of equal frequency; 30 unless told. */
  bins?: number;
}

/** With fewer rows of either class than this there is nothing to fit, and the curve is the identity. */
export const CLASS_ROWS_LEAST = 20;

/** Rows of the rarer class that a bin needs on average, so that few data make few bins. */
const CLASS_ROWS_PER_BIN = 10;

/**
 * What the prior weighs in each bin, in units of n·m(1−m), about that many clicks where clicks are rare: at least this much,
 * at most so many times what an average bin weighs itself.
 */
const STRENGTH_LEAST = 4;
const STRENGTH_MOST = 10;

/** The share of a line of slope 1 in the curve: its least slope between knots, in logits. */
const SLOPE_LEAST = 0.02;

/** Knots are this far apart in logits, or more, so that the least slope is not lost in rounding. */
const KNOT_GAP_LEAST = 1e-6;

/** Rates are kept this far from 0 and 1, so that float64 can still tell neighbours apart. */
const RATE_LEAST = 1e-7;

/** A curve in the making. */
interface Knots {
  x: number[];
  y: number[];
}

/** Equal-frequency bins as columns: logit of the mean prediction, observed rate, rows, weight. */
interface Bins {
  x: number[];
  observed: number[];
  rows: number[];
  weight: number[];
}

/**
 * Smoothed isotonic calibration, strictly increasing.
 *
 * 1. Bins of equal frequency by prediction; equal predictions share a bin.
 * 2. Each bin's rate is shrunk toward a prior m = σ(a·x + b), the logistic line through all bins, the more the better the line
 *    fits them:  r = (clicks + s·m) / (n + s),  s = strength / (m(1−m)),  strength by empirical Bayes.
 * 3. Pool-adjacent-violators makes the rates increase.
 * 4. One knot at the centre of each pooled block; a pooled block at either end goes on flat to its outermost bin. Linear between
 *    knots, in logits: what was a step is a slope.
 * 5. Strictly increasing, by a blend with the line of slope 1 through the knots' mean:  y ← 0.98·y + 0.02·(x − x̄ + ȳ).
 * 6. One last shift of all knots makes the mean calibrated prediction the mean label.
 *
 * @returns the identity (no knots) with fewer than 20 rows of either class
 * @throws UserError on a probability outside [0, 1], a label other than 0 and 1, or a bad weight
 * @see Zadrozny and Elkan 2002; Jiang et al. 2011, "Smooth isotonic regression"
 */
export function fitCalibration(
  p: Values,
  labels: Labels,
  weights?: Values,
  { bins = 30 }: CalibrationOptions = {},
): CalibrationCurve {
  checkRows(p, labels, weights);
  const classRows = rarerClassRows(labels, weights);
  if (classRows < CLASS_ROWS_LEAST) return { x: [], y: [] };

  const binned = reliabilityBins(p, labels, clamp(Math.floor(classRows / CLASS_ROWS_PER_BIN), 1, bins), weights);
  const columns: Bins = {
    x: binned.map((bin) => logit(clamp(bin.predicted, CLOSEST, 1 - CLOSEST))),
    observed: binned.map((bin) => bin.observed),
    rows: binned.map((bin) => bin.rows),
    weight: binned.map((bin) => bin.weight),
  };
  const rates = shrunkRates(columns);
  const knots = isotonicKnots(columns.x, rates, columns.weight);
  const ones = knots.x.map(() => 1);
  const lift = mean(knots.y, ones) - mean(knots.x, ones);
  for (let i = 0; i < knots.x.length; i++) {
    knots.y[i] = (1 - SLOPE_LEAST) * knots.y[i] + SLOPE_LEAST * (knots.x[i] + lift);
  }
  return matchMean(knots, p, weights, mean(columns.observed, columns.weight));
}

function rarerClassRows(labels: Labels, weights?: Values): number {
  let positives = 0;
  let rows = 0;
  for (let i = 0; i < labels.length; i++) {
    if (weights && weights[i] === 0) continue;
    rows++;
    positives += labels[i];
  }
  return Math.min(positives, rows - positives);
}

function mean(values: readonly number[], weights: readonly number[]): number {
  let sum = 0;
  let total = 0;
  for (let i = 0; i < values.length; i++) {
    sum += values[i] * weights[i];
    total += weights[i];
  }
  return sum / total;
}

/**
 * Step 2: how far the bins stray from the prior beyond what chance explains is the variance τ² of true rates about it
 * (method of moments), in units of m(1−m); the prior weighs half of 1/τ², since neighbouring bins stray together.
 */
function shrunkRates(bins: Bins): number[] {
  const { observed, rows } = bins;
  const prior = priorRates(bins).map((m) => clamp(m, RATE_LEAST, 1 - RATE_LEAST));
  let chiSquare = 0;
  let information = 0;
  for (let i = 0; i < prior.length; i++) {
    const unit = prior[i] * (1 - prior[i]);
    chiSquare += (rows[i] * (observed[i] - prior[i]) ** 2) / unit;
    information += rows[i] * unit;
  }
  const excess = chiSquare - (prior.length - 2);
  const meanInformation = information / prior.length;
  const strength = clamp(
    excess > 0 ? information / excess / 2 : Number.POSITIVE_INFINITY,
    STRENGTH_LEAST,
    STRENGTH_MOST * meanInformation,
  );
  return prior.map((m, i) => {
    const priorRows = strength / (m * (1 - m));
    return (observed[i] * rows[i] + priorRows * m) / (rows[i] + priorRows);
  });
}

/**
 * The prior of each bin, σ(a·x + b), by maximum likelihood over the bins (Platt's line), a within [0, 3] and drawn toward 1.
 * For each a, b makes the mean right, and the likelihood of what remains has one optimum: a root of a root finds both.
 */
function priorRates({ x, observed, rows, weight }: Bins): number[] {
  const ones = x.map(() => 1);
  const rowsOfWeight = mean(rows, ones) / mean(weight, ones);
  const meanX = mean(x, weight);
  const meanObserved = mean(observed, weight);
  const centred = x.map((z) => z - meanX);
  const spread = mean(
    centred.map((z) => z * z),
    weight,
  );
  const ratesAt = (slope: number) => {
    const at = (b: number) => centred.map((z) => sigmoid(slope * z + b));
    return at(rootOf((b) => mean(at(b), weight) - meanObserved, -60, 60));
  };
  const pull = (slope: number) => {
    const rates = ratesAt(slope);
    let sum = STRENGTH_LEAST * (spread + 1e-9) * (slope - 1);
    for (let i = 0; i < x.length; i++) sum += rowsOfWeight * weight[i] * centred[i] * (rates[i] - observed[i]);
    return sum;
  };
  return ratesAt(rootOf(pull, 0, 3));
}

/** Steps 3 and 4: in logits, strictly increasing in x, non-decreasing in y. */
function isotonicKnots(x: readonly number[], rates: readonly number[], weight: readonly number[]): Knots {
  const { starts, levels } = poolAdjacentViolators(rates, weight);
  const knots: Knots = { x: [], y: [] };
  const add = (atX: number, rate: number) => {
    // Bins, or a block's centre and its end, may be nearly at one place; one knot then speaks for both.
    if (knots.x.length > 0 && atX < knots.x[knots.x.length - 1] + KNOT_GAP_LEAST) return;
    knots.x.push(atX);
    knots.y.push(logit(clamp(rate, RATE_LEAST, 1 - RATE_LEAST)));
  };
  for (let block = 0; block < starts.length; block++) {
    const from = starts[block];
    const to = block + 1 < starts.length ? starts[block + 1] : x.length;
    const centre = mean(x.slice(from, to), weight.slice(from, to));
    if (block === 0 && to - from > 1) add(x[0], levels[block]);
    add(centre, levels[block]);
    if (block === starts.length - 1 && to - from > 1) add(x[x.length - 1], levels[block]);
  }
  return knots;
}

/** Step 6; by at most 1, so that hostile data cannot push the knots to where float64 no longer tells them apart. */
function matchMean(curve: Knots, p: Values, weights: Values | undefined, target: number): CalibrationCurve {
  const moved = (by: number) => ({ x: curve.x, y: curve.y.map((y) => y + by) });
  const excess = (by: number) => {
    const candidate = moved(by);
    let sum = 0;
    let total = 0;
    for (let i = 0; i < p.length; i++) {
      const weight = weights ? weights[i] : 1;
      sum += weight * calibrate(candidate, p[i]);
      total += weight;
    }
    return sum / total - target;
  };
  return moved(rootOf(excess, -1, 1));
}
