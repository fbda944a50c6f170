import { counted, UserError } from '../core/errors.ts';

/** What the weights of a log are like. */
export interface WeightSummary {
  readonly rows: number;
  /** (Σw)² / Σw²: so many rows of the target policy itself would say as much. */
  readonly effectiveSampleSize: number;
  readonly weightMax: number;
  /** 1 but for chance, where the log shows whatever the target does. */
  readonly weightMean: number;
}

/** @throws UserError for a target that never does what was logged */
export function summaryOf(weights: Float64Array): WeightSummary {
  const rows = weights.length;
  const weightMax = weights.reduce((most, weight) => Math.max(most, weight), 0);
  if (weightMax === 0)
    throw new UserError(
      `off-policy evaluation: the target takes none of the ${rows} logged actions, so that the log says nothing of it; evaluate it on a log that shows what it does`,
    );
  // As shares of the largest, whose own square may be beyond all numbers.
  let [sum, squares] = [0, 0];
  for (const weight of weights) {
    const share = weight / weightMax;
    sum += share;
    squares += share * share;
  }
  return { rows, effectiveSampleSize: sum ** 2 / squares, weightMax, weightMean: (sum / rows) * weightMax };
}

/** Of a target or propensities that are not those of the log. */
export function meanWarnings({ rows, effectiveSampleSize, weightMean }: WeightSummary): string[] {
  // Σw²/n − w̄² = w̄²·(n/n_eff − 1)
  const standardError = weightMean * Math.sqrt(Math.max(0, rows / effectiveSampleSize - 1) / rows);
  // Four standard errors: weights are skewed, and this is to speak of mistakes only. One weight can be most of its own error: a mean of 1,000
  // has at most one chance in 1,000, whatever the weights are like (Markov's inequality).
  if (Math.abs(weightMean - 1) <= 4 * standardError + 1e-6 && weightMean < 1000) return [];
  return [
    `the weights' mean is ${weightMean.toFixed(3)}, where 1 was expected: the target does things that the log never shows, or the propensities are not those of the log`,
  ];
}

/** A bootstrap of fewer units is known to be too sure. */
const UNITS_LEAST = 20;

export function unitWarnings(units: Int32Array | undefined): string[] {
  const count = units ? new Set(units).size : UNITS_LEAST;
  if (count === 1) return ['the log is of one unit, which says nothing of how others differ; there are no intervals'];
  if (count >= UNITS_LEAST) return [];
  return [`intervals are from ${count} units; of fewer than ${UNITS_LEAST} they are too narrow`];
}

/** Of replay that leaves most of what the log says. */
export function replayWarnings({ rows, effectiveSampleSize }: WeightSummary, accepted: number): string[] {
  if (accepted >= effectiveSampleSize / 10) return [];
  return [
    `replay accepted ${accepted} of ${rows} rows, which says little: weighted, the log is worth ${counted(Math.round(effectiveSampleSize), 'row')}; go by snips or dr`,
  ];
}
