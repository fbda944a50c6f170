import { existsSync } from 'node:fs';
import { UserError } from '../core/errors.ts';
import { nearestName } from '../core/nearestName.ts';
import { createRandom } from '../core/random.ts';
import type { EstimatorName } from '../evaluation/estimatorNames.ts';
import { groupCount } from '../evaluation/groups.ts';
import { evaluateOffPolicy, type OffPolicyEvaluation } from '../evaluation/ope.ts';
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

/** A mean reward that was seen, with a 95 % interval, drawn from units where they are named. */
export interface Observed {
  readonly rows: number;
  readonly value: number;
  readonly low: number | null;
  readonly high: number | null;
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
  if (target !== 'uniform' && nearestName(target, ['uniform']) !== undefined && !existsSync(target))
    throw new UserError(`--target '${target}': no such file or folder; did you mean 'uniform'?`, 'missing');
  const log = await readCreativeLog(data, columns, ['action', 'reward', 'propensity']);
  const { propensity: _, ...targetColumns } = log.columns;
  const other =
    target === 'uniform' ? undefined : await readCreativeLog(target, targetColumns, ['action'], ['reward', 'unit']);
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

/**
 * The mean, with Wilson's interval of a rate, or the normal one of other rewards. Its variance is that between units,
 *
 *   Σ_u (S_u − r̄·n_u)² / n²      S_u: a unit's rewards, n_u: its rows
 *
 * and Wilson's rows are as many independent ones as have it, at most those there are; the units where all rewards are alike. No
 * interval where there is one unit alone.
 */
function observedIn({ rewards, units }: CreativeLog): Observed {
  const rows = rewards.length;
  const value = rewards.reduce((sum, reward) => sum + reward, 0) / rows;
  const residuals = new Float64Array(units ? groupCount(units) : rows);
  for (const [row, reward] of rewards.entries()) residuals[units ? units[row] : row] += reward - value;
  const variance = residuals.reduce((sum, residual) => sum + residual * residual, 0) / rows ** 2;
  const half = 1.96 * Math.sqrt(variance);
  const isRate = rewards.every((reward) => reward === 0 || reward === 1);
  if (units && residuals.length === 1) return { rows, value, low: null, high: null };
  const independent = Math.min(rows, (value * (1 - value)) / variance || residuals.length);
  const [low, high] = isRate ? wilsonInterval(value, independent) : [value - half, value + half];
  return { rows, value, low, high };
}
