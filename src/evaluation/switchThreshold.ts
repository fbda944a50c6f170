import type { Predictions } from './rewardModel.ts';
import type { Values } from './rows.ts';

/** τ is tried at these quantiles of the weights; the last switches nothing. */
const QUANTILES = [0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1];

/**
 * Switch-DR's τ with the least bound on its squared error, variance plus the square of the largest bias that leaving weights above τ to
 * the model may cost:
 *
 *   V(τ) = 1/n² Σ (y_i − ȳ)²      B(τ) = R / n · Σ w·1{w > τ}      y_i = q̂_π + w·(r − q̂)·1{w ≤ τ}
 *
 * Σ w·1{w > τ}/n estimates how often the target does what is left to the model. R bounds both an action's expected reward and its
 * prediction: the largest prediction, plus two standard errors of the mean reward. (The paper's R is the largest reward; for clicks, 1
 * is so far above any rate that nothing would ever be switched.) With `rates`, V takes rewards at their expectation, so that τ does not
 * follow single clicks.
 *
 * @param rates p(reward = 1) of rewards that are 0 or 1
 * @see Wang, Agarwal and Dudík 2017, section 4.1
 */
export function switchThreshold(
  weights: Float64Array,
  rewards: Values,
  { logged, target }: Predictions,
  rates?: Float64Array,
): number {
  const rows = weights.length;
  const sorted = weights.toSorted();
  const bound = rewardBound(rewards, logged);
  let best = { error: Number.POSITIVE_INFINITY, threshold: sorted[rows - 1] };
  for (const quantile of QUANTILES) {
    const threshold = sorted[Math.ceil(quantile * rows) - 1];
    let [sum, squares, switched] = [0, 0, 0];
    for (let i = 0; i < rows; i++) {
      const w = weights[i] <= threshold ? weights[i] : 0;
      switched += weights[i] - w;
      const expected = rates ? rates[i] : rewards[i];
      const y = target[i] + w * (expected - logged[i]);
      sum += y;
      squares += y * y + (rates ? w * w * expected * (1 - expected) : 0);
    }
    const variance = (squares / rows - (sum / rows) ** 2) / rows;
    const error = variance + ((bound * switched) / rows) ** 2;
    if (error <= best.error) best = { error, threshold };
  }
  return best.threshold;
}

function rewardBound(rewards: Values, logged: Values): number {
  let [sum, squares, largest] = [0, 0, 0];
  for (let i = 0; i < rewards.length; i++) {
    sum += rewards[i];
    squares += rewards[i] ** 2;
    largest = Math.max(largest, Math.abs(logged[i]));
  }
  const variance = squares / rewards.length - (sum / rewards.length) ** 2;
  return largest + 2 * Math.sqrt(Math.max(0, variance) / rewards.length);
}
