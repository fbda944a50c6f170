import { createRandom } from '../core/random.ts';
import { type EstimatorName, evaluateOffPolicy, type OffPolicyEvaluation } from '../evaluation/ope.ts';
import { wilsonInterval } from '../evaluation/reliability.ts';
import { type CreativeLog, type LogColumns, readCreativeLog } from './creativeLog.ts';
import { targetedLog } from './creativeTarget.ts';

export interface EvaluateCreativePolicy extends LogColumns {
  readonly data: string | readonly string[];
  /** `uniform`, or the Parquet log of another policy. */
  readonly target: string;
  readonly estimator?: readonly EstimatorName[];
  readonly resamples?: number;
  readonly seed: number;
}

/** A mean reward that was seen, with a 95 % interval. */
export interface Observed {
  readonly rows: number;
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

export interface CreativePolicyEvaluation extends OffPolicyEvaluation {
  readonly target: string;
  readonly seed: number;
  /** What the log's own policy earned, and the target where it is a log with rewards. */
  readonly observed: { readonly log: Observed; readonly target: Observed | null };
}

/**
 * Estimates what a target policy would have earned where another was logged, and what was observed of both.
 *
 * @throws UserError for what `readCreativeLog`, `targetedLog` and `evaluateOffPolicy` refuse
 */
export async function evaluateCreativePolicy(options: EvaluateCreativePolicy): Promise<CreativePolicyEvaluation> {
  const { data, target, estimator: estimators, resamples, seed, ...columns } = options;
  const log = await readCreativeLog(data, columns, ['action', 'reward', 'propensity']);
  const { propensity: _, unit: __, ...targetColumns } = log.columns;
  const other = target === 'uniform' ? undefined : await readCreativeLog(target, targetColumns, ['action'], ['reward']);
  const { decisions, warnings } = targetedLog(log, other ?? 'uniform');
  const result = evaluateOffPolicy(decisions, { estimators, resamples, random: createRandom(seed) });
  return {
    target,
    seed,
    ...result,
    observed: { log: observedIn(log), target: other?.columns.reward === undefined ? null : observedIn(other) },
    warnings: [...warnings, ...result.warnings],
  };
}

/** The mean, with Wilson's interval of a rate, or the normal one of other rewards. */
function observedIn({ rewards }: CreativeLog): Observed {
  const rows = rewards.length;
  let [sum, squares, isRate] = [0, 0, true];
  for (const reward of rewards) {
    sum += reward;
    squares += reward * reward;
    isRate &&= reward === 0 || reward === 1;
  }
  const value = sum / rows;
  const half = 1.96 * Math.sqrt(Math.max(0, squares / rows - value * value) / rows);
  const [low, high] = isRate ? wilsonInterval(value, rows) : [value - half, value + half];
  return { rows, value, low, high };
}
