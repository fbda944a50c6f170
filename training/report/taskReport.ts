import { scoreHistogram } from '../../src/evaluation/histogram.ts';
import { evaluateTask } from '../../src/evaluation/metrics.ts';
import { reliabilityBins } from '../../src/evaluation/reliability.ts';
import type { Labels, Values } from '../../src/evaluation/rows.ts';
import type { TaskReport } from './reportData.ts';

/** One task's columns over the rows to report on. */
export interface ReportedRows {
  task: string;
  raw: Values;
  /** null where there is no calibration. */
  calibrated: Values | null;
  labels: Labels;
  groups?: Int32Array;
  weights?: Values;
  /** The true probabilities, where they are known. */
  truth?: Values | null;
}

/** Measures a task for the report. */
export function taskReport({ task, raw, calibrated, labels, groups, weights, truth }: ReportedRows): TaskReport {
  const best = truth ? evaluateTask({ probabilities: truth, labels, weights }) : null;
  return {
    task,
    raw: evaluateTask({ probabilities: raw, labels, groups, weights }),
    calibrated: calibrated && evaluateTask({ probabilities: calibrated, labels, groups, weights }),
    best: best && { auc: best.auc, logLoss: best.logLoss },
    rawBins: reliabilityBins(raw, labels, 20, weights),
    calibratedBins: calibrated && reliabilityBins(calibrated, labels, 20, weights),
    histogram: scoreHistogram(calibrated ?? raw, labels),
  };
}
