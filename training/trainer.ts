import { assert } from '../src/core/errors.ts';
import { logSigmoid } from '../src/core/numerics.ts';
import { createRandom } from '../src/core/random.ts';
import { tableWeight } from '../src/model/bundle.ts';
import type { TypedModel } from '../src/model/checkModel.ts';
import { widthOf } from '../src/model/values.ts';
import type { EncodedColumn, EncodedDense } from '../src/schema/encoded.ts';
import { tableOf, unknownId } from '../src/schema/fields.ts';
import type { Fitted } from '../src/schema/fitted.ts';
import { type EmbedPlan, gather, gatherDense, gatherGroups, planEmbed } from '../src/scoring/gather.ts';
import { gatherSequence, planSequence, type SequencePlan } from '../src/scoring/gatherSequence.ts';
import type { Distillation, Learner, LearnerOptions, LearnerState, RankedLists } from '../src/scoring/learner.ts';
import type { TrainingOptions } from './config.ts';
import type { EncodedChunk } from './dataset/encodedStore.ts';
import { dropIds, dropProbabilities, scatter, type TableState, TrainedTable } from './embeddings.ts';
import { initialWeights, type Weights } from './parameters.ts';
import { scatterSequence } from './scatterSequence.ts';

/** What it takes to go on as if training had not stopped. */
export interface TrainerState {
  readonly tables: ReadonlyMap<string, TableState>;
  readonly learner: LearnerState;
}

export interface TrainerInputs {
  readonly typed: TypedModel;
  readonly fitted: Fitted;
  readonly options: TrainingOptions;
  readonly seed: number;
  readonly createLearner: (options: LearnerOptions) => Learner;
  /** Where batches come with lists that a teacher ranked. */
  readonly distillation?: Distillation;
  /** To start from; drawn from the seed where absent. */
  readonly weights?: Weights;
}

/** A model in training: embedding tables here, the dense graph in the learner. */
export class Trainer {
  readonly learner: Learner;
  private readonly inputs: TrainerInputs;
  private readonly tables = new Map<string, TrainedTable>();
  private readonly plans = new Map<string, EmbedPlan>();
  private readonly sequences = new Map<string, SequencePlan>();
  private readonly dropout = new Map<string, Float32Array>();
  private readonly buffers = new Map<string, Float32Array>();
  private stepCount = 0;

  constructor(inputs: TrainerInputs) {
    this.inputs = inputs;
    const { typed, fitted, options, seed, createLearner, distillation } = inputs;
    const weights = inputs.weights ?? initialWeights(typed, fitted, options.embeddingScale, seed);
    const parameters: Weights = new Map([...weights].filter(([name]) => !name.startsWith('tables/')));
    this.learner = createLearner({ parameters, seed, distillation });
    for (const { name, vocabulary } of typed.model.tables) {
      const tensor = weights.get(tableWeight(name));
      const counts = fitted.vocabularies.get(vocabulary)?.counts;
      assert(tensor !== undefined && counts !== undefined, `table '${name}' has no weights or counts`);
      this.tables.set(
        name,
        new TrainedTable(tensor, counts, { optimizer: options.embeddingOptimizer, l2: options.embeddingL2 }),
      );
    }
    for (const { output, steps } of gatherGroups(typed)) this.plans.set(output, planEmbed(steps, typed, weights));
    for (const step of typed.model.steps)
      if (step.op === 'embedSequence') this.sequences.set(step.output, planSequence(step, typed, weights));
    const { idDropout } = options;
    if (idDropout === undefined || idDropout.max === 0) return;
    for (const field of typed.schema.fields) {
      if (idDropout.fields?.includes(field.name) === false) continue;
      const counts = fitted.vocabularies.get(tableOf(field) ?? '')?.counts;
      if (counts !== undefined && field.kind !== 'number')
        this.dropout.set(field.name, dropProbabilities(counts, idDropout));
    }
  }

  /**
   * Takes one step on a batch.
   *
   * @param decay what is left of the learning rates
   * @returns the batch's mean cross entropy before the step, by loss
   */
  step(chunk: EncodedChunk, decay: number): readonly number[] {
    const { typed, options } = this.inputs;
    this.stepCount++;
    const fields = this.withDropout(chunk.fields);
    const labels = typed.model.losses.map(
      ({ label }) => chunk.targets?.get(label) ?? (chunk.labels.get(label) as Float32Array),
    );
    const batch = {
      rowCount: chunk.rowCount,
      inputs: this.gathered(chunk.rowCount, fields),
      labels,
      weights: chunk.weights,
      lists: listsOf(chunk),
    };
    const { losses, gradients } = this.learner.step(batch, options.learningRate * decay);
    for (const [output, gradient] of gradients) {
      const sequence = this.sequences.get(output);
      if (sequence !== undefined) scatterSequence(sequence, fields, chunk.rowCount, gradient, this.tables);
      else scatter(this.plans.get(output) as EmbedPlan, fields, chunk.rowCount, gradient, this.tables);
    }
    for (const table of this.tables.values()) table.update(options.embeddingLearningRate * decay, this.stepCount);
    return losses;
  }

  private withDropout(fields: ReadonlyMap<string, EncodedColumn>): ReadonlyMap<string, EncodedColumn> {
    if (this.dropout.size === 0) return fields;
    // Seeded by the step, so that a resumed training draws the same.
    const random = createRandom(this.inputs.seed).fork(`id dropout ${this.stepCount}`);
    const dropped = new Map(fields);
    for (const [name, probabilities] of this.dropout) {
      dropped.set(name, dropIds(fields.get(name) as EncodedColumn, probabilities, unknownId, random.next));
    }
    return dropped;
  }

  /** A step's input is read before the next is gathered: one buffer serves all batches of a size. */
  private buffer(name: string, length: number): Float32Array {
    const kept = this.buffers.get(name);
    if (kept?.length === length) return kept;
    const made = new Float32Array(length);
    this.buffers.set(name, made);
    return made;
  }

  private gathered(rows: number, fields: ReadonlyMap<string, EncodedColumn>): Map<string, Float32Array> {
    const inputs = new Map<string, Float32Array>();
    for (const [output, plan] of this.plans) {
      const out = this.buffer(output, rows * plan.width);
      gather(plan, fields, rows, out);
      inputs.set(output, out);
    }
    for (const [output, plan] of this.sequences) {
      const out = this.buffer(output, rows * plan.width);
      gatherSequence(plan, fields, rows, out);
      inputs.set(output, out);
    }
    for (const step of this.inputs.typed.model.steps) {
      if (step.op !== 'input') continue;
      const type = this.inputs.typed.values.get(step.output)?.type;
      assert(type !== undefined, `no type for '${step.output}'`);
      const out = this.buffer(step.output, rows * widthOf(type));
      gatherDense(
        step.inputs.map((name) => fields.get(name) as EncodedDense),
        rows,
        out,
      );
      inputs.set(step.output, out);
    }
    return inputs;
  }

  /**
   * p(task) of each row, by task, in float64 from the logits.
   *
   * Rows without a click kept with probability w make the odds of a click 1/w too high; adding ln w to the first logit
   * of every task undoes it: p = q/(q + (1−q)/w).
   */
  predict(chunk: EncodedChunk): Map<string, Float64Array> {
    const { typed } = this.inputs;
    const logits = this.learner.logits({
      rowCount: chunk.rowCount,
      inputs: this.gathered(chunk.rowCount, chunk.fields),
    });
    const offset = Math.log(this.inputs.options.negativeSampling);
    const probabilities = new Map<string, Float64Array>();
    for (const task of typed.model.tasks) {
      const p = new Float64Array(chunk.rowCount);
      task.logits.forEach((name, i) => {
        const values = logits.get(name) as Float32Array;
        for (let row = 0; row < p.length; row++) p[row] += logSigmoid(values[row] + (i === 0 ? offset : 0));
      });
      for (let row = 0; row < p.length; row++) p[row] = Math.exp(p[row]);
      probabilities.set(task.name, p);
    }
    return probabilities;
  }

  /** A copy of all weights as they are trained. */
  weights(): Weights {
    // A state is a copy already.
    const weights: Weights = new Map(this.learner.state().parameters);
    for (const [name, { tensor }] of this.tables) {
      weights.set(tableWeight(name), { shape: tensor.shape, values: tensor.values.slice() });
    }
    return weights;
  }

  /** Puts weights that `weights` gave back in place. */
  load(weights: Weights): void {
    for (const [name, { tensor }] of this.tables) tensor.values.set(weights.get(tableWeight(name))!.values);
    const state = this.learner.state();
    this.learner.restore({
      ...state,
      parameters: new Map([...state.parameters.keys()].map((name) => [name, weights.get(name)!])),
    });
  }

  state(): TrainerState {
    return {
      tables: new Map([...this.tables].map(([name, table]) => [name, table.state])),
      learner: this.learner.state(),
    };
  }

  /** Goes on from a state; the weights were given to the constructor. */
  restore(state: TrainerState): void {
    this.stepCount = state.learner.stepCount;
    this.learner.restore(state.learner);
    for (const [name, { means, squares }] of state.tables) {
      const table = this.tables.get(name);
      table?.state.squares.set(squares);
      if (means !== undefined) table?.state.means?.set(means);
    }
  }

  dispose(): void {
    this.learner.dispose();
  }
}

function listsOf({ ranked, listOffsets }: EncodedChunk): RankedLists | undefined {
  return ranked && listOffsets && { offsets: listOffsets, teacher: ranked.teacher };
}

/**
 * The weights a bundle holds: the correction of sampled negatives, which `predict` adds to the logits, moved into their
 * biases.
 */
export function exportedWeights(weights: Weights, typed: TypedModel, negativeSampling: number): Weights {
  if (negativeSampling === 1) return weights;
  const exported = new Map(weights);
  for (const name of new Set(typed.model.tasks.map((task) => biasOf(task.logits[0], typed)))) {
    const bias = weights.get(name);
    assert(bias !== undefined, `no bias '${name}' to correct for negative sampling`);
    exported.set(name, {
      shape: bias.shape,
      values: bias.values.map((value) => value + Math.log(negativeSampling)),
    });
  }
  return exported;
}

/** The bias that moves a logit as a whole: its own, or of a sum that of the first, which logits may share. */
function biasOf(logit: string, typed: TypedModel): string {
  const step = typed.model.steps.find(({ output }) => output === logit);
  return step?.op === 'add' ? biasOf(step.inputs[0], typed) : `${logit}.b`;
}
