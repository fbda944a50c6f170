import { assert } from '../core/errors.ts';
import { logit, sigmoid } from '../core/numerics.ts';

/**
 * A strictly increasing, piecewise linear function from the logit of a raw probability to the logit of a calibrated one.
 * Plain numbers, so that it lives in a manifest as JSON. Without knots it is the identity.
 *
 * Left of the first knot it is the straight line from (−30, −30), right of the last the one to (30, 30): far from the data it
 * trusts the model, and its slope stays near 1 in logit space.
 */
export interface CalibrationCurve {
  /** Logits of raw probabilities, strictly increasing, within ±28. */
  x: number[];
  /** Logits of calibrated probabilities, strictly increasing, within ±30. */
  y: number[];
}

/** Where the curve meets the diagonal at either end, in logits. */
const END = 30;

/** Raw probabilities closer to 0 or 1 than this are taken as this: ±27.6 in logits. */
export const CLOSEST = 1e-12;

/** The largest float32 below 1. */
const BELOW_ONE = 1 - 2 ** -24;

/**
 * The calibrated probability of a raw one, in (0, 1); strictly increasing in `p` from 1e-12 to 1 − 1e-12.
 * Time: a binary search of the knots, a logarithm and an exponential.
 */
export function calibrate(curve: CalibrationCurve, p: number): number {
  const { x, y } = curve;
  const raw = p < CLOSEST ? CLOSEST : p > 1 - CLOSEST ? 1 - CLOSEST : p;
  const knots = x.length;
  if (knots === 0) return raw;
  const z = logit(raw);
  // The first knot right of z.
  let low = 0;
  let high = knots;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (x[middle] <= z) low = middle + 1;
    else high = middle;
  }
  const x0 = low > 0 ? x[low - 1] : -END;
  const y0 = low > 0 ? y[low - 1] : -END;
  const x1 = low < knots ? x[low] : END;
  const y1 = low < knots ? y[low] : END;
  return sigmoid(y0 + ((z - x0) * (y1 - y0)) / (x1 - x0));
}

/**
 * Calibrates `values[0 .. length)` in place. In a Float32Array neighbours may round to the same number, as they may anywhere in
 * float32; their order is never reversed, and nothing rounds to 1.
 */
export function calibrateInto(
  curve: CalibrationCurve,
  values: Float32Array | Float64Array,
  length = values.length,
): void {
  const most = values instanceof Float32Array ? BELOW_ONE : 1 - CLOSEST / 2;
  for (let i = 0; i < length; i++) {
    const p = calibrate(curve, values[i]);
    values[i] = p > most ? most : p;
  }
}

/** Whether something read from a file is a curve: as many x as y, finite, strictly increasing, within bounds. */
export function isCalibrationCurve(value: unknown): value is CalibrationCurve {
  const { x, y } = (value ?? {}) as { x?: unknown; y?: unknown };
  if (!Array.isArray(x) || !Array.isArray(y) || x.length !== y.length) return false;
  for (let i = 0; i < x.length; i++) {
    if (!(Math.abs(x[i]) <= 28 && Math.abs(y[i]) < END)) return false;
    if (i > 0 && !(x[i] > x[i - 1] && y[i] > y[i - 1])) return false;
  }
  return true;
}

/**
 * Undoes negative down-sampling: of the negatives a share `kept` was trained on, all positives were.
 *
 *   p = q / (q + (1 − q)/w)
 *
 * @param q the probability under the sampled data
 * @param kept w, the share of negatives kept, in (0, 1]
 * @see He et al. 2014, "Practical Lessons from Predicting Clicks on Ads at Facebook", section 6.3
 */
export function downsamplingCorrection(q: number, kept: number): number {
  assert(kept > 0 && kept <= 1, `downsamplingCorrection: a share of ${kept}`);
  return q / (q + (1 - q) / kept);
}
