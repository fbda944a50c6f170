import type { Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import type { TypedModel } from '../../../model/checkModel.ts';
import { type FieldStep, type Op, readsFields, type Step, type StepOf } from '../../../model/steps.ts';
import type { FieldsType, SequenceType, ValueType } from '../../../model/values.ts';
import type { Ops } from './ops.ts';

/** What some steps do in training only; where absent they pass their input on. */
export interface TrainingSteps {
  dropout?(x: Tensor2D, step: StepOf<'dropout'>): Tensor2D;
  stopGradient?(x: Tensor2D): Tensor2D;
}

export interface GraphOptions {
  readonly ops: Ops;
  readonly training?: TrainingSteps;
  /** Makes the rows of a step's inputs alike, one row for all apart: those of candidates as many as of their creatives. */
  align?(inputs: readonly Tensor2D[]): readonly Tensor2D[];
}

/** What one step can see. */
interface StepInputs {
  readonly ops: Ops;
  readonly training: TrainingSteps;
  readonly values: readonly Tensor2D[];
  readonly types: readonly ValueType[];
  weights(name: string): Tensor2D;
}

const sizesOf = (type: ValueType) => (type as FieldsType).sizes;
const lengthOf = (type: ValueType) => (type as SequenceType).length;
const fieldsAndSize = (type: ValueType) => [sizesOf(type).length, sizesOf(type)[0]] as const;

const run: { readonly [O in Exclude<Op, FieldStep['op']>]: (step: StepOf<O>, given: StepInputs) => Tensor2D } = {
  stack: (_, { ops, values }) => ops.concat(values),
  concat: (_, { ops, values }) => ops.concat(values),
  senet(step, { ops, values: [x], types, weights }) {
    const hidden = ops.dense(ops.fieldMeans(x, sizesOf(types[0])), weights('w1'), weights('b1'), 'relu');
    return ops.dense(hidden, weights('w2'), weights('b2'), step.activation);
  },
  gate: (_, { ops, values: [x, gates], types }) => ops.scaleFields(x, gates, sizesOf(types[0])),
  dense: (step, { ops, values, weights }) =>
    ops.dense(ops.concat(values), weights('w'), step.bias ? weights('b') : null, step.activation),
  inner: (_, { ops, values: [x], types }) => ops.inner(x, ...fieldsAndSize(types[0])),
  fm: (_, { ops, values: [x], types }) => ops.fm(x, ...fieldsAndSize(types[0])),
  cross: (step, { ops, values: [x0, x], weights }) =>
    step.rank === null
      ? ops.crossFull(x0, x, weights('w'), weights('b'))
      : ops.crossLowRank(x0, x, weights('v'), weights('u'), weights('b')),
  // Each input's sum by itself, so that a request's stays one row.
  sum(step, { ops, values, weights }) {
    const total = values.map((value) => ops.sumWidth(value)).reduce((a, b) => ops.add(a, b));
    return step.bias ? ops.addBias(total, weights('b')) : total;
  },
  attend(step, { ops, values: [events, x], types, weights }) {
    const query = ops.dense(x, weights('wq'), weights('bq'), 'linear');
    return ops.attend(events, query, weights('wk'), lengthOf(types[0]), step.weights);
  },
  pool: (step, { ops, values: [events], types }) => ops.pool(events, lengthOf(types[0]), step.mode),
  add: (_, { ops, values }) => values.reduce((a, b) => ops.add(a, b)),
  multiply: (_, { ops, values }) => values.reduce((a, b) => ops.multiply(a, b)),
  softmax: (_, { ops, values: [x] }) => ops.softmax(x),
  stopGradient: (_, { values: [x], training }) => training.stopGradient?.(x) ?? x,
  dropout: (step, { values: [x], training }) => training.dropout?.(x, step) ?? x,
};

/**
 * Runs a model's steps on TensorFlow.js: forward in service, and under the tape in training. Call it within `tf.tidy`.
 *
 * @param leaves what is made outside, [rows, width] or [1, width]: the outputs of the steps that read fields, or of a stack in
 *   place of the embed steps that it alone reads
 * @param parameter a learned tensor by its full name, `<step output>.<name>`
 * @returns every value by name; several names may share one tensor
 */
export function runGraph(
  { ops, training = {}, align = (inputs) => inputs }: GraphOptions,
  typed: TypedModel,
  leaves: ReadonlyMap<string, Tensor2D>,
  parameter: (name: string) => Tensor,
): Map<string, Tensor2D> {
  const values = new Map(leaves);
  for (const step of typed.model.steps) {
    if (readsFields(step) || leaves.has(step.output)) continue;
    const execute = run[step.op] as (step: Step, given: StepInputs) => Tensor2D;
    const result = execute(step, {
      ops,
      training,
      values: align(step.inputs.map((name) => values.get(name) as Tensor2D)),
      types: step.inputs.map((name) => (typed.values.get(name) as { type: ValueType }).type),
      weights: (name) => parameter(`${step.output}.${name}`) as Tensor2D,
    });
    values.set(step.output, result);
  }
  return values;
}
