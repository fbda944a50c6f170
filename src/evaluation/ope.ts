import { listOf, UserError } from '../core/errors.ts';
import type { Random } from '../core/random.ts';
import { type EstimatorName, estimatorNames } from './estimatorNames.ts';
import { bootstrapEstimates, type Estimate, type LinearEstimator } from './opeInterval.ts';
import { meanWarnings, replayWarnings, summaryOf, unitWarnings, type WeightSummary } from './opeSummary.ts';
import type { Predictions } from './rewardModel.ts';
import type { Values } from './rows.ts';
import { switchThreshold } from './switchThreshold.ts';

/** What a logging policy did and what came of it, and how likely a target policy would have done the same; one value a row. */
export interface LoggedDecisions {
  readonly rewards: Values;
  /** p(a | x) of the logged action under the policy that chose it. */
  readonly propensities: Values;
  /** π(a | x) of the logged action under the policy to be evaluated. */
  readonly targetProbabilities: Values;
  /** A reward model's, which `dm`, `dr` and `switch-dr` need; `crossFittedRewards` makes some. */
  readonly predictions?: Predictions;
  /** What the bootstrap draws (pages, users), numbered from 0; rows where absent. */
  readonly units?: Int32Array;
}

export interface OffPolicyOptions {
  /** All that the log allows, if absent. */
  readonly estimators?: readonly EstimatorName[];
  readonly random: Random;
  /** 1,000 if absent; each costs a pass over the rows an estimator, and `dm` a new fit of its model. */
  readonly resamples?: number;
  /** Switch-DR's τ; chosen from the log where absent. */
  readonly switchAbove?: number;
}

/** The mean reward a row that the target policy would have had, with a 95 % interval. */
export interface OffPolicyEstimate extends Estimate {
  readonly estimator: EstimatorName;
  /** Switch-DR's τ: weights above it were left to the model. */
  readonly switchAbove?: number;
  /** Rows that replay accepted. */
  readonly accepted?: number;
}

export interface OffPolicyEvaluation extends WeightSummary {
  readonly estimates: readonly OffPolicyEstimate[];
  readonly warnings: readonly string[];
}

/**
 * Estimates the mean reward of a target policy π from the log of another, with weights w = π(a|x) / p(a|x), n rows, a reward model q̂
 * and its mean under the target q̂_π(x) = Σ_a π(a|x) q̂(x, a).
 *
 *   ips        1/n Σ w·r                                     unbiased
 *   snips      Σ w·r / Σ w                                   of bounded range; bias of order 1/n
 *   dm         1/n Σ q̂_π                                     as biased as the model
 *   dr         1/n Σ q̂_π + w·(r − q̂)                         unbiased, of less variance than ips where the model tells anything
 *   switch-dr  1/n Σ q̂_π + w·(r − q̂)·1{w ≤ τ}                the model alone where weights are large
 *   replay     Σ r·accepted / Σ accepted                     each row accepted with probability w / max w
 *
 * Replay on uniform logs with a target that is certain accepts where both agree, as its authors have it; it wastes what snips uses, and
 * is here as a check. Intervals are of the sampling error alone: they hold no bias of `dm`, nor of what `switch-dr` left to the model.
 * dm's interval covers its model's sampling error where `predictions` can be redrawn, and takes the model as known otherwise.
 *
 * @see Dudík, Langford and Li 2011, "Doubly Robust Policy Evaluation and Learning" (dm, ips, dr); Swaminathan and Joachims 2015, "The
 *   Self-Normalized Estimator for Counterfactual Learning" (snips); Wang, Agarwal and Dudík 2017, "Optimal and Adaptive Off-policy
 *   Evaluation in Contextual Bandits" (switch); Li et al. 2011, "Unbiased Offline Evaluation of Contextual-bandit-based News Article
 *   Recommendation Algorithms" (replay)
 * @throws UserError for no rows, columns of unequal lengths, a reward or prediction that is no finite number, a propensity that is
 *   not above 0 and at most 1, a target probability outside [0, 1], a target that never does what was logged, and an estimator that
 *   needs predictions where there are none
 */
export function evaluateOffPolicy(log: LoggedDecisions, options: OffPolicyOptions): OffPolicyEvaluation {
  checkLog(log);
  const { rewards, predictions, units } = log;
  const weights = Float64Array.from(log.propensities, (p, i) => log.targetProbabilities[i] / p);
  const summary = summaryOf(weights);
  const names = chosenEstimators(options.estimators, predictions);
  const rates = rewardRates(rewards, predictions);
  const switchAbove = options.switchAbove ?? (predictions && switchThreshold(weights, rewards, predictions, rates));
  const draws = options.random.fork('replay');
  const accepted = weights.map((w) => Number(draws.next() * summary.weightMax < w));
  const parts: Parts = { weights, predictions, switchAbove, accepted };
  const estimators = names.map((name) => linearEstimator(name, parts));
  const { resamples = 1000 } = options;
  const random = options.random.fork('bootstrap');
  const measured = bootstrapEstimates(estimators, { rewards, rates, units, random, resamples });
  const acceptedCount = accepted.reduce((sum, one) => sum + one, 0);
  const estimates = names.map((estimator, i) => ({
    estimator,
    ...measured[i],
    ...(estimator === 'switch-dr' && { switchAbove }),
    ...(estimator === 'replay' && { accepted: acceptedCount }),
  }));
  const warnings = [
    ...meanWarnings(summary),
    ...unitWarnings(units),
    ...(names.includes('replay') ? replayWarnings(summary, acceptedCount) : []),
  ];
  return { ...summary, estimates, warnings };
}

interface Parts {
  readonly weights: Float64Array;
  readonly predictions?: Predictions;
  readonly switchAbove?: number;
  readonly accepted: Float64Array;
}

function linearEstimator(name: EstimatorName, { weights, predictions, switchAbove, accepted }: Parts): LinearEstimator {
  if (name === 'ips') return { slope: weights };
  if (name === 'snips') return { slope: weights, below: weights, bounded: true };
  if (name === 'replay') return { slope: accepted, below: accepted, bounded: true };
  const { logged, target, redraw } = predictions as Predictions;
  if (name === 'dm')
    return { base: Float64Array.from(target), slope: new Float64Array(weights.length), redraw, bounded: true };
  const slope = name === 'dr' ? weights : weights.map((w) => (w <= (switchAbove as number) ? w : 0));
  return { base: slope.map((w, i) => target[i] - w * logged[i]), slope };
}

function chosenEstimators(
  given: readonly EstimatorName[] | undefined,
  predictions: Predictions | undefined,
): readonly EstimatorName[] {
  const needsModel = (name: EstimatorName) => name === 'dm' || name === 'dr' || name === 'switch-dr';
  if (!given) return estimatorNames.filter((name) => predictions || !needsModel(name));
  const without = given.filter((name) => !predictions && needsModel(name));
  if (without.length > 0)
    throw new UserError(`off-policy evaluation: ${listOf(without)} needs a reward model’s predictions; give them too`);
  return given;
}

/**
 * Rates at which the bootstrap draws clicks: the model's, scaled to as many clicks as there were, or the mean where there is no model.
 * None for rewards other than 0 and 1.
 */
function rewardRates(rewards: Values, predictions: Predictions | undefined): Float64Array | undefined {
  let [clicks, predicted] = [0, 0];
  for (let i = 0; i < rewards.length; i++) {
    if (rewards[i] !== 0 && rewards[i] !== 1) return undefined;
    clicks += rewards[i];
    if (predictions) predicted += predictions.logged[i];
  }
  if (!(predicted > 0)) return new Float64Array(rewards.length).fill(clicks / rewards.length);
  return Float64Array.from(predictions?.logged ?? [], (q) => Math.min(1, Math.max(0, (q * clicks) / predicted)));
}

function checkLog({ rewards, propensities, targetProbabilities, predictions, units }: LoggedDecisions): void {
  const rows = rewards.length;
  if (rows === 0) throw new UserError('off-policy evaluation: the log has no rows; at least one was expected');
  const { logged, target } = predictions ?? {};
  const columns = { propensities, targetProbabilities, units, predictionsLogged: logged, predictionsTarget: target };
  for (const [name, column] of Object.entries(columns))
    if (column && column.length !== rows)
      throw new UserError(
        `off-policy evaluation: '${name}' has ${column.length} values for ${rows} rewards; give one a row`,
      );
  const refuse = (row: number, what: string, expected: string) => {
    throw new UserError(`off-policy evaluation: row ${row} has ${what}; expected ${expected}`);
  };
  for (let i = 0; i < rows; i++) {
    const [p, pi] = [propensities[i], targetProbabilities[i]];
    if (!Number.isFinite(rewards[i])) refuse(i, `the reward ${rewards[i]}`, 'a finite number');
    if (!(p <= 1 && Number.isFinite(1 / p)))
      refuse(
        i,
        `the propensity ${p}`,
        'a probability above 0 and at most 1: log the one that the action was drawn with',
      );
    if (!(pi >= 0 && pi <= 1 + 1e-6)) refuse(i, `the target probability ${pi}`, 'a probability from 0 to 1');
    if (units && !(units[i] >= 0)) refuse(i, `the unit ${units[i]}`, 'a whole number from 0');
    if (logged && target && !(Number.isFinite(logged[i]) && Number.isFinite(target[i])))
      refuse(i, `the predictions ${logged[i]} and ${target[i]}`, 'finite numbers');
  }
}
