import { aucOfRows, gaucInOrder } from './auc.ts';
import { ascendingOrder } from './order.ts';
import { eceOfBins, reliabilityBinsInOrder } from './reliability.ts';
import { checkLengths, checkRows, type Labels, type Values } from './rows.ts';

/** Log loss takes a probability as at least this far from 0 and 1, as scikit-learn did, so that it stays finite. */
export const LOG_LOSS_CLIP = 1e-15;

/** Bins of equal frequency behind `ece`. */
export const ECE_BINS = 20;

/** How well one task's probabilities fit its labels. Safe for JSON: null where a metric is not defined. */
export interface TaskMetrics {
  rows: number;
  /** Rows with label 1, unweighted. */
  positives: number;
  /** null where a class is missing. */
  auc: number | null;
  /** null without groups, or where no group has both classes. */
  gauc: number | null;
  /** Share of the impressions behind `gauc`; null without groups. */
  gaucCoverage: number | null;
  logLoss: number | null;
  /** Log loss of predicting the mean label of the same rows. */
  constantLogLoss: number | null;
  /** logLoss / constantLogLoss: below 1 is better than knowing the rate alone; null where a class is missing. */
  normalizedEntropy: number | null;
  /** Predicted clicks over clicks: mean prediction / mean label; null without a positive. */
  pcoc: number | null;
  /** Expected calibration error over 20 bins of equal frequency. */
  ece: number | null;
}

/** One task's predictions and labels, one a row. */
export interface TaskRows {
  probabilities: Values;
  labels: Labels;
  /** Group (user) indices, from `denseGroups`; negative: no group. */
  groups?: Int32Array;
  weights?: Values;
}

/**
 * All metrics of one task; the rows are sorted once.
 *
 * @throws UserError naming the first row with a probability outside [0, 1], a label other than 0 and 1, or a bad weight
 */
export function evaluateTask({ probabilities, labels, groups, weights }: TaskRows): TaskMetrics {
  checkRows(probabilities, labels, weights);
  const rows = probabilities.length;
  checkLengths(rows, { groups });
  const order = ascendingOrder(probabilities);
  let positives = 0;
  for (let i = 0; i < rows; i++) positives += labels[i];
  const byUser = groups && gaucInOrder(order, probabilities, labels, groups, weights);
  const loss = logLoss(probabilities, labels, weights);
  const constantLogLoss = entropyOfRate(weightedMean(labels, weights));
  return {
    rows,
    positives,
    auc: aucOfRows(order, 0, rows, probabilities, labels, weights),
    gauc: byUser?.gauc ?? null,
    gaucCoverage: byUser?.coverage ?? null,
    logLoss: loss,
    constantLogLoss,
    normalizedEntropy: ratio(loss, constantLogLoss),
    pcoc: pcoc(probabilities, labels, weights),
    ece: eceOfBins(reliabilityBinsInOrder(order, probabilities, labels, ECE_BINS, weights)),
  };
}

/**
 * Mean of −y ln p − (1−y) ln(1−p), in nats, p clipped to [1e-15, 1 − 1e-15].
 *
 * @returns null without rows or weight
 */
export function logLoss(p: Values, labels: Labels, weights?: Values): number | null {
  checkLengths(p.length, { labels, weights });
  let sum = 0;
  let total = 0;
  for (let i = 0; i < p.length; i++) {
    const weight = weights ? weights[i] : 1;
    sum += weight * lossOfRow(p[i], labels[i]);
    total += weight;
  }
  return total > 0 ? sum / total : null;
}

/** −ln of the probability given to the label that came, clipped as in `logLoss`. */
export function lossOfRow(p: number, label: number): number {
  const given = label > 0 ? p : 1 - p;
  return -Math.log(given < LOG_LOSS_CLIP ? LOG_LOSS_CLIP : given > 1 - LOG_LOSS_CLIP ? 1 - LOG_LOSS_CLIP : given);
}

/** Log loss over that of the constant predictor, the mean label of the same rows; null where a class is missing. */
export function normalizedEntropy(p: Values, labels: Labels, weights?: Values): number | null {
  return ratio(logLoss(p, labels, weights), entropyOfRate(weightedMean(labels, weights)));
}

/** Predicted clicks over clicks: mean prediction / mean label; 1 is calibrated on the whole; null without a positive. */
export function pcoc(p: Values, labels: Labels, weights?: Values): number | null {
  checkLengths(p.length, { labels, weights });
  return ratio(weightedMean(p, weights), weightedMean(labels, weights));
}

/** Log loss of predicting `rate` where it is the mean label: −r ln r − (1−r) ln(1−r). */
function entropyOfRate(rate: number | null): number | null {
  if (rate === null) return null;
  if (rate <= 0 || rate >= 1) return 0;
  return -rate * Math.log(rate) - (1 - rate) * Math.log1p(-rate);
}

function weightedMean(values: Values | Labels, weights?: Values): number | null {
  let sum = 0;
  let total = 0;
  for (let i = 0; i < values.length; i++) {
    const weight = weights ? weights[i] : 1;
    sum += weight * values[i];
    total += weight;
  }
  return total > 0 ? sum / total : null;
}

function ratio(above: number | null, below: number | null): number | null {
  return above === null || below === null || below === 0 ? null : above / below;
}
