import type { Tensor } from '../model/safetensors.ts';

/**
 * What an engine offers to training: the gradients of the dense part of a model. Embedding tables stay outside; the
 * trainer feeds gathered rows in and takes the gradient with respect to them.
 */
export interface Learner {
  /** The backend and what it runs on, for people. */
  readonly device: string;
  /**
   * One step of Adam on the dense parameters.
   *
   * @param rate the learning rate of this step
   */
  step(batch: LearnerBatch, rate: number): StepResult;
  /** The logits of every row, by the value's name, without dropout. */
  logits(batch: Omit<LearnerBatch, 'labels' | 'weights'>): ReadonlyMap<string, Float32Array>;
  /** Copies of the parameters, and what Adam remembers, so that training can go on from them. */
  state(): LearnerState;
  restore(state: LearnerState): void;
  dispose(): void;
}

export interface LearnerBatch {
  readonly rowCount: number;
  /**
   * By the output of each `input` and `embedSequence` step and each of `gatherGroups` (or each `embed` step): [rows, width], row-major.
   */
  readonly inputs: ReadonlyMap<string, Float32Array>;
  /** By loss, in the model's order; 0 or 1. */
  readonly labels: readonly Float32Array[];
  readonly weights?: Float32Array;
  /** Rows that were ranked together; with `LearnerOptions.distillation`. */
  readonly lists?: RankedLists;
}

/** Lists of rows, one after another, and how a teacher ranked them. */
export interface RankedLists {
  /** [lists + 1]: list l has the rows from `offsets[l]` to `offsets[l + 1]`. */
  readonly offsets: Int32Array;
  /** [rows] its logits. */
  readonly teacher: Float32Array;
}

/** Listwise distillation: the mean over lists of T² · KL(softmax(teacher / T) ‖ softmax(logit / T)) joins the loss. */
export interface Distillation {
  /** The value that is to rank as the teacher does. */
  readonly logit: string;
  readonly weight: number;
  /** T: above 1, what the teacher holds for second best counts more. */
  readonly temperature: number;
}

export interface StepResult {
  /** Mean cross entropy over the rows before the step, by loss, in the model's order; the step follows their weighted sum. */
  readonly losses: readonly number[];
  /** Of the loss, by the name of each gathered input: [rows, width]. */
  readonly gradients: ReadonlyMap<string, Float32Array>;
}

export interface LearnerState {
  /** Steps taken. */
  readonly stepCount: number;
  readonly parameters: ReadonlyMap<string, Tensor<Float32Array>>;
  readonly means: ReadonlyMap<string, Float32Array>;
  readonly squares: ReadonlyMap<string, Float32Array>;
}

/** How a learner begins. */
export interface LearnerOptions {
  readonly parameters: ReadonlyMap<string, Tensor<Float32Array>>;
  /** Seed of the dropout masks. */
  readonly seed: number;
  readonly distillation?: Distillation;
}
