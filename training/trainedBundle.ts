import { basename } from 'node:path';
import { type Bundle, type CalibrationCurve, tableWeight } from '../src/model/bundle.ts';
import type { TypedModel } from '../src/model/checkModel.ts';
import { createManifest } from '../src/model/manifest.ts';
import type { Sample } from '../src/model/sample.ts';
import { measureActivations } from '../src/scoring/activations.ts';
import { makeGolden } from '../src/scoring/golden.ts';
import { distilFacts } from './distil.ts';
import type { Progress } from './fitLoop.ts';
import type { Weights } from './parameters.ts';
import type { Prepared } from './prepareData.ts';
import type { TrainInputs } from './train.ts';
import { exportedWeights } from './trainer.ts';

/**
 * What was trained as a bundle.
 *
 * @param typed as it is to be exported: served, or for a checkpoint as it was trained
 * @param weights at least those of `typed`, as they were trained
 */
export function bundleOf(
  inputs: TrainInputs,
  data: Prepared,
  typed: TypedModel,
  weights: Weights,
  calibration: Record<string, CalibrationCurve>,
  metrics: Bundle['manifest']['metrics'],
  progress: Progress,
  device: string,
  sample?: Sample,
): Bundle {
  const { fitted, golden } = data;
  const exported = weightsOf(typed, exportedWeights(weights, typed, inputs.config.training.negativeSampling));
  const precision = sample && {
    limits: inputs.config.precisionLimits,
    activations: measureActivations(typed, exported, sample.input),
  };
  const facts = {
    name: inputs.schema.name,
    version: basename(inputs.out),
    createdAt: new Date(inputs.nowMs()).toISOString(),
    createdBy: inputs.createdBy,
    calibration,
    ...(precision && { precision }),
    metrics,
    training: {
      config: inputs.config.training,
      teacher: inputs.config.teacher,
      distil: distilFacts(inputs),
      auxiliary: inputs.config.auxiliary.length > 0 ? inputs.config.auxiliary : undefined,
      history: data.history && {
        from: inputs.history,
        until: new Date(data.history.watermarkMs).toISOString(),
        ...data.history.stats(),
      },
      model: inputs.config.model,
      seed: inputs.seed,
      device,
      from: inputs.from,
      files: data.files,
      trainRows: data.train.rowCount,
      validRows: data.valid.rowCount,
      progress,
    },
  };
  const manifest = JSON.parse(JSON.stringify(createManifest(facts, typed, fitted)));
  return {
    manifest,
    typed,
    fitted,
    weights: exported,
    golden: makeGolden({ typed, fitted, weights: exported }, golden.columns, golden.rowCount),
    ...(sample && { sample }),
  };
}

/** The weights that a model has: of those it was trained with, not those of auxiliary tasks alone. */
function weightsOf(typed: TypedModel, weights: Weights): Weights {
  const tables = typed.model.tables.map(({ name }) => tableWeight(name));
  const parameters = [...typed.parameters].flatMap(([output, specs]) => specs.map(({ name }) => `${output}.${name}`));
  const names = new Set([...tables, ...parameters]);
  return new Map([...weights].filter(([name]) => names.has(name)));
}
