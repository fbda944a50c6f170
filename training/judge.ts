import { calibrateInto } from '../src/evaluation/calibration.ts';
import { fitCalibration } from '../src/evaluation/fitCalibration.ts';
import type { TaskMetrics } from '../src/evaluation/metrics.ts';
import type { CalibrationCurve } from '../src/model/bundle.ts';
import type { TypedModel } from '../src/model/checkModel.ts';
import type { FieldsType } from '../src/model/values.ts';
import { runSteps } from '../src/scoring/engines/reference/runSteps.ts';
import { rowRange } from '../src/scoring/scoreInBlocks.ts';
import type { EncodedChunk } from './dataset/encodedStore.ts';
import {
  type EvaluationRows,
  groupsOf,
  halves,
  metricsOf,
  pickRows,
  type SliceNames,
  slicesOf,
} from './evaluationRows.ts';
import type { CurvePoint } from './fitLoop.ts';
import type { Weights } from './parameters.ts';
import { renderReport } from './report/renderReport.ts';
import type { FieldImportance, LearningCurve, SliceReport } from './report/reportData.ts';
import { taskReport } from './report/taskReport.ts';

export interface JudgeInputs {
  /** Raw predictions on the validation rows. */
  readonly rows: EvaluationRows;
  readonly typed: TypedModel;
  /** Tasks that only the learning curve shows. */
  readonly auxiliary?: readonly string[];
  readonly weights: Weights;
  /** Validation rows to read the gates from. */
  readonly sample: EncodedChunk;
  readonly sliceNames: SliceNames;
  readonly curve: readonly CurvePoint[];
  readonly keptAtExamples: number;
  readonly warnings: readonly string[];
  readonly data: string;
  readonly date: string;
  readonly trainRows: number;
  readonly durationS: number;
  readonly facts: readonly { name: string; value: string }[];
}

export interface Judgement {
  readonly calibration: Record<string, CalibrationCurve>;
  /** `raw` and `calibrated` on the users that calibration has not seen, `all` raw on all validation rows. */
  readonly metrics: Record<'raw' | 'calibrated' | 'all', Record<string, TaskMetrics>>;
  readonly report: string;
}

/** Rows whose gates are averaged in the report. */
const gateRows = 2000;

/**
 * Calibrates on one half of the validation users and reports on the other, so that no number is measured on what it was
 * fitted to.
 */
export function judge(inputs: JudgeInputs): Judgement {
  const { rows, typed } = inputs;
  const [fitHalf, testHalf] = halves(rows);
  const fitted = pickRows(rows, fitHalf);
  const test = pickRows(rows, testHalf);
  const calibration: Record<string, CalibrationCurve> = {};
  for (const [task, labels] of fitted.labels) {
    const { x, y } = fitCalibration(fitted.probabilities.get(task) as Float64Array, labels, fitted.weights);
    calibration[task] = { x: [...x], y: [...y] };
  }
  const calibrated = calibrateAll(test.probabilities, calibration);
  const metrics = {
    raw: Object.fromEntries(metricsOf(test)),
    calibrated: Object.fromEntries(metricsOf(test, calibrated)),
    all: Object.fromEntries(metricsOf(rows)),
  };
  const groups = groupsOf(test);
  const tasks = [...test.labels].map(([task, labels]) =>
    taskReport({
      task,
      raw: test.probabilities.get(task) as Float64Array,
      calibrated: calibrated.get(task) as Float64Array,
      labels,
      groups,
      weights: test.weights,
      truth: test.truths.get(task),
    }),
  );
  const slices: SliceReport[] = [];
  for (const [field, byTask] of slicesOf(test, inputs.sliceNames, calibrated)) {
    for (const [task, values] of byTask) slices.push({ field, task, slices: values });
  }
  const report = renderReport({
    arch: typed.model.architecture,
    data: inputs.data,
    date: inputs.date,
    trainRows: inputs.trainRows,
    validRows: rows.rowCount,
    durationS: inputs.durationS,
    facts: inputs.facts,
    warnings: inputs.warnings,
    tasks,
    learning: learningCurves(inputs, metrics.all),
    importances: importances(typed, inputs.weights, inputs.sample),
    slices,
  });
  return { calibration, metrics, report };
}

/** Calibrated copies, by task; a task without a curve stays as it is. */
export function calibrateAll(
  probabilities: ReadonlyMap<string, Float64Array>,
  calibration: Readonly<Record<string, CalibrationCurve>>,
): Map<string, Float64Array> {
  return new Map(
    [...probabilities].map(([task, p]) => {
      const copy = p.slice();
      if (Object.hasOwn(calibration, task)) calibrateInto(calibration[task], copy);
      return [task, copy];
    }),
  );
}

function learningCurves(
  { curve, keptAtExamples, typed, auxiliary = [] }: JudgeInputs,
  metrics: Record<string, TaskMetrics>,
): LearningCurve[] {
  const examples = curve.map((point) => point.examples);
  return [...typed.model.tasks.map(({ name }) => name), ...auxiliary].map((name) => ({
    task: name,
    trainExamples: examples,
    trainLogLoss: curve.map((point) => point.train[name]),
    validExamples: examples,
    validLogLoss: curve.map((point) => point.valid[name]),
    constantLogLoss: metrics[name]?.constantLogLoss,
    keptAtExamples,
  }));
}

/** Mean and deviation of each SENet gate over some rows. */
function importances(typed: TypedModel, weights: Weights, chunk: EncodedChunk): FieldImportance[] {
  const senet = typed.model.steps.filter((step) => step.op === 'senet');
  if (senet.length === 0) return [];
  const values = runSteps(typed, weights, rowRange(chunk, 0, Math.min(gateRows, chunk.rowCount)));
  return senet.flatMap((step) => {
    const type = typed.values.get(step.inputs[0])?.type as FieldsType;
    const names = type.names;
    const gates = values.get(step.output);
    if (gates === undefined) return [];
    return names.map((field, f) => {
      let sum = 0;
      let squares = 0;
      for (let row = 0; row < gates.rows; row++) {
        const gate = gates.values[row * names.length + f];
        sum += gate;
        squares += gate * gate;
      }
      const meanGate = sum / gates.rows;
      return { field, meanGate, sdGate: Math.sqrt(Math.max(0, squares / gates.rows - meanGate * meanGate)) };
    });
  });
}
