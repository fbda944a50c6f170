import { UserError } from '../../core/errors.ts';
import type { Activation } from '../../model/steps.ts';
import type { OnnxGraph } from './onnxGraph.ts';

/*
 * The layers of models in ONNX's operators: values are [rows, width], as everywhere. `label` begins the names of a
 * layer's nodes.
 */

/** Fields side by side in a row, by their sizes. */
type Sizes = readonly number[];

const isUniform = (sizes: Sizes) => sizes.every((size) => size === sizes[0]);
const widthOf = (sizes: Sizes) => sizes.reduce((sum, size) => sum + size, 0);

export function activate(graph: OnnxGraph, label: string, x: string, activation: Activation): string {
  switch (activation) {
    case 'linear':
      return x;
    case 'relu':
      return graph.node(label, 'Relu', [x]);
    case 'sigmoid':
      return graph.node(label, 'Sigmoid', [x]);
    case 'doubleSigmoid':
      return graph.node(label, 'Mul', [graph.node(label, 'Sigmoid', [x]), graph.scalar(2)]);
  }
}

/** act(x·W + b) */
export function dense(
  graph: OnnxGraph,
  label: string,
  x: string,
  w: string,
  b: string | null,
  activation: Activation,
): string {
  return activate(graph, label, graph.node(label, 'Gemm', b === null ? [x, w] : [x, w, b]), activation);
}

/** Values of as many rows side by side. */
export function concat(graph: OnnxGraph, label: string, values: readonly string[]): string {
  return values.length === 1 ? values[0] : graph.node(label, 'Concat', values, { axis: 1 });
}

/** Folds values by an operator of two inputs. */
export function fold(graph: OnnxGraph, label: string, operator: 'Add' | 'Mul', values: readonly string[]): string {
  return values.reduce((a, b) => graph.node(label, operator, [a, b]));
}

/** [rows, fields · size] → [rows, fields, size] */
function asFields(graph: OnnxGraph, label: string, x: string, fields: number, size: number): string {
  return graph.node(label, 'Reshape', [x, graph.integers(0, fields, size)]);
}

/** z_f = mean_d x_fd */
export function fieldMeans(graph: OnnxGraph, label: string, x: string, sizes: Sizes): string {
  if (isUniform(sizes)) {
    const fields = asFields(graph, label, x, sizes.length, sizes[0]);
    return graph.node(label, 'ReduceMean', [fields], { axes: [2], keepdims: 0 });
  }
  // Fields of several sizes: a product with a matrix that holds 1 / size where a number belongs to a field.
  const shares = new Float32Array(widthOf(sizes) * sizes.length);
  fieldOfEach(sizes).forEach((f, i) => {
    shares[i * sizes.length + f] = 1 / sizes[f];
  });
  const w = graph.constant(`means ${sizes.join(',')}`, [widthOf(sizes), sizes.length], shares);
  return graph.node(label, 'MatMul', [x, w]);
}

function fieldOfEach(sizes: Sizes): number[] {
  return sizes.flatMap((size, f) => new Array<number>(size).fill(f));
}

/** y_fd = gates_f · x_fd */
export function gate(graph: OnnxGraph, label: string, x: string, gates: string, sizes: Sizes): string {
  if (isUniform(sizes)) {
    const fields = asFields(graph, label, x, sizes.length, sizes[0]);
    const scaled = graph.node(label, 'Mul', [fields, graph.node(label, 'Unsqueeze', [gates, graph.integers(2)])]);
    return graph.node(label, 'Reshape', [scaled, graph.integers(0, widthOf(sizes))]);
  }
  const each = graph.constant(`fields ${sizes.join(',')}`, [widthOf(sizes)], Int32Array.from(fieldOfEach(sizes)));
  return graph.node(label, 'Mul', [x, graph.node(label, 'Gather', [gates, each], { axis: 1 })]);
}

/** ⟨x_i, x_j⟩ of every pair i < j: 01, 02, …, 12, …, as a part of the fields' Gram matrix. */
export function inner(graph: OnnxGraph, label: string, x: string, fields: number, size: number): string {
  const rows = asFields(graph, label, x, fields, size);
  const columns = graph.node(label, 'Transpose', [rows], { perm: [0, 2, 1] });
  const gram = graph.node(label, 'MatMul', [rows, columns]);
  const flat = graph.node(label, 'Reshape', [gram, graph.integers(0, fields * fields)]);
  const pairs: number[] = [];
  for (let i = 0; i < fields; i++) for (let j = i + 1; j < fields; j++) pairs.push(i * fields + j);
  const above = graph.constant(`pairs ${fields}`, [pairs.length], Int32Array.from(pairs));
  return graph.node(label, 'Gather', [flat, above], { axis: 1 });
}

/** ½·Σ_d ((Σ_f x_fd)² − Σ_f x_fd²) */
export function fm(graph: OnnxGraph, label: string, x: string, fields: number, size: number): string {
  const each = asFields(graph, label, x, fields, size);
  const sumOver = (value: string, axis: number, keepdims: number) =>
    graph.node(label, 'ReduceSum', [value, graph.integers(axis)], { keepdims });
  const total = sumOver(each, 1, 0);
  const squares = sumOver(graph.node(label, 'Mul', [each, each]), 1, 0);
  const twice = graph.node(label, 'Sub', [graph.node(label, 'Mul', [total, total]), squares]);
  return graph.node(label, 'Mul', [sumOver(twice, 1, 1), graph.scalar(0.5)]);
}

/** Σ of all numbers of all values, and b. */
export function sum(graph: OnnxGraph, label: string, values: readonly string[], b: string | null): string {
  const sums = values.map((value) => graph.node(label, 'ReduceSum', [value, graph.integers(1)], { keepdims: 1 }));
  return fold(graph, label, 'Add', b === null ? sums : [...sums, b]);
}

/**
 * p(task) = Π σ(logit) as the graph's output `p_<task>`, [rows].
 *
 * @returns its name
 * @throws UserError if an input has that name
 */
export function probability(graph: OnnxGraph, task: string, logits: readonly string[], rows: number | string): string {
  const output = outputName(task);
  if (graph.hasInput(output))
    throw new UserError(
      `export: field '${output}' has the name of the output of task '${task}'; rename one and train anew`,
    );
  const factors = logits.map((logit) => graph.node(output, 'Sigmoid', [logit]));
  const p = fold(graph, output, 'Mul', factors);
  graph.namedNode(output, 'Squeeze', [p, graph.integers(1)]);
  graph.output(output, 'float32', [rows]);
  return output;
}

/** As `limelight predict` names its columns. */
export const outputName = (task: string) => `p_${task}`;
