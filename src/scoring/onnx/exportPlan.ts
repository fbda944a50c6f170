import type { Bundle } from '../../model/bundle.ts';
import { createPlan } from '../plan.ts';
import type { MachineRates, PlanStep, Slice } from '../planner/planSteps.ts';
import type { ExportedGraph } from './exportModel.ts';
import { eachRow } from './fieldInputs.ts';
import * as layers from './layers.ts';
import type { OnnxGraph } from './onnxGraph.ts';
import { PlanValues } from './planValues.ts';
import * as sequences from './sequences.ts';

/** A general runtime's on a core with AVX-512, in fp32: onnxruntime's products run at 73 to 77. */
const runtimeRates: MachineRates = {
  matrixMultiplyAddsPerNs: 75,
  vectorMultiplyAddsPerNs: 8,
  cacheBytesPerNs: 40,
  memoryBytesPerNs: 8,
};

/**
 * A bundle's model as an ONNX graph of the planner's making: each value is computed once at its scope, the request's for
 * one row. The request's fields have one value, all others one a candidate.
 */
export function exportPlan(bundle: Pick<Bundle, 'typed' | 'weights'>, candidates: number): ExportedGraph {
  const plan = createPlan(bundle.typed, { rates: runtimeRates, candidates, numberBytes: 4, keeps: false });
  const values = new PlanValues(bundle, plan);
  for (const step of plan.steps) {
    const execute = emit[step.op] as (step: PlanStep, values: PlanValues) => string;
    values.set(step.output, execute(step, values));
  }
  const { graph } = values;
  const fields = [...values.fields.fields.values()];
  const rows = fields.some((field) => field.rows === 'each') ? eachRow : 1;
  const outputs = plan.tasks.map(({ name, logits }) => {
    const given = logits.map((logit) => values.get(logit));
    if (rows !== 1 && logits.every((logit) => values.isOne(logit))) given[0] = values.repeated(name, given[0]);
    return layers.probability(graph, name, given, rows);
  });
  return { graph, fields, outputs };
}

type OpOf<O extends PlanStep['op']> = PlanStep & { readonly op: O };

const emit: { readonly [O in PlanStep['op']]: (step: OpOf<O>, values: PlanValues) => string } = {
  embed: ({ fields, tables, output }, { graph, fields: inputs }) =>
    layers.concat(
      graph,
      output,
      fields.map((field, i) => inputs.embedded(field, tables[i])),
    ),
  embedSequence: ({ fields, tables, length, output }, { fields: inputs }) =>
    inputs.events(output, fields, tables, length),
  projectSequence: ({ input, length, weight, units, output }, values) =>
    sequences.projectSequence(values.graph, output, values.slice(output, input), values.weight(weight), {
      length,
      size: input.width / length,
      units,
    }),
  attend({ query, keys, events, length, weights, output }, values) {
    const part = (slice: Slice) => values.slice(output, slice);
    const given = { query: part(query), keys: part(keys), events: part(events) };
    const shared = values.isOne(keys.value) && values.isOne(events.value);
    const shape = { length, size: events.width / length, units: query.width, weights, shared };
    return sequences.attend(values.graph, output, given, shape);
  },
  pool: ({ input, length, mode, output }, values) =>
    sequences.pool(values.graph, output, values.slice(output, input), { length, size: input.width / length, mode }),
  input: ({ fields, output }, { graph, fields: inputs }) =>
    layers.concat(
      graph,
      output,
      fields.map((field) => inputs.dense(field)),
    ),
  means: ({ input, sizes, output }, values) =>
    layers.fieldMeans(values.graph, output, values.slice(output, input), sizes),
  projectField,
  affine,
  gate: ({ input, gates, sizes, output }, values) =>
    layers.gate(values.graph, output, values.slice(output, input), values.slice(output, gates), sizes),
  concat,
  inner: ({ input, fieldCount, output }, values) =>
    layers.inner(values.graph, output, values.slice(output, input), fieldCount, input.width / fieldCount),
  fm: ({ input, fieldCount, output }, values) =>
    layers.fm(values.graph, output, values.slice(output, input), fieldCount, input.width / fieldCount),
  sum: (step, values) =>
    layers.sum(values.graph, step.output, slicesOf(step, values), step.bias === null ? null : values.weight(step.bias)),
  add: (step, values) => layers.fold(values.graph, step.output, 'Add', slicesOf(step, values)),
  multiply: (step, values) => layers.fold(values.graph, step.output, 'Mul', slicesOf(step, values)),
  multiplyAdd(step, values) {
    const [a, b, c] = slicesOf(step, values);
    const { graph } = values;
    return graph.node(step.output, 'Add', [graph.node(step.output, 'Mul', [a, b]), c]);
  },
  softmax: ({ input, output }, values) =>
    values.graph.node(output, 'Softmax', [values.slice(output, input)], { axis: 1 }),
};

function slicesOf(step: { readonly output: string; readonly inputs: readonly Slice[] }, values: PlanValues): string[] {
  return step.inputs.map((input) => values.slice(step.output, input));
}

/** Side by side, rows that stand for all repeated where others have one each. */
function concat({ inputs, output }: OpOf<'concat'>, values: PlanValues): string {
  const mixed = !inputs.every((input) => values.isOne(input.value));
  const parts = inputs.map((input) => {
    const part = values.slice(output, input);
    return mixed && values.isOne(input.value) ? values.repeated(output, part) : part;
  });
  return layers.concat(values.graph, output, parts);
}

/** P_f = x_f · W_f, the fields' weights one under the other. */
function projectField({ input, sizes, weight, firstRow, output }: OpOf<'projectField'>, values: PlanValues): string {
  const { graph } = values;
  let from = 0;
  const projected = sizes.map((size) => {
    const x = values.slice(output, { value: input.value, from: input.from + from, width: size });
    const y = graph.node(output, 'MatMul', [x, values.weight(weight, firstRow + from, size)]);
    from += size;
    return y;
  });
  return layers.concat(graph, output, projected);
}

/** act(Σ terms + b). What has one row for all is added up first: it is the bias of the products of each row. */
function affine({ terms, bias, units, activation, output }: OpOf<'affine'>, values: PlanValues): string {
  const { graph } = values;
  const ones: string[] = bias === null ? [] : [values.weight(bias)];
  const each: string[] = [];
  const products: string[][] = [];
  const multiply = (x: string, w: string, isOne: boolean) => {
    if (isOne) ones.push(graph.node(output, 'MatMul', [x, w]));
    else products.push([x, w]);
  };
  for (const term of terms) {
    if (term.kind === 'product') {
      const w = values.weight(term.weight, term.firstRow, term.input.width);
      multiply(values.slice(output, term.input), w, values.isOne(term.input.value));
    } else if (term.kind === 'value') {
      (values.isOne(term.input.value) ? ones : each).push(values.slice(output, term.input));
    } else {
      const { gates, fields } = term;
      const g = values.slice(output, gates);
      if (values.isOne(fields)) {
        const w = graph.node(output, 'Reshape', [values.get(fields), graph.integers(gates.width, units)]);
        multiply(g, w, values.isOne(gates.value));
      } else each.push(gatedSumOfEach(graph, output, g, values.get(fields), gates.width, units));
    }
  }
  let y = ones.length === 0 ? undefined : layers.fold(graph, output, 'Add', ones);
  for (const operands of products) y = graph.node(output, 'Gemm', y === undefined ? operands : [...operands, y]);
  y = layers.fold(graph, output, 'Add', y === undefined ? each : [y, ...each]);
  return layers.activate(graph, output, y, activation);
}

/** Σ_f g_f · P_f where every row has fields of its own. */
function gatedSumOfEach(
  graph: OnnxGraph,
  label: string,
  gates: string,
  fields: string,
  count: number,
  units: number,
): string {
  const p = graph.node(label, 'Reshape', [fields, graph.integers(0, count, units)]);
  const g = graph.node(label, 'Unsqueeze', [gates, graph.integers(1)]);
  return graph.node(label, 'Squeeze', [graph.node(label, 'MatMul', [g, p]), graph.integers(1)]);
}
