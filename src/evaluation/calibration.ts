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
  readonly x: readonly number[];
  /** Logits of calibrated probabilities, strictly increasing, within ±30. */
  readonly y: readonly number[];
}

/** Where the curve meets the diagonal at either end, in logits. */
const END = 30;

/** Raw probabilities closer to 0 or 1 than this are taken as this: ±27.6 in logits. */
export const CLOSEST = 1e-12;

/** The largest float32 below 1. */
const BELOW_ONE = 1 - 2 ** -24;

/** Cells of the guide that finds a logit's segment without a search. */
const CELLS = 480;

/** A curve ready for use: its knots with both ends, the slope right of each, and the segment at which each cell begins. */
interface PreparedCurve {
  x: Float64Array;
  y: Float64Array;
  slope: Float64Array;
  guide: Uint16Array;
}

const prepared = new WeakMap<CalibrationCurve, PreparedCurve>();

/** Made once for a curve, which must not change after its first use. */
function prepare(curve: CalibrationCurve): PreparedCurve {
  const x = Float64Array.from([-END, ...curve.x, END]);
  const y = Float64Array.from([-END, ...curve.y, END]);
  const slope = new Float64Array(x.length - 1);
  for (let i = 0; i < slope.length; i++) slope[i] = (y[i + 1] - y[i]) / (x[i + 1] - x[i]);
  const guide = new Uint16Array(CELLS);
  for (let cell = 0, segment = 0; cell < CELLS; cell++) {
    const start = (cell * 2 * END) / CELLS - END;
    while (x[segment + 1] <= start) segment++;
    guide[cell] = segment;
  }
  const ready = { x, y, slope, guide };
  prepared.set(curve, ready);
  return ready;
}

/** The calibrated probability of a raw one, in (0, 1); strictly increasing in `p` from 1e-12 to 1 − 1e-12. */
export function calibrate(curve: CalibrationCurve, p: number): number {
  const raw = p < CLOSEST ? CLOSEST : p > 1 - CLOSEST ? 1 - CLOSEST : p;
  return curve.x.length === 0 ? raw : along(prepared.get(curve) ?? prepare(curve), raw);
}

function along({ x, y, slope, guide }: PreparedCurve, p: number): number {
  const z = logit(p);
  let segment = guide[((z + END) * (CELLS / (2 * END))) | 0];
  while (z >= x[segment + 1]) segment++;
  return sigmoid(y[segment] + (z - x[segment]) * slope[segment]);
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
  const identity = curve.x.length === 0;
  const ready = prepared.get(curve) ?? prepare(curve);
  for (let i = 0; i < length; i++) {
    const p = values[i];
    const raw = p < CLOSEST ? CLOSEST : p > 1 - CLOSEST ? 1 - CLOSEST : p;
    const out = identity ? raw : along(ready, raw);
    values[i] = out > most ? most : out;
  }
}

/** Whether something read from a file is a curve: as many x as y, finite, strictly increasing, within bounds. */
export function isCalibrationCurve(value: unknown): value is CalibrationCurve {
  const { x, y } = (value ?? {}) as { x?: unknown; y?: unknown };
  if (!Array.isArray(x) || !Array.isArray(y) || x.length !== y.length) return false;
  for (let i = 0; i < x.length; i++) {
    if (typeof x[i] !== 'number' || typeof y[i] !== 'number') return false;
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
