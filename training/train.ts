import { accessSync, constants, existsSync, rmSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { listOf, messageOf, UserError } from '../src/core/errors.ts';
import { createRandom } from '../src/core/random.ts';
import { saveWithSchema } from '../src/history/stateSchema.ts';
import type { Bundle } from '../src/model/bundle.ts';
import { writeBundle } from '../src/model/bundleFiles.ts';
import type { TypedModel } from '../src/model/checkModel.ts';
import { encodeHistoryFile, historyFile } from '../src/model/historyFile.ts';
import { counterNames } from '../src/schema/counterNames.ts';
import type { Fitted } from '../src/schema/fitted.ts';
import type { Schema } from '../src/schema/schema.ts';
import type { Learner, LearnerOptions } from '../src/scoring/learner.ts';
import { checkpointFolder, readCheckpoint, writeCheckpoint } from './checkpoint.ts';
import type { Config } from './config.ts';
import { orderedBatches } from './dataset/batches.ts';
import { distilFacts, distillationOf } from './distil.ts';
import { RowCollector } from './evaluationRows.ts';
import { type FitResult, type FitState, fitModel } from './fitLoop.ts';
import { judge } from './judge.ts';
import { copyWeights, initialWeights, type Weights } from './parameters.ts';
import { type Prepared, prepareData } from './prepareData.ts';
import type { Reporter } from './reporter.ts';
import { drawSample } from './sample.ts';
import { bundleOf } from './trainedBundle.ts';
import { exportedWeights, Trainer } from './trainer.ts';

export type LearnerFactory = (typed: TypedModel, options: LearnerOptions) => Learner;

export interface TrainInputs {
  readonly schema: Schema;
  readonly config: Config;
  /** An architecture's name; the configuration's, else `senet-dnn`, where absent. */
  readonly architecture?: string;
  /** Files, folders or globs of Parquet. */
  readonly train: string | readonly string[];
  /** Rows to validate on: a table of their own, or those of `train` from a time on. */
  readonly valid: { readonly data: string | readonly string[] } | { readonly fromMs: number };
  /** A state of history, alone or in a bundle, from just before the first row given; none where absent. */
  readonly history?: string;
  /** A trained model's bundle, whose order within requests is learned beside the labels. */
  readonly distil?: string;
  /** The bundle's folder; must not exist. */
  readonly out: string;
  /** A bundle to start from, or a checkpoint to resume. */
  readonly from?: string;
  readonly seed: number;
  /** Gives the learner of a TensorFlow.js backend, say. */
  readonly loadLearner: () => Promise<LearnerFactory>;
  readonly reporter: Reporter;
  readonly isInterrupted?: () => boolean;
  readonly nowMs: () => number;
  readonly createdBy: string;
}

export interface TrainSummary {
  readonly out: string;
  readonly interrupted: boolean;
  readonly metrics: Bundle['manifest']['metrics'];
  readonly trainRows: number;
  readonly validRows: number;
  readonly examplesPerSecond: number;
}

/** Trains a model on a table and writes it as a bundle. A failed or interrupted training leaves `out` as it was. */
export async function train(inputs: TrainInputs): Promise<TrainSummary> {
  checkOutput(inputs);
  const startMs = inputs.nowMs();
  // First, since a backend that does not load is known at once, and the data takes a while.
  const createLearner = await inputs.loadLearner();
  const data = await prepareData(inputs);
  try {
    const fitStartMs = inputs.nowMs();
    const { trainer, resumed } = await createTrainer(inputs, data, createLearner);
    const checkpoint = checkpointFolder(inputs.out);
    const keep = (fit: FitState) =>
      writeCheckpoint(
        checkpoint,
        bundleOf(inputs, data, data.typed, trainer.weights(), {}, {}, fit.progress, trainer.learner.device),
        { trainer: trainer.state(), fit },
      );
    const result = await fitModel({
      trainer,
      typed: data.typed,
      served: data.served,
      options: inputs.config.training,
      train: data.train,
      valid: data.valid,
      expectedRows: data.expectedRows,
      seed: inputs.seed,
      reporter: inputs.reporter,
      from: resumed,
      isInterrupted: inputs.isInterrupted ?? (() => false),
      onValidated: keep,
      breathe: () => new Promise((resolve) => setImmediate(resolve)),
    });
    const seconds = (inputs.nowMs() - fitStartMs) / 1000;
    const { progress } = result.state;
    const summary = {
      out: inputs.out,
      interrupted: result.interrupted,
      metrics: {},
      trainRows: data.train.rowCount,
      validRows: data.valid.rowCount,
      examplesPerSecond: (progress.examples - (resumed?.progress.examples ?? 0)) / seconds,
    };
    if (result.interrupted) {
      await keep(result.state);
      inputs.reporter.line(
        `stopped after ${progress.examples} examples; resume with the same command and --from ${checkpoint}`,
      );
      trainer.dispose();
      return { ...summary, out: checkpoint };
    }
    const device = trainer.learner.device;
    const judged = judgeResult(inputs, data, result, trainer, startMs);
    trainer.dispose();
    const { served } = data;
    const sample = drawSample(data.valid, served, createRandom(inputs.seed).fork('sample'));
    const { calibration, metrics } = judged;
    const bundle = bundleOf(inputs, data, served, result.weights, calibration, metrics, progress, device, sample);
    const extraFiles = new Map<string, string | Uint8Array>([['report.html', judged.report]]);
    if (data.history !== undefined)
      extraFiles.set(historyFile, encodeHistoryFile(saveWithSchema(data.history, inputs.schema)));
    await writeBundle(inputs.out, bundle, { extraFiles });
    rmSync(checkpoint, { recursive: true, force: true });
    return { ...summary, metrics: judged.metrics };
  } finally {
    data.train.dispose();
    data.valid.dispose();
  }
}

/** Finds out what would keep the bundle from being written before an hour's training does. */
function checkOutput({ out, from }: TrainInputs): void {
  if (existsSync(out))
    throw new UserError(
      `output folder '${out}' exists; name another, such as the next version, or remove it`,
      'conflict',
    );
  const checkpoint = checkpointFolder(out);
  if (existsSync(checkpoint) && (from === undefined || resolve(from) !== resolve(checkpoint)))
    throw new UserError(
      `an interrupted training left '${checkpoint}', which this one would overwrite; resume it with --from ${checkpoint}, or remove it`,
      'conflict',
    );
  let parent = dirname(resolve(out));
  while (!existsSync(parent)) parent = dirname(parent);
  try {
    // Fails on a file as on a folder that may not be written to.
    accessSync(`${parent}/.`, constants.W_OK);
  } catch (error) {
    throw new UserError(`output folder '${out}' cannot be made (${messageOf(error)}); name another place`);
  }
}

/** A new trainer, or one that goes on from a bundle (its weights) or a checkpoint (all of its state). */
async function createTrainer(
  inputs: TrainInputs,
  data: Prepared,
  createLearner: LearnerFactory,
): Promise<{ trainer: Trainer; resumed?: FitState }> {
  const { typed, fitted, from } = data;
  const options = inputs.config.training;
  // A bundle's biases hold the correction of sampled negatives; training begins without it.
  const weights = from && weightsFrom(from, typed, fitted, inputs);
  const trainer = new Trainer({
    typed,
    fitted,
    options,
    seed: inputs.seed,
    weights,
    distillation: inputs.distil === undefined ? undefined : distillationOf(typed, inputs.config.distil),
    createLearner: (o) => createLearner(typed, o),
  });
  inputs.reporter.line(`training ${typed.model.architecture} on ${trainer.learner.device}`);
  const checkpoint = inputs.from === undefined ? undefined : await readCheckpoint(inputs.from);
  if (checkpoint === undefined || from === undefined) return { trainer };
  const { config, teacher, distil, seed, trainRows } = from.manifest.training;
  const compared = [
    ['configuration', config, options],
    ['teacher', teacher, inputs.config.teacher],
    ['distillation', distil, distilFacts(inputs)],
    ['seed', seed, inputs.seed],
    ['number of training rows', trainRows, data.train.rowCount],
  ] as const;
  const changed = compared.filter(([, then, now]) => JSON.stringify(then) !== JSON.stringify(now));
  if (changed.length > 0) {
    inputs.reporter.warn(
      `--from ${inputs.from}: another ${listOf(changed.map(([what]) => what))} than it began with; starting from its weights, from the first epoch on`,
    );
    return { trainer };
  }
  trainer.restore(checkpoint.trainer);
  inputs.reporter.line(`resuming after ${checkpoint.fit.progress.examples} examples`);
  return { trainer, resumed: checkpoint.fit };
}

/** Those of a bundle, and new ones for the auxiliary tasks that it lacks. */
function weightsFrom({ weights }: Bundle, typed: TypedModel, fitted: Fitted, { config, seed }: TrainInputs): Weights {
  const { embeddingScale, negativeSampling } = config.training;
  const all = [...initialWeights(typed, fitted, embeddingScale, seed), ...copyWeights(weights)];
  return exportedWeights(new Map(all), typed, 1 / negativeSampling);
}

function judgeResult(inputs: TrainInputs, data: Prepared, result: FitResult, trainer: Trainer, startMs: number) {
  const collector = new RowCollector(data.served);
  trainer.load(result.weights);
  for (const chunk of orderedBatches(data.valid, 4096)) collector.add(chunk, trainer.predict(chunk));
  return judge({
    rows: collector.finish(),
    typed: data.served,
    auxiliary: inputs.config.auxiliary.map(({ name }) => name),
    weights: result.weights,
    sample: data.valid.chunk(0),
    sliceNames: data.sliceNames,
    curve: result.curve,
    keptAtExamples: result.keptAtExamples,
    warnings: data.warnings,
    data: [inputs.train].flat().join(', '),
    date: new Date(inputs.nowMs()).toISOString().slice(0, 10),
    trainRows: data.train.rowCount,
    durationS: (inputs.nowMs() - startMs) / 1000,
    facts: [
      { name: 'backend', value: trainer.learner.device },
      { name: 'seed', value: String(inputs.seed) },
      { name: 'configuration', value: JSON.stringify(inputs.config.training) },
      ...auxiliaryFacts(inputs),
      ...historyFacts(inputs.schema),
    ],
  });
}

function historyFacts({ historyFields = [] }: Schema) {
  const names = historyFields.flatMap((field) => (field.kind === 'counter' ? counterNames(field) : [field.name]));
  return names.length > 0 ? [{ name: 'history', value: names.join(', ') }] : [];
}

function auxiliaryFacts(inputs: TrainInputs) {
  const { auxiliary, teacher } = inputs.config;
  const distil = distilFacts(inputs);
  return [
    ...(auxiliary.length > 0 ? [{ name: 'auxiliary tasks', value: JSON.stringify(auxiliary) }] : []),
    ...(teacher ? [{ name: 'teacher', value: JSON.stringify(teacher) }] : []),
    ...(distil ? [{ name: 'distilled from', value: JSON.stringify(distil) }] : []),
  ];
}
