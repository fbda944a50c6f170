import { assert } from '../../core/errors.ts';
import type { Bundle } from '../../model/bundle.ts';
import type { FieldStep, Op, Step, StepOf } from '../../model/steps.ts';
import type { FieldsType, SequenceType, ValueType } from '../../model/values.ts';
import { liveSteps } from '../planner/liveSteps.ts';
import { eachRow, FieldInputs, type OnnxField } from './fieldInputs.ts';
import { concat, dense, fieldMeans, fm, fold, gate, inner, probability, sum } from './layers.ts';
import { OnnxGraph } from './onnxGraph.ts';
import { attend, pool, projectSequence } from './sequences.ts';

/** A graph, what it takes, and its outputs `p_<task>`, float32 [rows], one a task of the model. */
export interface ExportedGraph {
  readonly graph: OnnxGraph;
  readonly fields: readonly OnnxField[];
  readonly outputs: readonly string[];
}

/** What one step can see. */
interface StepInputs {
  readonly graph: OnnxGraph;
  readonly label: string;
  readonly values: readonly string[];
  readonly types: readonly ValueType[];
  weights(name: string): string;
}

const sizesOf = (type: ValueType) => (type as FieldsType).sizes;

const emit: { readonly [O in Exclude<Op, FieldStep['op']>]: (step: StepOf<O>, given: StepInputs) => string } = {
  stack: (_, { graph, label, values }) => concat(graph, label, values),
  concat: (_, { graph, label, values }) => concat(graph, label, values),
  senet(step, { graph, label, values: [x], types, weights }) {
    const means = fieldMeans(graph, label, x, sizesOf(types[0]));
    const hidden = dense(graph, label, means, weights('w1'), weights('b1'), 'relu');
    return dense(graph, label, hidden, weights('w2'), weights('b2'), step.activation);
  },
  gate: (_, { graph, label, values: [x, gates], types }) => gate(graph, label, x, gates, sizesOf(types[0])),
  dense: (step, { graph, label, values, weights }) =>
    dense(graph, label, concat(graph, label, values), weights('w'), step.bias ? weights('b') : null, step.activation),
  inner: (_, { graph, label, values: [x], types }) =>
    inner(graph, label, x, sizesOf(types[0]).length, sizesOf(types[0])[0]),
  fm: (_, { graph, label, values: [x], types }) => fm(graph, label, x, sizesOf(types[0]).length, sizesOf(types[0])[0]),
  cross(step, { graph, label, values: [x0, x], weights }) {
    const narrow = step.rank === null ? x : graph.node(label, 'MatMul', [x, weights('v')]);
    const wide = dense(graph, label, narrow, weights(step.rank === null ? 'w' : 'u'), weights('b'), 'linear');
    return graph.node(label, 'Add', [graph.node(label, 'Mul', [x0, wide]), x]);
  },
  sum: (step, { graph, label, values, weights }) => sum(graph, label, values, step.bias ? weights('b') : null),
  attend({ units, weights: kind }, { graph, label, values: [events, x], types, weights }) {
    const shape = { ...(types[0] as SequenceType), units, weights: kind, shared: false };
    const query = dense(graph, label, x, weights('wq'), weights('bq'), 'linear');
    const keys = projectSequence(graph, label, events, weights('wk'), shape);
    return attend(graph, label, { query, keys, events }, shape);
  },
  pool: ({ mode }, { graph, label, values: [x], types }) =>
    pool(graph, label, x, { ...(types[0] as SequenceType), mode }),
  add: (_, { graph, label, values }) => fold(graph, label, 'Add', values),
  multiply: (_, { graph, label, values }) => fold(graph, label, 'Mul', values),
  softmax: (_, { graph, label, values: [x] }) => graph.node(label, 'Softmax', [x], { axis: 1 }),
  stopGradient: (_, { values: [x] }) => x,
  dropout: (_, { values: [x] }) => x,
};

/**
 * A bundle's model as an ONNX graph, step by step as it is: ids in, uncalibrated probabilities out. Every field has a value
 * a row, a request's fields too.
 */
export function exportModel(bundle: Pick<Bundle, 'typed' | 'weights'>): ExportedGraph {
  const { typed, weights } = bundle;
  const graph = new OnnxGraph();
  const fields = new FieldInputs(graph, bundle, () => false);
  const values = new Map<string, string>();
  const made = (name: string) => values.get(name) as string;
  for (const step of liveSteps(typed.model)) {
    const label = step.output;
    if (step.op === 'embed') {
      const rows = step.inputs.map((field, i) => fields.embedded(field, step.tables[i]));
      values.set(label, concat(graph, label, rows));
    } else if (step.op === 'embedSequence') {
      values.set(label, fields.events(label, step.inputs, step.tables, step.length));
    } else if (step.op === 'input') {
      values.set(
        label,
        concat(
          graph,
          label,
          step.inputs.map((field) => fields.dense(field)),
        ),
      );
    } else {
      const execute = emit[step.op] as (step: Step, given: StepInputs) => string;
      const given: StepInputs = {
        graph,
        label,
        values: step.inputs.map(made),
        types: step.inputs.map((name) => (typed.values.get(name) as { type: ValueType }).type),
        weights(name) {
          const full = `${label}.${name}`;
          const tensor = weights.get(full);
          assert(tensor !== undefined, `onnx: no weights '${full}'`);
          return graph.constant(full, tensor.shape, tensor.values);
        },
      };
      values.set(label, execute(step, given));
    }
  }
  const outputs = typed.model.tasks.map(({ name, logits }) => probability(graph, name, logits.map(made), eachRow));
  return { graph, fields: [...fields.fields.values()], outputs };
}
