import type { ScoreHistogram } from '../../src/evaluation/histogram.ts';
import type { TaskMetrics } from '../../src/evaluation/metrics.ts';
import type { ReliabilityBin } from '../../src/evaluation/reliability.ts';
import type { SliceMetrics } from '../../src/evaluation/slices.ts';

/** All that a report shows; plain values, so that it can be kept as JSON and drawn again. Any text may be hostile. */
export interface ReportData {
  /** The model's name, such as `senet-dnn`. */
  arch: string;
  /** What it was trained on, in words or as a path. */
  data: string;
  /** When, as shown. */
  date: string;
  trainRows: number;
  validRows: number;
  durationS: number;
  /** More to know: backend, seed, parameters, learning rate. Shown as given. */
  facts?: readonly { name: string; value: string }[];
  /** What the schema or the data gave cause to warn of. */
  warnings?: readonly string[];
  tasks: readonly TaskReport[];
  learning?: readonly LearningCurve[];
  /** Learned SENet gates by field, in any order. */
  importances?: readonly FieldImportance[];
  slices?: readonly SliceReport[];
}

/** One task on rows that neither the model nor its calibration was fitted on. */
export interface TaskReport {
  task: string;
  raw: TaskMetrics;
  /** null where there is no calibration. */
  calibrated: TaskMetrics | null;
  /** What a model that knew the true probabilities would reach, where they are known (simulated data). */
  best?: { auc: number | null; logLoss: number | null } | null;
  rawBins: readonly ReliabilityBin[];
  calibratedBins: readonly ReliabilityBin[] | null;
  /** Of the probabilities that the model serves: calibrated where it is. */
  histogram: ScoreHistogram;
}

/** Log loss by the number of training examples seen; two columns for each line. */
export interface LearningCurve {
  task: string;
  trainExamples: readonly number[];
  trainLogLoss: readonly number[];
  validExamples: readonly number[];
  validLogLoss: readonly number[];
  /** Log loss of the constant predictor on the validation rows. */
  constantLogLoss?: number | null;
  /** Examples seen by the weights that were kept. */
  keptAtExamples?: number | null;
}

/** A field's gate a_f over the validation rows. */
export interface FieldImportance {
  field: string;
  meanGate: number;
  sdGate: number;
}

/** One task's metrics by value of one field, largest value first. */
export interface SliceReport {
  field: string;
  task: string;
  slices: readonly SliceMetrics[];
}
