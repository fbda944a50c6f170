import { assert } from '../core/errors.ts';
import { auc } from '../evaluation/auc.ts';
import { logLoss } from '../evaluation/metrics.ts';
import type { PrecisionFacts } from '../model/bundle.ts';
import type { Sample } from '../model/sample.ts';
import type { Precision } from './engines.ts';
import { scoreInBlocks } from './scoreInBlocks.ts';
import type { Scorer } from './scorer.ts';

/** A precision that an engine can compute in here. */
export interface PrecisionChoice {
  readonly precision: Exclude<Precision, 'auto'>;
  load(): Scorer;
}

export interface ChosenPrecision {
  readonly precision: Exclude<Precision, 'auto'>;
  readonly scorer: Scorer;
  /** For people and logs: `int8: AUC −0.00071, …, not within …; bf16: AUC −0.00002, log loss +0.001 %, within …`. */
  readonly reason: string;
}

interface Quality {
  /** null where a class is missing. */
  readonly auc: number | null;
  readonly logLoss: number;
}

/**
 * Takes the first precision that is as good as float32 on a bundle's sample, but for its limits:
 *
 *   AUC_fp32 − AUC ≤ limits.auc     logLoss / logLoss_fp32 − 1 ≤ limits.logLoss     for every task
 *
 * @param choices the fastest first, with fp32 as the last
 * @returns the choice, loaded; the others are disposed of
 */
export function choosePrecision(
  sample: Sample | undefined,
  limits: PrecisionFacts['limits'] | undefined,
  choices: readonly PrecisionChoice[],
): ChosenPrecision {
  const exact = choices[choices.length - 1];
  assert(exact?.precision === 'fp32', 'choosePrecision: expected fp32 as the last choice');
  const base = exact.load();
  if (sample === undefined || limits === undefined || sample.input.rowCount === 0 || sample.labels.size === 0)
    return { precision: 'fp32', scorer: base, reason: 'fp32, since the bundle has no sample to judge others by' };
  const expected = qualityOf(base, sample);
  const reasons: string[] = [];
  for (const { precision, load } of choices.slice(0, -1)) {
    const scorer = load();
    const { reason, within } = compare(qualityOf(scorer, sample), expected, limits);
    reasons.push(`${precision}: ${reason}`);
    if (within) {
      base.dispose();
      return { precision, scorer, reason: reasons.join('; ') };
    }
    scorer.dispose();
  }
  return { precision: 'fp32', scorer: base, reason: ['fp32', ...reasons].join('; ') };
}

function qualityOf(scorer: Scorer, { input, labels }: Sample): Map<string, Quality> {
  const scores = scoreInBlocks(scorer, input);
  return new Map(
    [...labels].map(([task, y]) => {
      const p = scores.get(task);
      assert(p !== undefined && p.length >= y.length, `engine '${scorer.engine}' gave no scores of '${task}'`);
      // Numbers beyond a precision's range must lose against any others.
      if (!p.every((x) => x >= 0 && x <= 1)) return [task, { auc: 0, logLoss: Number.POSITIVE_INFINITY }];
      return [task, { auc: auc(p, y), logLoss: logLoss(p, y) ?? 0 }];
    }),
  );
}

function compare(
  got: ReadonlyMap<string, Quality>,
  expected: ReadonlyMap<string, Quality>,
  limits: PrecisionFacts['limits'],
): { reason: string; within: boolean } {
  let aucLoss = Number.NEGATIVE_INFINITY;
  let lossGain = Number.NEGATIVE_INFINITY;
  for (const [task, base] of expected) {
    const quality = got.get(task) as Quality;
    if (base.auc !== null && quality.auc !== null) aucLoss = Math.max(aucLoss, base.auc - quality.auc);
    const ratio = quality.logLoss === base.logLoss ? 1 : quality.logLoss / base.logLoss;
    lossGain = Math.max(lossGain, ratio - 1);
  }
  const within = aucLoss <= limits.auc && lossGain <= limits.logLoss;
  const differences = [
    ...(aucLoss > Number.NEGATIVE_INFINITY ? [`AUC ${signed(-aucLoss, 5)}`] : []),
    `log loss ${signed(100 * lossGain, 3)} %`,
  ];
  const bounds = `${-limits.auc} and +${100 * limits.logLoss} %`;
  return { reason: `${differences.join(', ')}, ${within ? 'within' : 'not within'} ${bounds}`, within };
}

const signed = (x: number, digits: number) => `${x < 0 ? '−' : '+'}${Math.abs(x).toFixed(digits)}`;
