import { assert } from '../core/errors.ts';
import type { Random } from '../core/random.ts';
import { aucByGroup } from './auc.ts';
import { groupCount } from './groups.ts';
import { lossOfRow } from './metrics.ts';
import { ascendingOrder } from './order.ts';
import { checkLengths, type Labels, type Values } from './rows.ts';

/** What two models are compared by. Higher is better, but for `logLoss`. */
export type ComparedMetric = 'auc' | 'gauc' | 'logLoss';

export interface PairedComparison {
  /** Group (user) indices, from `denseGroups`; a row with a negative one is a group of its own. */
  groups: Int32Array;
  labels: Labels;
  /** Both models' probabilities for the same rows. */
  a: Values;
  b: Values;
  metric: ComparedMetric;
  random: Random;
  resamples?: number;
}

/** How much A's metric is above B's; null where the metric is not defined. */
export interface PairedDifference {
  metricA: number | null;
  metricB: number | null;
  /** A's metric less B's. */
  difference: number | null;
  /** 95 % interval of the difference: its 2.5 and 97.5 percentiles over the resamples. */
  low: number | null;
  high: number | null;
  /** Share of the resamples in which A is better, ties counting half. */
  pBetter: number | null;
}

/** Both metrics of the rows, each group counting as often as it was drawn; NaN where not defined. */
type MetricOfDraw = (timesDrawn: Float64Array) => [a: number, b: number];

/**
 * Paired bootstrap over users: as many users as there are, drawn with replacement, take all their rows with them, and both
 * models are measured on the same draw, so that what makes a draw easy or hard for both cancels out.
 *
 * Scores are sorted once a model; a draw costs one pass over the rows for `auc`, over the groups for the other metrics.
 *
 * @see Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13 (percentile interval)
 */
export function pairedBootstrap({
  groups,
  labels,
  a,
  b,
  metric,
  random,
  resamples = 200,
}: PairedComparison): PairedDifference {
  checkLengths(a.length, { groups, labels, b });
  assert(resamples >= 1, `pairedBootstrap: ${resamples} resamples`);
  const users = withoutNegatives(groups);
  const count = groupCount(users);
  const measure = metric === 'auc' ? aucOfDraw(users, labels, a, b) : meansOfDraw(metric, users, labels, a, b);

  const drawn = new Float64Array(count).fill(1);
  const [metricA, metricB] = measure(drawn);
  const differences: number[] = [];
  for (let resample = 0; resample < resamples; resample++) {
    drawn.fill(0);
    for (let i = 0; i < count; i++) drawn[random.below(count)]++;
    const [drawnA, drawnB] = measure(drawn);
    if (!Number.isNaN(drawnA - drawnB)) differences.push(drawnA - drawnB);
  }
  differences.sort((x, y) => x - y);
  const sign = metric === 'logLoss' ? -1 : 1;
  const better = differences.reduce((sum, d) => sum + (d * sign > 0 ? 1 : d === 0 ? 0.5 : 0), 0);
  return {
    metricA: orNull(metricA),
    metricB: orNull(metricB),
    difference: orNull(metricA - metricB),
    low: orNull(percentile(differences, 0.025)),
    high: orNull(percentile(differences, 0.975)),
    pBetter: orNull(better / differences.length),
  };
}

const orNull = (value: number) => (Number.isNaN(value) ? null : value);

/** Of values in ascending order; linear between neighbours, as NumPy's default; NaN of none. */
export function percentile(sorted: readonly number[], share: number): number {
  const at = share * (sorted.length - 1);
  const below = Math.floor(at);
  return sorted.length === 0
    ? Number.NaN
    : sorted[below] + (at - below) * (sorted[Math.min(below + 1, sorted.length - 1)] - sorted[below]);
}

function withoutNegatives(groups: Int32Array): Int32Array {
  let next = groupCount(groups);
  return groups.map((group) => (group < 0 ? next++ : group));
}

function aucOfDraw(groups: Int32Array, labels: Labels, a: Values, b: Values): MetricOfDraw {
  const ofA = weightedAuc(groups, labels, a);
  const ofB = weightedAuc(groups, labels, b);
  return (timesDrawn) => [ofA(timesDrawn), ofB(timesDrawn)];
}

/** AUC with each row weighing as its group does; the rows are laid out in order of score, once. */
function weightedAuc(groups: Int32Array, labels: Labels, scores: Values): (groupWeights: Float64Array) => number {
  const order = ascendingOrder(scores);
  const rows = order.length;
  const groupAt = new Int32Array(rows);
  const positiveAt = new Uint8Array(rows);
  const endsTie = new Uint8Array(rows);
  for (let i = 0; i < rows; i++) {
    groupAt[i] = groups[order[i]];
    positiveAt[i] = labels[order[i]] > 0 ? 1 : 0;
    endsTie[i] = i + 1 === rows || scores[order[i + 1]] !== scores[order[i]] ? 1 : 0;
  }
  return (groupWeights) => {
    let wins = 0;
    let [positives, negatives, tiedPositives, tiedNegatives] = [0, 0, 0, 0];
    for (let i = 0; i < rows; i++) {
      const weight = groupWeights[groupAt[i]];
      if (positiveAt[i]) tiedPositives += weight;
      else tiedNegatives += weight;
      if (!endsTie[i]) continue;
      wins += tiedPositives * (negatives + tiedNegatives / 2);
      positives += tiedPositives;
      negatives += tiedNegatives;
      tiedPositives = 0;
      tiedNegatives = 0;
    }
    return wins / (positives * negatives);
  };
}

/** Log loss and GAUC are ratios of sums over groups, so a draw needs only each group's share of both sums. */
function meansOfDraw(
  metric: 'gauc' | 'logLoss',
  groups: Int32Array,
  labels: Labels,
  a: Values,
  b: Values,
): MetricOfDraw {
  const sums = metric === 'gauc' ? gaucSums : lossSums;
  const ofA = sums(groups, labels, a);
  const ofB = sums(groups, labels, b);
  return (timesDrawn) => [ratioOfSums(ofA, timesDrawn), ratioOfSums(ofB, timesDrawn)];
}

/** A ratio of two sums over groups (tests, users, ads), each group's share of both. */
export interface RatioOfSums {
  readonly above: Float64Array;
  /** Where absent, the sum of `above` alone is meant. */
  readonly below?: Float64Array;
}

/** Each group counting as often as it was drawn. */
export function ratioOfSums({ above, below }: RatioOfSums, timesDrawn: Float64Array): number {
  const top = weightedSum(above, timesDrawn);
  return below ? top / weightedSum(below, timesDrawn) : top;
}

function weightedSum(values: Float64Array, weights: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += weights[i] * values[i];
  return sum;
}

function lossSums(groups: Int32Array, labels: Labels, p: Values): RatioOfSums {
  const count = groupCount(groups);
  const sums = { above: new Float64Array(count), below: new Float64Array(count) };
  for (let i = 0; i < groups.length; i++) {
    sums.above[groups[i]] += lossOfRow(p[i], labels[i]);
    sums.below[groups[i]]++;
  }
  return sums;
}

function gaucSums(groups: Int32Array, labels: Labels, scores: Values): RatioOfSums {
  const { auc, impressions } = aucByGroup(ascendingOrder(scores), scores, labels, groups);
  const defined = (value: number, g: number) => (Number.isNaN(auc[g]) ? 0 : value);
  return { above: auc.map((value, g) => defined(value * impressions[g], g)), below: impressions.map(defined) };
}
