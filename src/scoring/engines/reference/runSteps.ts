import { assert } from '../../../core/errors.ts';
import { tableWeight } from '../../../model/bundle.ts';
import type { TypedModel } from '../../../model/checkModel.ts';
import type { Tensor } from '../../../model/safetensors.ts';
import { type Op, readsFields, type Step, type StepOf } from '../../../model/steps.ts';
import type { FieldsType, SequenceType, ValueType } from '../../../model/values.ts';
import type { EncodedColumn, EncodedDense, EncodedLists } from '../../../schema/encoded.ts';
import { alignColumns } from '../../candidates.ts';
import type { ScoringInput } from '../../scorer.ts';
import { embed, input } from './embed.ts';
import { fm, gate, inner, senet } from './fields.ts';
import { add, concat, cross, dense, multiply, softmax, sum } from './layers.ts';
import { alignRows, type Matrix } from './matrix.ts';
import { attend, embedSequence, pool, projectSequence } from './sequences.ts';

/** What one step can see: its inputs, their types, and its parameters by their short names. */
interface StepInputs {
  readonly values: readonly Matrix[];
  readonly types: readonly ValueType[];
  readonly columns: readonly EncodedColumn[];
  weights(name: string): Float32Array;
  table(name: string): { values: Float32Array; size: number };
}

const sizesOf = (type: ValueType) => (type as FieldsType).sizes;
const lengthOf = (type: ValueType) => (type as SequenceType).length;
const copyOf = (x: Matrix): Matrix => ({ ...x, values: x.values.slice() });

const run: { readonly [O in Op]: (step: StepOf<O>, given: StepInputs) => Matrix } = {
  embed: (step, { columns, table }) => embed(columns, step.tables.map(table)),
  embedSequence: (step, { columns, table }) =>
    embedSequence(columns as EncodedLists[], step.tables.map(table), step.length),
  input: (_, { columns }) => concat(input(columns as EncodedDense[])),
  stack: (_, { values }) => concat(values),
  concat: (_, { values }) => concat(values),
  senet: (step, { values: [x], types, weights }) =>
    senet(
      x,
      sizesOf(types[0]),
      { w1: weights('w1'), b1: weights('b1'), w2: weights('w2'), b2: weights('b2') },
      step.activation,
    ),
  gate: (_, { values: [x, gates], types }) => gate(x, gates, sizesOf(types[0])),
  dense: (step, { values, weights }) =>
    dense(concat(values), weights('w'), step.bias ? weights('b') : undefined, step.activation),
  inner: (_, { values: [x], types }) => inner(x, sizesOf(types[0]).length),
  fm: (_, { values: [x], types }) => fm(x, sizesOf(types[0]).length),
  cross: (step, { values: [x0, x], weights }) =>
    cross(x0, x, step.rank === null ? { w: weights('w') } : { v: weights('v'), u: weights('u') }, weights('b')),
  sum: (step, { values, weights }) => sum(values, step.bias ? weights('b')[0] : 0),
  attend(step, { values: [events, x], types, weights }) {
    const length = lengthOf(types[0]);
    const query = dense(x, weights('wq'), weights('bq'), 'linear');
    return attend(query, projectSequence(events, length, weights('wk')), events, length, step.weights);
  },
  pool: (step, { values: [events], types }) => pool(events, lengthOf(types[0]), step.mode),
  add: (_, { values }) => add(values),
  multiply: (_, { values }) => multiply(values),
  softmax: (_, { values: [x] }) => softmax(x),
  stopGradient: (_, { values: [x] }) => copyOf(x),
  dropout: (_, { values: [x] }) => copyOf(x),
};

/**
 * Computes every value of a model, in float64, each with as many rows as what it is made of: one where all of that has
 * one, as a request's values do in service; one a candidate where rows are creatives of candidates and all of that has one.
 *
 * @param input checked, as `createInputCheck` does
 * @returns by the value's name
 */
export function runSteps(
  typed: TypedModel,
  weights: ReadonlyMap<string, Tensor<Float32Array>>,
  input: ScoringInput,
): Map<string, Matrix> {
  const values = new Map<string, Matrix>();
  const weight = (name: string): Float32Array => {
    const tensor = weights.get(name);
    assert(tensor !== undefined, `no weights '${name}'`);
    return tensor.values;
  };
  for (const step of typed.model.steps) {
    const ofFields = readsFields(step);
    const { candidates } = input;
    const columns = ofFields ? step.inputs.map((name) => input.fields.get(name) as EncodedColumn) : [];
    const inputs = ofFields ? [] : step.inputs.map((name) => values.get(name) as Matrix);
    const execute = run[step.op] as (step: Step, given: StepInputs) => Matrix;
    const result = execute(step, {
      values: alignRows(inputs, candidates),
      types: ofFields ? [] : step.inputs.map((name) => (typed.values.get(name) as { type: ValueType }).type),
      columns: alignColumns(columns, candidates),
      weights: (name) => weight(`${step.output}.${name}`),
      table: (name) => ({ values: weight(tableWeight(name)), size: typed.tables.get(name)?.size as number }),
    });
    values.set(step.output, result);
  }
  return values;
}
