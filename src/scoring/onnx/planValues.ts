import { assert } from '../../core/errors.ts';
import type { Bundle } from '../../model/bundle.ts';
import { scopeOfField } from '../../schema/fields.ts';
import type { Plan, Slice } from '../planner/planSteps.ts';
import { FieldInputs } from './fieldInputs.ts';
import { OnnxGraph } from './onnxGraph.ts';

/** A plan's values as they come to be in a graph, each with one row for all or with a row each. */
export class PlanValues {
  readonly graph = new OnnxGraph();
  readonly fields: FieldInputs;
  private readonly weights: Bundle['weights'];
  private readonly plan: Plan;
  private readonly made = new Map<string, string>();

  constructor(bundle: Pick<Bundle, 'typed' | 'weights'>, plan: Plan) {
    this.weights = bundle.weights;
    this.plan = plan;
    const byName = new Map(bundle.typed.schema.fields.map((field) => [field.name, field]));
    const isOne = (name: string) => {
      const field = byName.get(name);
      return field !== undefined && scopeOfField(field, byName) === 'request';
    };
    this.fields = new FieldInputs(this.graph, bundle, isOne);
  }

  set(value: string, name: string): void {
    this.made.set(value, name);
  }

  /** A value's name in the graph. */
  get(value: string): string {
    const name = this.made.get(value);
    assert(name !== undefined, `onnx: no value '${value}'`);
    return name;
  }

  /** Whether a value has one row for all. */
  isOne(value: string): boolean {
    return this.plan.values.get(value)?.scope === 'request';
  }

  /** A slice's numbers. */
  slice(label: string, { value, from, width }: Slice): string {
    const { graph } = this;
    if (from === 0 && width === this.plan.values.get(value)?.width) return this.get(value);
    const [first, last, axis] = [from, from + width, 1].map((n) => graph.integers(n));
    return graph.node(label, 'Slice', [this.get(value), first, last, axis]);
  }

  /** One row as often as there are rows. */
  repeated(label: string, value: string): string {
    const { graph, fields } = this;
    const each = [...fields.fields.values()].find((field) => field.rows === 'each');
    assert(each !== undefined, 'onnx: nothing has a row each');
    const shape = graph.node(label, 'Shape', [each.name]);
    const rows = graph.node(label, 'Slice', [shape, graph.integers(0), graph.integers(1)]);
    return graph.node(label, 'Expand', [value, graph.node(label, 'Concat', [rows, graph.integers(1)], { axis: 0 })]);
  }

  /** A parameter, or so many of its rows. */
  weight(name: string, firstRow = 0, rows?: number): string {
    const tensor = this.weights.get(name);
    assert(tensor !== undefined, `onnx: no weights '${name}'`);
    const { shape, values } = tensor;
    if (rows === undefined || rows === shape[0]) return this.graph.constant(name, shape, values);
    const width = values.length / shape[0];
    const part = values.subarray(firstRow * width, (firstRow + rows) * width);
    return this.graph.constant(`${name} from ${firstRow} to ${firstRow + rows}`, [rows, width], part);
  }
}
