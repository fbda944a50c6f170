import { UserError } from '../src/core/errors.ts';
import { createRandom } from '../src/core/random.ts';
import { lossOfRow } from '../src/evaluation/metrics.ts';
import type { TypedModel } from '../src/model/checkModel.ts';
import type { TrainingOptions } from './config.ts';
import { orderedBatches, type RowFilter, shuffledBatches } from './dataset/batches.ts';
import type { EncodedStore } from './dataset/encodedStore.ts';
import { labelOfTask } from './evaluationRows.ts';
import type { Weights } from './parameters.ts';
import type { Reporter } from './reporter.ts';
import type { Trainer } from './trainer.ts';

/** How far training has come: enough to go on from, with the weights and the optimizer's state. */
export interface Progress {
  readonly epoch: number;
  /** Batches of this epoch already taken. */
  readonly batch: number;
  readonly step: number;
  readonly examples: number;
}

/** One point of the learning curve. */
export interface CurvePoint {
  readonly examples: number;
  /** Mean since the last point, by task. */
  readonly train: Readonly<Record<string, number>>;
  readonly valid: Readonly<Record<string, number>>;
}

/** What the loop remembers: with the trainer's weights and state, all it takes to go on as if it had not stopped. */
export interface FitState {
  readonly progress: Progress;
  readonly curve: readonly CurvePoint[];
  /** Of the best validation. */
  readonly best?: { readonly loss: number; readonly examples: number; readonly weights: Weights };
  /** Validations since the best. */
  readonly worse: number;
  /** The step of the last validation, 0 before the first. */
  readonly validatedAtStep: number;
  /** Training losses since then: a sum by loss, and their rows. */
  readonly since: { readonly sums: readonly number[]; readonly rows: number };
}

export interface FitResult {
  readonly curve: readonly CurvePoint[];
  /** The weights of the best validation. */
  readonly weights: Weights;
  readonly keptAtExamples: number;
  readonly state: FitState;
  /** Whether it was interrupted before its end. */
  readonly interrupted: boolean;
}

export interface FitInputs {
  readonly trainer: Trainer;
  readonly typed: TypedModel;
  /** The tasks by which the best weights are chosen: without auxiliary ones. */
  readonly served: TypedModel;
  readonly options: TrainingOptions;
  readonly train: EncodedStore;
  readonly valid: EncodedStore;
  /** Rows of `train` that negative sampling keeps, in expectation. */
  readonly expectedRows: number;
  readonly seed: number;
  readonly reporter: Reporter;
  /** Where an interrupted training had come to; its trainer must have been restored. */
  readonly from?: FitState;
  /** Asked after every step. */
  readonly isInterrupted: () => boolean;
  /** Called after each validation, to keep a checkpoint. */
  readonly onValidated?: (state: FitState) => Promise<void>;
  /** Lets the process handle signals and requests between steps. */
  readonly breathe: () => Promise<void>;
}

/** Validation during training looks at no more rows than this, spread over all of them. */
const validationRows = 100_000;
const validationBatch = 4096;

/** The training loop: shuffled batches, decaying rates, validation, early stopping. */
export async function fitModel(inputs: FitInputs): Promise<FitResult> {
  const { trainer, typed, served, options, train, seed, reporter } = inputs;
  const batchesPerEpoch = Math.max(1, Math.ceil(inputs.expectedRows / options.batchSize));
  const totalSteps = options.epochs * batchesPerEpoch;
  const validateEvery = Math.max(1, Math.ceil(batchesPerEpoch / options.validationsPerEpoch));
  const { from } = inputs;
  let progress: Progress = from?.progress ?? { epoch: 0, batch: 0, step: 0, examples: 0 };
  const curve: CurvePoint[] = [...(from?.curve ?? [])];
  const sums = new LossSums(typed, from?.since);
  let best = from?.best;
  let worse = from?.worse ?? 0;
  let validatedAtStep = from?.validatedAtStep ?? 0;
  const state = (): FitState => ({ progress, curve: [...curve], best, worse, validatedAtStep, since: sums.now() });

  const validate = async () => {
    const valid = validationLoss(inputs);
    curve.push({ examples: progress.examples, train: sums.take(), valid });
    const total = served.model.losses.reduce((sum, loss) => sum + loss.weight * valid[loss.task], 0);
    if (!Number.isFinite(total)) {
      throw new UserError(
        `validation log loss is ${total} after ${progress.examples} examples: the training diverged; lower learningRate and embeddingLearningRate`,
      );
    }
    if (total < (best?.loss ?? Number.POSITIVE_INFINITY)) {
      best = { loss: total, weights: trainer.weights(), examples: progress.examples };
      worse = 0;
    } else worse++;
    validatedAtStep = progress.step;
    const shown = Object.entries(valid).map(([task, loss]) => `${task} ${loss.toFixed(4)}`);
    reporter.line(`${progress.examples} examples: validation log loss ${shown.join(', ')}`);
    await inputs.onValidated?.(state());
  };
  const result = (interrupted: boolean): FitResult => ({
    curve,
    weights: best?.weights ?? trainer.weights(),
    keptAtExamples: best?.examples ?? progress.examples,
    state: state(),
    interrupted,
  });

  for (let epoch = progress.epoch; epoch < options.epochs; epoch++) {
    if (worse >= options.patience) break;
    const skip = epoch === progress.epoch ? progress.batch : 0;
    const keep = negativeFilter(typed, options, seed, epoch);
    let batch = 0;
    for (const chunk of shuffledBatches(train, options.batchSize, createRandom(seed).fork(`epoch ${epoch}`), keep)) {
      if (++batch < skip) continue;
      if (batch > skip) {
        sums.add(trainer.step(chunk, decayAt(progress.step, totalSteps, options)), chunk.rowCount);
        progress = { epoch, batch, step: progress.step + 1, examples: progress.examples + chunk.rowCount };
        reporter.progress('training', progress.step, totalSteps, `log loss ${sums.shown()}`);
        await inputs.breathe();
        if (inputs.isInterrupted()) return result(true);
      }
      // A training interrupted just before a validation, then resumed, does it now.
      const due = batch % validateEvery === 0 && batch <= batchesPerEpoch - validateEvery / 2;
      if (!due || validatedAtStep === progress.step) continue;
      await validate();
      if (worse >= options.patience) return result(false);
    }
    progress = { ...progress, epoch: epoch + 1, batch: 0 };
    await validate();
  }
  return result(false);
}

/** What is left of the learning rates at a step: a linear rise, then a linear fall to `decayTo`. */
export function decayAt(step: number, totalSteps: number, { decayTo, warmupSteps }: TrainingOptions): number {
  const rise = step < warmupSteps ? (step + 1) / warmupSteps : 1;
  const done = Math.min(1, step / Math.max(1, totalSteps));
  return rise * (1 - (1 - decayTo) * done);
}

/** Keeps every row with a click and a share of the others. */
function negativeFilter(
  typed: TypedModel,
  options: TrainingOptions,
  seed: number,
  epoch: number,
): RowFilter | undefined {
  if (options.negativeSampling >= 1) return undefined;
  const random = createRandom(seed).fork(`negatives ${epoch}`);
  const first = rootLabel(typed);
  return (chunk, row) => chunk.labels.get(first)?.[row] === 1 || random.next() < options.negativeSampling;
}

/** The label all others come after: the one whose negatives may be sampled. */
export function rootLabel(typed: TypedModel): string {
  return typed.schema.labels[0].name;
}

function validationLoss({ trainer, typed, valid }: FitInputs): Record<string, number> {
  const every = Math.max(1, Math.ceil(valid.rowCount / validationRows));
  const sums: Record<string, number> = Object.fromEntries(typed.model.tasks.map(({ name }) => [name, 0]));
  let weightSum = 0;
  let index = 0;
  for (const chunk of orderedBatches(valid, validationBatch)) {
    if (index++ % every !== 0) continue;
    const probabilities = trainer.predict(chunk);
    for (let row = 0; row < chunk.rowCount; row++) weightSum += chunk.weights?.[row] ?? 1;
    for (const [task, p] of probabilities) {
      const labels = chunk.labels.get(labelOfTask(typed, task)) as Float32Array;
      for (let row = 0; row < p.length; row++)
        sums[task] += (chunk.weights?.[row] ?? 1) * lossOfRow(p[row], labels[row]);
    }
  }
  return Object.fromEntries(Object.entries(sums).map(([task, sum]) => [task, sum / (weightSum || 1)]));
}

/** Mean losses since they were last taken. */
class LossSums {
  private readonly tasks: readonly string[];
  private sums: number[];
  private rows: number;

  constructor(typed: TypedModel, from?: FitState['since']) {
    this.tasks = typed.model.losses.map((loss) => loss.task);
    this.sums = from === undefined ? this.tasks.map(() => 0) : [...from.sums];
    this.rows = from?.rows ?? 0;
  }

  now(): FitState['since'] {
    return { sums: [...this.sums], rows: this.rows };
  }

  add(losses: readonly number[], rows: number): void {
    losses.forEach((loss, i) => {
      this.sums[i] += loss * rows;
    });
    this.rows += rows;
  }

  shown(): string {
    return this.sums.map((sum) => (sum / Math.max(1, this.rows)).toFixed(4)).join(', ');
  }

  take(): Record<string, number> {
    const means = Object.fromEntries(this.tasks.map((task, i) => [task, this.sums[i] / Math.max(1, this.rows)]));
    this.sums = this.tasks.map(() => 0);
    this.rows = 0;
    return means;
  }
}
