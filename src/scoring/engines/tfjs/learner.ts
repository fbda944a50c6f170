import type { Tensor2D, Tensor as TfTensor } from '@tensorflow/tfjs-core';
import { adamStep, updateAdam } from '../../../core/adam.ts';
import { assert } from '../../../core/errors.ts';
import { createRandom, type Random } from '../../../core/random.ts';
import type { TypedModel } from '../../../model/checkModel.ts';
import type { Tensor } from '../../../model/safetensors.ts';
import { widthOf } from '../../../model/values.ts';
import type { Distillation, Learner, LearnerBatch, LearnerOptions, LearnerState, StepResult } from '../../learner.ts';
import { type LoadedBackend, useBackend } from './backend.ts';
import { runGraph } from './graph.ts';
import { createOps, type Ops } from './ops.ts';

/**
 * Gradients by TensorFlow.js's tape, Adam in plain JavaScript: the parameters of a ranking model are small beside a
 * step's arithmetic, and one loop over them is faster than ten element-wise kernels.
 */
export function createTfjsLearner(typed: TypedModel, backend: LoadedBackend, options: LearnerOptions): Learner {
  return new TfjsLearner(typed, backend, options);
}

interface GraphTensors {
  readonly inputs: ReadonlyMap<string, Tensor2D>;
  readonly parameters: ReadonlyMap<string, TfTensor>;
}

class TfjsLearner implements Learner {
  readonly device: string;
  private readonly typed: TypedModel;
  private readonly backend: LoadedBackend;
  private readonly tf: LoadedBackend['tf'];
  private readonly ops: Ops;
  private readonly seed: number;
  private random: Random;
  /** Outputs of input steps, which no gradient is wanted of. */
  private readonly denseInputs: ReadonlySet<string>;
  private readonly parameters: Map<string, Tensor<Float32Array>>;
  private means: Map<string, Float32Array>;
  private squares: Map<string, Float32Array>;
  private readonly distillation?: Distillation;
  private stepCount = 0;

  constructor(typed: TypedModel, backend: LoadedBackend, { parameters, seed, distillation }: LearnerOptions) {
    this.distillation = distillation;
    this.typed = typed;
    this.device = backend.device;
    this.backend = backend;
    this.tf = backend.tf;
    useBackend(backend);
    this.ops = createOps(backend.tf);
    this.seed = seed;
    this.random = createRandom(seed);
    this.denseInputs = new Set(typed.model.steps.filter((step) => step.op === 'input').map((step) => step.output));
    this.parameters = new Map(
      [...parameters].map(([name, { shape, values }]) => [name, { shape, values: values.slice() }]),
    );
    this.means = zerosLike(this.parameters);
    this.squares = zerosLike(this.parameters);
  }

  step(batch: LearnerBatch, rate: number): StepResult {
    const { tf } = this;
    useBackend(this.backend);
    const names = [...this.parameters.keys()];
    const gathered = [...batch.inputs.keys()].filter((name) => !this.denseInputs.has(name));
    this.stepCount++;
    // Seeded by the step, so that a resumed training draws the same.
    this.random = createRandom(this.seed).fork(`dropout ${this.stepCount}`);
    const gradients = new Map<string, Float32Array>();
    const losses: number[] = [];
    const adam = adamStep(rate, this.stepCount);
    tf.tidy(() => {
      const { inputs, parameters } = this.tensorsOf(batch);
      const wanted: TfTensor[] = [
        ...gathered.map((name) => inputs.get(name) as TfTensor),
        ...names.map((name) => parameters.get(name) as TfTensor),
      ];
      const { grads } = tf
        .engine()
        .gradients(() => this.loss(batch, { inputs, parameters }, losses), wanted, undefined, true);
      gathered.forEach((name, i) => {
        const width = batch.rowCount * widthOf(this.typed.values.get(name)!.type);
        gradients.set(name, grads[i] === null ? new Float32Array(width) : (grads[i].dataSync() as Float32Array));
      });
      names.forEach((name, i) => {
        const gradient = grads[gathered.length + i];
        if (gradient === null) return;
        const { values } = this.parameters.get(name)!;
        const slopes = gradient.dataSync() as Float32Array;
        updateAdam(values, this.means.get(name)!, this.squares.get(name)!, 0, slopes, 0, values.length, adam);
      });
    });
    return { losses, gradients };
  }

  /** @param losses receives each loss before its weight */
  private loss(batch: LearnerBatch, graph: GraphTensors, losses: number[]) {
    const { typed } = this;
    const training = {
      dropout: (x: Tensor2D, { rate }: { rate: number }) => this.dropout(x, 1 - rate),
      stopGradient: this.ops.stopGradient,
    };
    const values = runGraph(
      { ops: this.ops, training },
      typed,
      graph.inputs,
      (name) => graph.parameters.get(name) as TfTensor,
    );
    // A batch whose weights are all 0 has no loss and no gradient.
    const weightSum = batch.weights?.reduce((sum, weight) => sum + weight, 0) ?? batch.rowCount;
    const terms = typed.model.losses.map((loss, i) => {
      const task = typed.model.tasks.find((task) => task.name === loss.task);
      assert(task !== undefined, `no task '${loss.task}'`);
      const logits = this.ops.concat(task.logits.map((name) => values.get(name) as Tensor2D));
      const term = this.ops.productBce(logits, batch.labels[i], batch.weights ?? null, (weightSum || 1) / loss.weight);
      losses.push(term.dataSync()[0] / loss.weight);
      return term;
    });
    const distilled = this.distilled(batch, values);
    return this.ops.total(distilled === undefined ? terms : [...terms, distilled]);
  }

  private distilled({ lists }: LearnerBatch, values: ReadonlyMap<string, TfTensor>) {
    if (lists === undefined || this.distillation === undefined) return undefined;
    const { logit, weight, temperature } = this.distillation;
    const scale = weight / Math.max(1, lists.offsets.length - 1);
    return this.ops.listCrossEntropy(values.get(logit) as Tensor2D, lists, temperature, scale);
  }

  /** x scaled by 1/keep where kept, 0 elsewhere; the mask is drawn here so that every backend draws the same. */
  private dropout(x: Tensor2D, keep: number): Tensor2D {
    const mask = new Float32Array(x.size);
    const scale = 1 / keep;
    for (let i = 0; i < mask.length; i++) if (this.random.next() < keep) mask[i] = scale;
    return this.ops.mask(x, this.tf.tensor2d(mask, x.shape));
  }

  logits(batch: Omit<LearnerBatch, 'labels' | 'weights'>): Map<string, Float32Array> {
    const names = new Set(this.typed.model.tasks.flatMap((task) => task.logits));
    const logits = new Map<string, Float32Array>();
    useBackend(this.backend);
    this.tf.tidy(() => {
      const { inputs, parameters } = this.tensorsOf(batch);
      const graph = { ops: this.ops };
      const values = runGraph(graph, this.typed, inputs, (name) => parameters.get(name) as TfTensor);
      for (const name of names) logits.set(name, (values.get(name) as Tensor2D).dataSync() as Float32Array);
    });
    return logits;
  }

  private tensorsOf(batch: Omit<LearnerBatch, 'labels' | 'weights'>): GraphTensors {
    const inputs = new Map<string, Tensor2D>();
    for (const [name, values] of batch.inputs)
      inputs.set(name, this.tf.tensor2d(values, [batch.rowCount, values.length / batch.rowCount]));
    // A backend may keep these arrays rather than copy them: they change only once a step's gradients are read.
    const parameters = new Map<string, TfTensor>();
    for (const [name, { shape, values }] of this.parameters)
      parameters.set(name, this.tf.tensor(values, shape as number[]));
    return { inputs, parameters };
  }

  state(): LearnerState {
    const copied = (arrays: Map<string, Float32Array>) =>
      new Map([...arrays].map(([name, values]) => [name, values.slice()]));
    return {
      stepCount: this.stepCount,
      parameters: new Map(
        [...this.parameters].map(([name, { shape, values }]) => [name, { shape, values: values.slice() }]),
      ),
      means: copied(this.means),
      squares: copied(this.squares),
    };
  }

  restore(state: LearnerState): void {
    this.stepCount = state.stepCount;
    for (const [name, { values }] of state.parameters) this.parameters.get(name)?.values.set(values);
    for (const [name, values] of state.means) this.means.get(name)?.set(values);
    for (const [name, values] of state.squares) this.squares.get(name)?.set(values);
  }

  dispose(): void {
    this.means = new Map();
    this.squares = new Map();
  }
}

function zerosLike(parameters: ReadonlyMap<string, Tensor<Float32Array>>): Map<string, Float32Array> {
  return new Map([...parameters].map(([name, { values }]) => [name, new Float32Array(values.length)]));
}
