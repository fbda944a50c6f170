import { assert } from '../core/errors.ts';
import { ascendingOrder } from './order.ts';
import { checkLengths, type Labels, type Values } from './rows.ts';

/** One bin of rows with neighbouring predictions. */
export interface ReliabilityBin {
  rows: number;
  /** Sum of the rows' weights; `rows` where there are none. */
  weight: number;
  /** Mean prediction. */
  predicted: number;
  /** Mean label. */
  observed: number;
  /** Wilson 95 % interval of the observed rate. */
  low: number;
  high: number;
}

/**
 * Bins of equal frequency: rows in order of prediction, cut into at most `bins` bins of about the same weight. Equal
 * predictions are never cut apart, so the bins do not depend on the order of the rows, and a constant predictor has one.
 * Lowest prediction first; rows without weight belong to no bin.
 */
export function reliabilityBins(p: Values, labels: Labels, bins: number, weights?: Values): ReliabilityBin[] {
  checkLengths(p.length, { labels, weights });
  return reliabilityBinsInOrder(ascendingOrder(p), p, labels, bins, weights);
}

/** `reliabilityBins` of rows whose ascending order of prediction is known. */
export function reliabilityBinsInOrder(
  order: Uint32Array,
  p: Values,
  labels: Labels,
  bins: number,
  weights?: Values,
): ReliabilityBin[] {
  assert(bins >= 1 && Number.isInteger(bins), `reliabilityBins: ${bins} bins`);
  let total = 0;
  for (let i = 0; i < order.length; i++) total += weights ? weights[i] : 1;
  const out: ReliabilityBin[] = [];
  let [rows, weight, sumPredicted, sumObserved, before] = [0, 0, 0, 0, 0];
  for (let i = 0; i < order.length; i++) {
    const row = order[i];
    const w = weights ? weights[row] : 1;
    if (w > 0) {
      rows++;
      weight += w;
      sumPredicted += w * p[row];
      sumObserved += w * labels[row];
    }
    const last = i + 1 === order.length;
    if (rows === 0 || (!last && p[order[i + 1]] === p[row])) continue;
    // The cut that follows the bins so far: the first multiple of total/bins above what they hold.
    const cut = Math.floor((before * bins) / total) + 1;
    if (!last && (before + weight) * bins < cut * total) continue;
    const observed = sumObserved / weight;
    const [low, high] = wilsonInterval(observed, rows);
    out.push({ rows, weight, predicted: sumPredicted / weight, observed, low, high });
    before += weight;
    [rows, weight, sumPredicted, sumObserved] = [0, 0, 0, 0];
  }
  return out;
}

/** Expected calibration error: mean over the bins, by weight, of |mean prediction − mean label|. */
export function eceOfBins(bins: readonly ReliabilityBin[]): number | null {
  let gaps = 0;
  let weight = 0;
  for (const bin of bins) {
    gaps += bin.weight * Math.abs(bin.predicted - bin.observed);
    weight += bin.weight;
  }
  return weight > 0 ? gaps / weight : null;
}

/** Expected calibration error over `bins` bins of equal frequency; null without rows. */
export function ece(p: Values, labels: Labels, bins = 20, weights?: Values): number | null {
  return eceOfBins(reliabilityBins(p, labels, bins, weights));
}

/**
 * Wilson's score interval of a rate seen in `rows` trials: unlike rate ± 1.96·√(rate(1−rate)/rows) it stays in [0, 1] and
 * has a width where no trial, or every one, succeeded.
 *
 * @see Wilson 1927, "Probable inference, the law of succession, and statistical inference"
 */
export function wilsonInterval(rate: number, rows: number, z = 1.959963984540054): [low: number, high: number] {
  const spread = (z * z) / rows;
  const centre = rate + spread / 2;
  const half = z * Math.sqrt((rate * (1 - rate)) / rows + spread / rows / 4);
  return [Math.max(0, (centre - half) / (1 + spread)), Math.min(1, (centre + half) / (1 + spread))];
}
