import { assert } from '../../core/errors.ts';
import type { Bundle } from '../../model/bundle.ts';
import { scopeOfField } from '../../schema/fields.ts';
import { createPlan } from '../plan.ts';
import type { MachineRates, Plan, PlanStep, Slice } from '../planner/planSteps.ts';
import type { ExportedGraph } from './exportModel.ts';
import { eachRow, FieldInputs } from './fieldInputs.ts';
import * as layers from './layers.ts';
import { OnnxGraph } from './onnxGraph.ts';

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
  return new PlanExporter(bundle, plan).export();
}

type OpOf<O extends PlanStep['op']> = Extract<PlanStep, { readonly op: O }>;

/** A value of the plan, which has one row or each, by its name in the graph. */
class PlanExporter {
  private readonly graph = new OnnxGraph();
  private readonly fields: FieldInputs;
  private readonly bundle: Pick<Bundle, 'typed' | 'weights'>;
  private readonly plan: Plan;
  private readonly made = new Map<string, string>();

  constructor(bundle: Pick<Bundle, 'typed' | 'weights'>, plan: Plan) {
    this.bundle = bundle;
    this.plan = plan;
    const byName = new Map(bundle.typed.schema.fields.map((field) => [field.name, field]));
    const isOne = (name: string) => {
      const field = byName.get(name);
      return field !== undefined && scopeOfField(field, byName) === 'request';
    };
    this.fields = new FieldInputs(this.graph, bundle, isOne);
  }

  export(): ExportedGraph {
    const { graph, fields, plan } = this;
    for (const step of plan.steps) this.made.set(step.output, this.emit(step));
    const rows = [...fields.fields.values()].some((field) => field.rows === 'each') ? eachRow : 1;
    const outputs = plan.tasks.map(({ name, logits }) => {
      const values = logits.map((logit) => this.made.get(logit) as string);
      const allOne = logits.every((logit) => this.isOne(logit));
      if (allOne && rows !== 1) values[0] = this.repeated(name, values[0]);
      return layers.probability(graph, name, values, rows);
    });
    return { graph, fields: [...fields.fields.values()], outputs };
  }

  private isOne(value: string): boolean {
    return this.valueOf(value).scope === 'request';
  }

  private valueOf(name: string) {
    const value = this.plan.values.get(name);
    assert(value !== undefined, `onnx: no value '${name}'`);
    return value;
  }

  /** A slice's numbers. */
  private slice(label: string, { value, from, width }: Slice): string {
    const name = this.made.get(value) as string;
    if (from === 0 && width === this.valueOf(value).width) return name;
    const { graph } = this;
    return graph.node(label, 'Slice', [name, graph.integers(from), graph.integers(from + width), graph.integers(1)]);
  }

  /** One row as often as there are rows. */
  private repeated(label: string, value: string): string {
    const { graph, fields } = this;
    const each = [...fields.fields.values()].find((field) => field.rows === 'each');
    assert(each !== undefined, 'onnx: nothing has a row each');
    const shape = graph.node(label, 'Shape', [each.name]);
    const rows = graph.node(label, 'Slice', [shape, graph.integers(0), graph.integers(1)]);
    return graph.node(label, 'Expand', [value, graph.node(label, 'Concat', [rows, graph.integers(1)], { axis: 0 })]);
  }

  /** Rows `firstRow` to `firstRow + rows` of a parameter, or all of a bias. */
  private weight(name: string, firstRow = 0, rows?: number): string {
    const tensor = this.bundle.weights.get(name);
    assert(tensor !== undefined, `onnx: no weights '${name}'`);
    const { shape, values } = tensor;
    if (rows === undefined || rows === shape[0]) return this.graph.constant(name, shape, values);
    const width = values.length / shape[0];
    const part = values.subarray(firstRow * width, (firstRow + rows) * width);
    return this.graph.constant(`${name} from ${firstRow}`, [rows, width], part);
  }

  private emit(step: PlanStep): string {
    const { graph, fields } = this;
    const label = step.output;
    switch (step.op) {
      case 'embed':
        return layers.concat(
          graph,
          label,
          step.fields.map((field, i) => fields.embedded(field, step.tables[i])),
        );
      case 'input':
        return layers.concat(
          graph,
          label,
          step.fields.map((field) => fields.dense(field)),
        );
      case 'means':
        return layers.fieldMeans(graph, label, this.slice(label, step.input), step.sizes);
      case 'projectField':
        return this.projectField(step);
      case 'affine':
        return this.affine(step);
      case 'gate':
        return layers.gate(graph, label, this.slice(label, step.input), this.slice(label, step.gates), step.sizes);
      case 'concat':
        return this.concat(step);
      case 'inner':
        return layers.inner(
          graph,
          label,
          this.slice(label, step.input),
          step.fieldCount,
          step.input.width / step.fieldCount,
        );
      case 'fm':
        return layers.fm(
          graph,
          label,
          this.slice(label, step.input),
          step.fieldCount,
          step.input.width / step.fieldCount,
        );
      case 'sum':
        return layers.sum(graph, label, this.slices(step), step.bias === null ? null : this.weight(step.bias));
      case 'add':
        return layers.fold(graph, label, 'Add', this.slices(step));
      case 'multiply':
        return layers.fold(graph, label, 'Mul', this.slices(step));
      case 'multiplyAdd': {
        const [a, b, c] = this.slices(step);
        return graph.node(label, 'Add', [graph.node(label, 'Mul', [a, b]), c]);
      }
      case 'softmax':
        return graph.node(label, 'Softmax', [this.slice(label, step.input)], { axis: 1 });
    }
  }

  private slices({ output, inputs }: { readonly output: string; readonly inputs: readonly Slice[] }): string[] {
    return inputs.map((input) => this.slice(output, input));
  }

  /** Side by side, rows that stand for all repeated where others have one each. */
  private concat(step: OpOf<'concat'>): string {
    const label = step.output;
    const mixed = !step.inputs.every((input) => this.isOne(input.value));
    const values = step.inputs.map((input) => {
      const value = this.slice(label, input);
      return mixed && this.isOne(input.value) ? this.repeated(label, value) : value;
    });
    return layers.concat(this.graph, label, values);
  }

  /** P_f = x_f · W_f, the fields' weights one under the other. */
  private projectField(step: OpOf<'projectField'>): string {
    const { graph } = this;
    const label = step.output;
    let from = 0;
    const projected = step.sizes.map((size) => {
      const x = this.slice(label, { value: step.input.value, from: step.input.from + from, width: size });
      const y = graph.node(label, 'MatMul', [x, this.weight(step.weight, step.firstRow + from, size)]);
      from += size;
      return y;
    });
    return layers.concat(graph, label, projected);
  }

  /** What has one row for all is added up first, as the bias of the products of each row. */
  private affine(step: OpOf<'affine'>): string {
    const { graph } = this;
    const label = step.output;
    const ones: string[] = step.bias === null ? [] : [this.weight(step.bias)];
    const added: string[] = [];
    const products: [x: string, w: string][] = [];
    for (const term of step.terms) {
      switch (term.kind) {
        case 'product': {
          const w = this.weight(term.weight, term.firstRow, term.input.width);
          const x = this.slice(label, term.input);
          if (this.isOne(term.input.value)) ones.push(graph.node(label, 'MatMul', [x, w]));
          else products.push([x, w]);
          break;
        }
        case 'gatedSum': {
          const gates = this.slice(label, term.gates);
          const fields = this.made.get(term.fields) as string;
          const oneFields = this.isOne(term.fields);
          if (!oneFields) added.push(this.gatedSumOfEach(label, gates, fields, term.gates.width, step.units));
          else {
            const w = graph.node(label, 'Reshape', [fields, graph.integers(term.gates.width, step.units)]);
            if (this.isOne(term.gates.value)) ones.push(graph.node(label, 'MatMul', [gates, w]));
            else products.push([gates, w]);
          }
          break;
        }
        case 'value':
          (this.isOne(term.input.value) ? ones : added).push(this.slice(label, term.input));
      }
    }
    let y = ones.length === 0 ? undefined : layers.fold(graph, label, 'Add', ones);
    for (const [x, w] of products) y = graph.node(label, 'Gemm', y === undefined ? [x, w] : [x, w, y]);
    y = layers.fold(graph, label, 'Add', y === undefined ? added : [y, ...added]);
    return layers.activate(graph, label, y, step.activation);
  }

  /** Σ_f g_f · P_f where every row has fields of its own. */
  private gatedSumOfEach(label: string, gates: string, fields: string, count: number, units: number): string {
    const { graph } = this;
    const p = graph.node(label, 'Reshape', [fields, graph.integers(0, count, units)]);
    const g = graph.node(label, 'Unsqueeze', [gates, graph.integers(1)]);
    return graph.node(label, 'Squeeze', [graph.node(label, 'MatMul', [g, p]), graph.integers(1)]);
  }
}
