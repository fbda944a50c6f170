import { assert } from '../../core/errors.ts';
import { type Bundle, tableWeight } from '../../model/bundle.ts';
import { denseWidth, missingId } from '../../schema/fields.ts';
import type { Field, IdsField } from '../../schema/schema.ts';
import type { OnnxGraph } from './onnxGraph.ts';

/** What an exported graph takes for one field. */
export interface OnnxField {
  readonly name: string;
  /** `id`: int32 [rows]. `ids`: int32 [rows, length], −1 after the last. `dense`: float32 [rows, width]. */
  readonly kind: 'id' | 'ids' | 'dense';
  /** Whether the graph takes one row, which counts for all, or one each. */
  readonly rows: 'one' | 'each';
}

/** The rows' name in shapes. */
export const eachRow = 'rows';

/**
 * Fields as a graph's inputs: embedded ones looked up in their tables, each declared when first asked for.
 *
 * @param isOne whether a field has one row for all
 */
export class FieldInputs {
  readonly fields = new Map<string, OnnxField>();
  private readonly graph: OnnxGraph;
  private readonly bundle: Pick<Bundle, 'typed' | 'weights'>;
  private readonly isOne: (field: string) => boolean;
  private readonly lists = new Map<string, { ids: string; shares: string }>();

  constructor(graph: OnnxGraph, bundle: Pick<Bundle, 'typed' | 'weights'>, isOne: (field: string) => boolean) {
    this.graph = graph;
    this.bundle = bundle;
    this.isOne = isOne;
  }

  private declare(name: string, kind: OnnxField['kind'], second: readonly (number | string)[]): string {
    const rows = this.isOne(name) ? 'one' : 'each';
    this.fields.set(name, { name, kind, rows });
    const dimensions = [rows === 'one' ? 1 : eachRow, ...second];
    return this.graph.input(name, kind === 'dense' ? 'float32' : 'int32', dimensions);
  }

  private fieldOf(name: string): Field {
    const field = this.bundle.typed.schema.fields.find((candidate) => candidate.name === name);
    assert(field !== undefined, `onnx: no field '${name}'`);
    return field;
  }

  /** A dense field's numbers. */
  dense(name: string): string {
    return this.declare(name, 'dense', [denseWidth(this.fieldOf(name))]);
  }

  /** An embedded field's row of a table; of a list, the mean or sum of its rows. */
  embedded(name: string, table: string): string {
    const { graph, bundle } = this;
    const weight = bundle.weights.get(tableWeight(table));
    assert(weight !== undefined, `onnx: no table '${table}'`);
    const rows = graph.constant(tableWeight(table), weight.shape, weight.values);
    const field = this.fieldOf(name);
    const label = `${name}/${table}`;
    if (!this.isList(field)) return graph.node(label, 'Gather', [rows, this.declare(name, 'id', [])]);
    const { ids, shares } = this.list(field);
    const pooled = graph.node(label, 'MatMul', [shares, graph.node(label, 'Gather', [rows, ids])]);
    return graph.node(label, 'Squeeze', [pooled, graph.integers(1)]);
  }

  /** The events of lists with ids of their own each, their embeddings and a 1 side by side: [rows, length · size]. */
  events(label: string, names: readonly string[], tables: readonly string[], length: number): string {
    const { graph, bundle } = this;
    const given = names.map((name) => this.cut(label, this.declare(name, 'ids', [`${name}.length`]), length));
    const present = graph.node(label, 'GreaterOrEqual', [given[0], graph.constant('no id', [], Int32Array.of(0))]);
    const ones = graph.node(label, 'Unsqueeze', [graph.node(label, 'Cast', [present], { to: 1 }), graph.integers(2)]);
    const zero = graph.constant('missing id', [], Int32Array.of(missingId));
    let size = 1;
    const parts = given.map((ids, i) => {
      const weight = bundle.weights.get(tableWeight(tables[i]));
      assert(weight !== undefined, `onnx: no table '${tables[i]}'`);
      size += weight.shape[1];
      const rows = graph.constant(tableWeight(tables[i]), weight.shape, weight.values);
      const looked = graph.node(label, 'Gather', [rows, graph.node(label, 'Max', [ids, zero])]);
      return graph.node(label, 'Mul', [looked, ones]);
    });
    const events = graph.node(label, 'Concat', [...parts, ones], { axis: 2 });
    return graph.node(label, 'Reshape', [events, graph.integers(0, length * size)]);
  }

  /** Ids [rows, any length] as [rows, length], −1 where there are none. */
  private cut(label: string, ids: string, length: number): string {
    const { graph } = this;
    const none = graph.constant('after the last id', [], Int32Array.of(-1));
    const padded = graph.node(label, 'Pad', [ids, graph.integers(0, 0, 0, length), none]);
    return graph.node(label, 'Slice', [padded, graph.integers(0), graph.integers(length), graph.integers(1)]);
  }

  private isList(field: Field): boolean {
    return field.kind === 'ids' || (field.kind === 'cross' && field.of.some((part) => this.isList(this.fieldOf(part))));
  }

  /**
   * A list's ids [rows, length] and what each counts [rows, 1, length]. What follows the last is looked up as the missing
   * row and counts nothing; but the first place always counts, so that an empty list is the missing row.
   */
  private list(field: Field): { ids: string; shares: string } {
    const { graph } = this;
    const { name } = field;
    const known = this.lists.get(name);
    if (known !== undefined) return known;
    const given = this.declare(name, 'ids', [`${name}.length`]);
    const zero = graph.constant('missing id', [], Int32Array.of(missingId));
    const ids = graph.node(name, 'Max', [given, zero]);
    const present = graph.node(name, 'GreaterOrEqual', [given, graph.constant('no id', [], Int32Array.of(0))]);
    const counted = graph.node(name, 'Cast', [present], { to: 1 });
    const later = graph.node(name, 'Slice', [counted, graph.integers(1), graph.integers(largest), graph.integers(1)]);
    const first = graph.node(name, 'Slice', [counted, graph.integers(0), graph.integers(1), graph.integers(1)]);
    const one = graph.node(name, 'Max', [first, graph.scalar(1)]);
    const marks = graph.node(name, 'Concat', [one, later], { axis: 1 });
    const isMean = ((field as Partial<IdsField>).pooling ?? 'mean') === 'mean';
    const count = () => graph.node(name, 'ReduceSum', [marks, graph.integers(1)], { keepdims: 1 });
    const shares = isMean ? graph.node(name, 'Div', [marks, count()]) : marks;
    const list = { ids, shares: graph.node(name, 'Unsqueeze', [shares, graph.integers(1)]) };
    this.lists.set(name, list);
    return list;
  }
}

/** Past the end of any list. */
const largest = 2 ** 31 - 1;
