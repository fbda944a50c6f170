import { assert } from '../core/errors.ts';
import { auc } from '../evaluation/auc.ts';
import { logLoss } from '../evaluation/metrics.ts';
import type { PrecisionFacts } from '../model/bundle.ts';
import type { Sample } from '../model/sample.ts';
import type { Precision } from './engines.ts';
import { scoreInBlocks } from './scoreInBlocks.ts';
import type { Scorer, Scores } from './scorer.ts';

export type NumberPrecision = Exclude<Precision, 'auto'>;

/** How far an engine's probabilities may be from the reference engine's, by what it computes in. */
export const tolerances: Readonly<Record<NumberPrecision, number>> = { fp32: 1e-4, bf16: 5e-3, int8: 1e-2 };

/** A precision that an engine can compute in here. */
export interface PrecisionChoice {
  readonly precision: NumberPrecision;
  load(): Scorer;
}

export interface ChosenPrecision {
  readonly precision: NumberPrecision;
  readonly scorer: Scorer;
  /** For people and logs: `int8: AUC −0.00071, log loss +0.040 %, …: too much; bf16: AUC −0.00002, …: within limits`. */
  readonly reason: string;
}

/**
 * Takes the first precision that is as good as float32 on a bundle's sample, but for its limits:
 *
 *   AUC_fp32 − AUC ≤ limits.auc     logLoss / logLoss_fp32 − 1 ≤ limits.logLoss     |p − p_fp32| ≤ tolerance
 *
 * for every task, the last for every row.
 *
 * @param choices the fastest first, with fp32 as the last
 * @returns the choice, loaded; the others are disposed of
 */
export function choosePrecision(
  sample: Sample | undefined,
  limits: PrecisionFacts['limits'] | undefined,
  choices: readonly PrecisionChoice[],
): ChosenPrecision {
  const last = choices[choices.length - 1];
  assert(last?.precision === 'fp32', 'choosePrecision: expected fp32 as the last choice');
  const exact = last.load();
  if (sample === undefined || limits === undefined || sample.input.rowCount === 0 || sample.labels.size === 0)
    return { precision: 'fp32', scorer: exact, reason: 'fp32, since the bundle has no sample to judge others by' };
  const expected = new Map([...scoreInBlocks(exact, sample.input)].map(([task, p]) => [task, p.slice()]));
  const reasons: string[] = [];
  for (const { precision, load } of choices.slice(0, -1)) {
    const scorer = load();
    const loss = compare(scoreInBlocks(scorer, sample.input), expected, sample.labels);
    const within =
      loss.auc <= limits.auc && loss.logLoss <= limits.logLoss && loss.probability <= tolerances[precision];
    reasons.push(`${precision}: ${describe(loss)}: ${within ? 'within limits' : 'too much'}`);
    if (within) {
      exact.dispose();
      return { precision, scorer, reason: reasons.join('; ') };
    }
    scorer.dispose();
  }
  return { precision: 'fp32', scorer: exact, reason: ['fp32', ...reasons].join('; ') };
}

/** By how much a precision is worse than float32, in the worst task; below 0 where it is better. */
interface Loss {
  auc: number;
  logLoss: number;
  probability: number;
}

function compare(got: Scores, expected: Scores, labels: Sample['labels']): Loss {
  const loss: Loss = { auc: 0, logLoss: Number.NEGATIVE_INFINITY, probability: 0 };
  const aucs: number[] = [];
  for (const [task, y] of labels) {
    const p = got.get(task);
    const exact = expected.get(task);
    assert(p !== undefined && exact !== undefined, `no scores of task '${task}'`);
    for (let row = 0; row < y.length; row++) {
      const difference = Math.abs(p[row] - exact[row]);
      // Written so that NaN is the largest.
      if (!(difference <= loss.probability)) loss.probability = difference >= 0 ? difference : Number.POSITIVE_INFINITY;
    }
    // Metrics of no numbers are none.
    if (loss.probability === Number.POSITIVE_INFINITY) return { auc: 1, logLoss: loss.probability, probability: 1 };
    const [area, exactArea] = [auc(p, y), auc(exact, y)];
    if (area !== null && exactArea !== null) aucs.push(exactArea - area);
    const [entropy, exactEntropy] = [logLoss(p, y) ?? 0, logLoss(exact, y) ?? 0];
    loss.logLoss = Math.max(loss.logLoss, entropy === exactEntropy ? 0 : entropy / exactEntropy - 1);
  }
  if (aucs.length > 0) loss.auc = Math.max(...aucs);
  return loss;
}

const describe = (loss: Loss) =>
  `AUC ${signed(-loss.auc, 5)}, log loss ${signed(100 * loss.logLoss, 3)} %, p ± ${loss.probability.toFixed(5)}`;

function signed(x: number, digits: number): string {
  const text = Math.abs(x).toFixed(digits);
  return Number(text) === 0 ? text : `${x < 0 ? '−' : '+'}${text}`;
}
