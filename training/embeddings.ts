import { type AdamStep, adamStep, updateAdam } from '../src/core/adam.ts';
import { assert } from '../src/core/errors.ts';
import { touchedRows, touchRows } from '../src/core/touch.ts';
import type { Tensor } from '../src/model/safetensors.ts';
import type { EncodedColumn } from '../src/schema/encoded.ts';
import { firstId, missingId } from '../src/schema/fields.ts';
import type { EmbedPlan } from '../src/scoring/gather.ts';

export interface EmbeddingOptions {
  /** `adagrad`: row-wise, one number of state a row; `adam`: lazy, two numbers a weight; both touch only a batch's rows. */
  readonly optimizer: 'adagrad' | 'adam';
  /** λ of the penalty λ/count · |row|²/2 on each row a batch touches: rare ids are held closer to zero. */
  readonly l2: number;
}

/** What the optimizer remembers of one table. */
export interface TableState {
  readonly means?: Float32Array;
  readonly squares: Float32Array;
}

/**
 * An embedding table in training. Gradients of a batch are summed by row first, so that an id met ten times takes one
 * step, then only the touched rows are updated: a step costs the batch, not the vocabulary.
 */
export class TrainedTable {
  readonly tensor: Tensor<Float32Array>;
  readonly state: TableState;
  private readonly size: number;
  private readonly counts: Float64Array;
  private readonly options: EmbeddingOptions;
  /** The place of each row in `sums` for this batch, plus 1; 0 where untouched. */
  private readonly places: Int32Array;
  private touched = new Int32Array(1024);
  private touchedCount = 0;
  private sums: Float32Array;

  /** @param counts of each row in training */
  constructor(tensor: Tensor<Float32Array>, counts: Float64Array, options: EmbeddingOptions) {
    this.tensor = tensor;
    this.size = tensor.shape[1];
    this.counts = counts;
    this.options = options;
    this.places = new Int32Array(tensor.shape[0]);
    this.sums = new Float32Array(this.touched.length * this.size);
    const { length } = tensor.values;
    this.state =
      options.optimizer === 'adam'
        ? { means: new Float32Array(length), squares: new Float32Array(length) }
        : { squares: new Float32Array(tensor.shape[0]) };
  }

  /** Adds a row's share of the gradient. @param gradient the row's part begins at `from` */
  add(row: number, gradient: Float32Array, from: number, share: number): void {
    const { size } = this;
    const to = this.placeOf(row);
    const { sums } = this;
    for (let d = 0; d < size; d++) sums[to + d] += share * gradient[from + d];
  }

  /** Adds whole gradients: of row `ids[begin + i]` from `offset + i·stride`. */
  addAll(ids: Int32Array, gradient: Float32Array, offset: number, stride: number, begin = 0, end = ids.length): void {
    const { size } = this;
    for (let i = begin, from = offset; i < end; i++, from += stride) {
      const to = this.placeOf(ids[i]);
      const { sums } = this;
      for (let d = 0; d < size; d++) sums[to + d] += gradient[from + d];
    }
  }

  /** Where in `sums` a row's gradient is gathered. */
  private placeOf(row: number): number {
    const place = this.places[row];
    if (place > 0) return (place - 1) * this.size;
    if (this.touchedCount === this.touched.length) this.grow();
    const to = this.touchedCount * this.size;
    this.touched[this.touchedCount++] = row;
    this.places[row] = this.touchedCount;
    for (let d = 0; d < this.size; d++) this.sums[to + d] = 0;
    return to;
  }

  private grow(): void {
    const touched = new Int32Array(this.touched.length * 2);
    touched.set(this.touched);
    this.touched = touched;
    const sums = new Float32Array(touched.length * this.size);
    sums.set(this.sums);
    this.sums = sums;
  }

  /**
   * Updates the touched rows and forgets them.
   *
   * @param t the step's number, from 1
   */
  update(rate: number, t: number): void {
    const { sums, size, touched } = this;
    const { values } = this.tensor;
    const { means, squares } = this.state;
    const step: AdamStep = adamStep(rate, t);
    for (let place = 0; place < this.touchedCount; place++) {
      if (place % touchedRows === 0) this.touch(place, Math.min(place + touchedRows, this.touchedCount));
      const row = touched[place];
      this.places[row] = 0;
      const at = row * size;
      const from = place * size;
      if (this.options.l2 > 0) {
        const pull = this.options.l2 / Math.max(1, this.counts[row]);
        for (let d = 0; d < size; d++) sums[from + d] += pull * values[at + d];
      }
      if (means !== undefined) updateAdam(values, means, squares, at, sums, from, size, step);
      else this.adagrad(row, at, from, rate);
    }
    this.touchedCount = 0;
  }

  private touch(from: number, to: number): void {
    const { means, squares } = this.state;
    touchRows(this.tensor.values, this.size, this.touched, from, to);
    if (means === undefined) return;
    touchRows(means, this.size, this.touched, from, to);
    touchRows(squares, this.size, this.touched, from, to);
  }

  /** G_row += mean_d g²;  w −= rate·g/(√G_row + ε). Gupta et al. 2014, "Training highly multiclass classifiers", section 4.1. */
  private adagrad(row: number, at: number, from: number, rate: number): void {
    const { sums, size } = this;
    let square = 0;
    for (let d = 0; d < size; d++) square += sums[from + d] * sums[from + d];
    this.state.squares[row] += square / size;
    const scale = rate / (Math.sqrt(this.state.squares[row]) + 1e-10);
    for (let d = 0; d < size; d++) this.tensor.values[at + d] -= scale * sums[from + d];
  }
}

/**
 * Hands the gradient of a gathered embed step back to the rows it was gathered from.
 *
 * @param gradient [rows, plan.width]
 */
export function scatter(
  plan: EmbedPlan,
  fields: ReadonlyMap<string, EncodedColumn>,
  rows: number,
  gradient: Float32Array,
  tables: ReadonlyMap<string, TrainedTable>,
): void {
  for (const { field, table: name, offset } of plan.fields) {
    const table = tables.get(name);
    const column = fields.get(field);
    assert(table !== undefined && column !== undefined && column.kind !== 'dense', `scatter: field '${field}'`);
    if (column.kind === 'id') {
      table.addAll(column.ids, gradient, offset, plan.width);
      continue;
    }
    for (let row = 0, from = offset; row < rows; row++, from += plan.width) {
      const begin = column.offsets[row];
      const end = column.offsets[row + 1];
      if (begin === end) table.add(missingId, gradient, from, 1);
      const share = column.pooling === 'mean' ? 1 / (end - begin) : 1;
      for (let i = begin; i < end; i++) table.add(column.ids[i], gradient, from, share);
    }
  }
}

/** Frequency-adaptive dropout of ids: see `dropIds`. */
export interface IdDropout {
  /** The probability for an id never seen. */
  readonly max: number;
  /** Sightings by which it falls to a third. */
  readonly scale: number;
}

/**
 * Replaces an id by the out-of-vocabulary row with probability max·e^(−count/scale): rare ids learn to lean on the other
 * fields, and the row for unknown ids learns to stand for rare ones.
 *
 * @param probabilities of each id of the table, made by `dropProbabilities`
 * @see Lin et al. 2022, "CACS", section 4.2 (adaptive dropout)
 */
export function dropIds(
  column: EncodedColumn,
  probabilities: Float32Array,
  unknown: number,
  next: () => number,
): EncodedColumn {
  if (column.kind === 'dense') return column;
  const ids = column.ids.slice();
  for (let i = 0; i < ids.length; i++) {
    const probability = probabilities[ids[i]];
    if (probability > 0 && next() < probability) ids[i] = unknown;
  }
  return { ...column, ids };
}

/** By id; the reserved rows are never dropped, nor is an id so frequent that it would happen once in a million. */
export function dropProbabilities(counts: Float64Array, { max, scale }: IdDropout): Float32Array {
  return Float32Array.from(counts, (count, id) => {
    const probability = id < firstId ? 0 : max * Math.exp(-count / scale);
    return probability < 1e-6 ? 0 : probability;
  });
}
