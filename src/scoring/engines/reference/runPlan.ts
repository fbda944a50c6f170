import { assert } from '../../../core/errors.ts';
import { tableWeight } from '../../../model/bundle.ts';
import type { Tensor } from '../../../model/safetensors.ts';
import type { EncodedColumn, EncodedDense, EncodedLists } from '../../../schema/encoded.ts';
import { alignColumns } from '../../candidates.ts';
import type { Plan, PlanStep, Slice, Term } from '../../planner/planSteps.ts';
import { slicesOf } from '../../planner/reads.ts';
import type { ScoringInput } from '../../scorer.ts';
import { embed, input, type Table } from './embed.ts';
import { fieldMeans, fm, gate, inner } from './fields.ts';
import { activate, add, concat, dense, multiply, softmax, sum } from './layers.ts';
import { alignRows, joinedRows, type Matrix, matrix, rowStart } from './matrix.ts';
import { attend, embedSequence, pool, projectSequence } from './sequences.ts';

/**
 * Computes every value of a plan, in float64, each with as many rows as what it is made of: the meaning of each op, which
 * other engines are compared with.
 *
 * @param given checked, as `createInputCheck` does
 * @returns by the value's name
 */
export function runPlan(
  plan: Plan,
  weights: ReadonlyMap<string, Tensor<Float32Array>>,
  given: ScoringInput,
): Map<string, Matrix> {
  const execution = new PlanExecution(weights, given);
  for (const step of plan.steps) execution.values.set(step.output, execution.run(step));
  return execution.values;
}

class PlanExecution {
  readonly values = new Map<string, Matrix>();
  private readonly weights: ReadonlyMap<string, Tensor<Float32Array>>;
  private readonly given: ScoringInput;
  /** The most rows of what the step at hand reads. */
  private rows = 1;

  constructor(weights: ReadonlyMap<string, Tensor<Float32Array>>, given: ScoringInput) {
    this.weights = weights;
    this.given = given;
  }

  run(step: PlanStep): Matrix {
    this.rows = Math.max(...slicesOf(step).map(({ value }) => this.values.get(value)?.rows ?? 1));
    switch (step.op) {
      case 'embed':
        return embed(this.columns(step.fields), this.tables(step));
      case 'embedSequence':
        return embedSequence(this.columns(step.fields) as readonly EncodedLists[], this.tables(step), step.length);
      case 'projectSequence':
        return projectSequence(this.read(step.input), step.length, this.weight(step.weight));
      case 'attend': {
        const [query, keys, events] = this.readAll([step.query, step.keys, step.events]);
        return attend(query, keys, events, step.length, step.weights);
      }
      case 'pool':
        return pool(this.read(step.input), step.length, step.mode);
      case 'input':
        return concat(input(this.columns(step.fields) as readonly EncodedDense[]));
      case 'means':
        return fieldMeans(this.read(step.input), step.sizes);
      case 'projectField':
        return this.projectField(step);
      case 'affine':
        return this.affine(step);
      case 'gate':
        return gate(this.read(step.input), this.read(step.gates), step.sizes);
      case 'concat':
        return concat(this.readAll(step.inputs));
      case 'inner':
        return inner(this.read(step.input), step.fieldCount);
      case 'fm':
        return fm(this.read(step.input), step.fieldCount);
      case 'sum':
        return sum(this.readAll(step.inputs), step.bias === null ? 0 : this.weight(step.bias)[0]);
      case 'add':
        return add(this.readAll(step.inputs));
      case 'multiply':
        return multiply(this.readAll(step.inputs));
      case 'multiplyAdd': {
        const [a, b, c] = this.readAll(step.inputs);
        return add([multiply([a, b]), c]);
      }
      case 'softmax':
        return softmax(this.read(step.input));
    }
  }

  /** P_f = x_f · W_f. */
  private projectField(step: Extract<PlanStep, { op: 'projectField' }>): Matrix {
    let done = 0;
    const projected = step.sizes.map((width) => {
      const { value, from } = step.input;
      const product = this.product({ value, from: from + done, width }, step.weight, step.firstRow + done, step.units);
      done += width;
      return product;
    });
    return concat(projected);
  }

  /** act(Σ terms + bias). */
  private affine({ terms, bias, units, activation }: Extract<PlanStep, { op: 'affine' }>): Matrix {
    const added = terms.map((term) => this.term(term, units));
    if (bias !== null) added.unshift({ rows: 1, width: units, values: Float64Array.from(this.weight(bias)) });
    const out = add(added);
    for (let i = 0; i < out.values.length; i++) out.values[i] = activate(out.values[i], activation);
    return out;
  }

  private term(term: Term, units: number): Matrix {
    if (term.kind === 'value') return this.read(term.input);
    if (term.kind === 'product') return this.product(term.input, term.weight, term.firstRow, units);
    const gates = this.read(term.gates);
    const fields = this.read({ value: term.fields, from: 0, width: gates.width * units });
    const rows = joinedRows([gates, fields]);
    const out = matrix(rows, units);
    for (let row = 0; row < rows; row++) {
      for (let f = 0; f < gates.width; f++) {
        const g = gates.values[rowStart(gates, row) + f];
        const from = rowStart(fields, row) + f * units;
        for (let j = 0; j < units; j++) out.values[row * units + j] += g * fields.values[from + j];
      }
    }
    return out;
  }

  /** x · W[firstRow .. firstRow + width]. */
  private product(x: Slice, weight: string, firstRow: number, units: number): Matrix {
    const w = this.weight(weight).subarray(firstRow * units, (firstRow + x.width) * units);
    return dense(this.read(x), w, undefined, 'linear');
  }

  private readAll(slices: readonly Slice[]): Matrix[] {
    return slices.map((slice) => this.read(slice));
  }

  private read({ value, from, width }: Slice): Matrix {
    const whole = this.values.get(value);
    assert(whole !== undefined && from + width <= whole.width, `the plan reads ${value}[${from} + ${width}]`);
    const [all] = alignRows([whole], this.given.candidates, this.rows);
    if (width === all.width) return all;
    const out = matrix(all.rows, width);
    for (let row = 0; row < all.rows; row++) {
      const at = row * all.width + from;
      out.values.set(all.values.subarray(at, at + width), row * width);
    }
    return out;
  }

  private columns(names: readonly string[]): readonly EncodedColumn[] {
    const columns = names.map((name) => this.given.fields.get(name) as EncodedColumn);
    return alignColumns(columns, this.given.candidates);
  }

  private tables({ tables, sizes }: Extract<PlanStep, { op: 'embed' | 'embedSequence' }>): Table[] {
    return tables.map((name, i) => ({ values: this.weight(tableWeight(name)), size: sizes[i] }));
  }

  private weight(name: string): Float32Array {
    const tensor = this.weights.get(name);
    assert(tensor !== undefined, `no weights '${name}'`);
    return tensor.values;
  }
}
