import { UserError } from '../core/errors.ts';
import type { Column, IntegerColumn } from './columns.ts';
import { firstId, missingId } from './fields.ts';
import type { NumberStatistics, VectorStatistics } from './fitted.ts';
import { describeField } from './keys.ts';
import { RowError } from './rowError.ts';
import type { NumberField, VectorField } from './schema.ts';

export const defaultClip = 4;

/**
 * A number column as float64, NaN where there is no value.
 *
 * @throws UserError if the column is not of numbers, or holds NaN or infinite values where the field does not allow them
 */
export function numbersOf(column: Column, field: NumberField | VectorField, columnName: string): Float64Array {
  const what = describeField(field.name, columnName, column);
  if (column.type === 'text' || column.type === 'list') {
    throw new UserError(
      `${what}: kind 'number' needs a column of numbers; use kind '${column.type === 'list' ? 'ids or vector' : 'id'}'`,
    );
  }
  const out = new Float64Array(column.rowCount);
  const { valid } = column;
  for (let row = 0; row < out.length; row++) {
    if (valid !== undefined && valid[row] === 0) {
      out[row] = Number.NaN;
      continue;
    }
    const value = column.type === 'integer' ? integerAt(column, row) : column.values[row];
    out[row] = Number.isFinite(value) ? value : notFinite(value, field, what, row);
  }
  return out;
}

/** An integer as float64: above 2^63 where the column is unsigned, never below 0. */
export function integerAt({ values, unsigned }: IntegerColumn, row: number): number {
  const value = values[row];
  return unsigned && typeof value === 'bigint' && value < 0n ? Number(BigInt.asUintN(64, value)) : Number(value);
}

/** NaN for a value that may be missing, an error for one that may not. */
function notFinite(value: number, field: NumberField | VectorField, what: string, row: number): number {
  if (field.invalid === 'missing') return Number.NaN;
  const next = 'clean the column, or set "invalid": "missing" on the field';
  throw new RowError(`${what}: expected finite numbers, got ${value}`, row, next);
}

/** sign(x)·ln(1+|x|) or x. */
export function transform(value: number, field: NumberField): number {
  if (field.transform !== 'log1p') return value;
  return value < 0 ? -Math.log1p(-value) : Math.log1p(value);
}

/** (t(x) − mean)/deviation limited to ±clip; a missing value is the mean, 0. */
export function standardise(values: Float64Array, field: NumberField, statistics: NumberStatistics): Float32Array {
  const clip = field.clip ?? defaultClip;
  const scale = 1 / statistics.deviation;
  const out = new Float32Array(values.length);
  for (let row = 0; row < values.length; row++) {
    const z = (transform(values[row], field) - statistics.mean) * scale;
    out[row] = Number.isNaN(z) ? 0 : z < -clip ? -clip : z > clip ? clip : z;
  }
  return out;
}

/** The quantile bucket of each value: the first whose upper bound is not below it. */
export function bucketise(values: Float64Array, boundaries: readonly number[]): Int32Array {
  const ids = new Int32Array(values.length);
  for (let row = 0; row < values.length; row++) {
    const value = values[row];
    if (Number.isNaN(value)) {
      ids[row] = missingId;
      continue;
    }
    let low = 0;
    let high = boundaries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (boundaries[middle] < value) low = middle + 1;
      else high = middle;
    }
    ids[row] = firstId + low;
  }
  return ids;
}

/**
 * A list column of fixed length as float32, row-major; a missing row is zeros.
 *
 * @throws UserError at the first row of another length
 */
export function vectorsOf(column: Column, field: VectorField, columnName: string): Float32Array {
  const values = readVectors(column, field, columnName, new Float32Array(column.rowCount * field.length));
  for (let i = 0; i < values.length; i++) if (Number.isNaN(values[i])) values[i] = 0;
  return values;
}

/** The same as float64, NaN where there is no number. */
export function vectorNumbersOf(column: Column, field: VectorField, columnName: string): Float64Array {
  return readVectors(column, field, columnName, new Float64Array(column.rowCount * field.length));
}

function readVectors<T extends Float32Array | Float64Array>(
  column: Column,
  field: VectorField,
  columnName: string,
  out: T,
): T {
  const what = describeField(field.name, columnName, column);
  if (column.type !== 'list' || column.items.type === 'text') {
    throw new UserError(
      `${what}: kind 'vector' needs a list of ${field.length} numbers a row; use another kind or column`,
    );
  }
  const { offsets, items, valid } = column;
  // One type of array in the loop: it runs once for each number of each row.
  const numbers =
    items.values instanceof Float32Array ? items.values : Float64Array.from(items.values as never, Number);
  const known = items.valid;
  const { length: width } = field;
  for (let row = 0; row < column.rowCount; row++) {
    const to = row * width;
    if (valid !== undefined && valid[row] === 0) {
      out.fill(Number.NaN, to, to + width);
      continue;
    }
    const from = offsets[row];
    const length = offsets[row + 1] - from;
    if (length !== width) {
      const next = "correct the field's length or the data";
      throw new RowError(`${what}: expected ${width} numbers a row, got ${length}`, row, next);
    }
    for (let i = 0; i < width; i++) {
      const value = known !== undefined && known[from + i] === 0 ? Number.NaN : numbers[from + i];
      out[to + i] = Number.isFinite(value) ? value : notFinite(value, field, what, row);
    }
  }
  return out;
}

/** How a vector's numbers are standardised, each by itself. */
export interface VectorScale {
  readonly means: readonly number[];
  /** 1/deviation */
  readonly scales: readonly number[];
  readonly clip: number;
}

export function vectorScale({ clip = defaultClip }: VectorField, { means, deviations }: VectorStatistics): VectorScale {
  return { means, scales: deviations.map((deviation) => 1 / deviation), clip };
}

/** (x − mean)/deviation, limited to ±clip; a missing number is the mean, 0. */
export function standardised(x: number, mean: number, scale: number, clip: number): number {
  const z = (x - mean) * scale;
  return Number.isNaN(z) ? 0 : z < -clip ? -clip : z > clip ? clip : z;
}

/**
 * Every number of a vector, standardised.
 *
 * @param values [rows, length], row-major, NaN where there is no number
 * @param out    of the same length; a new one where absent
 */
export function standardiseVectors(
  values: Float64Array | Float32Array,
  field: VectorField,
  statistics: VectorStatistics,
  out: Float32Array = new Float32Array(values.length),
): Float32Array {
  const { means, scales, clip } = vectorScale(field, statistics);
  for (let row = 0; row < values.length; row += field.length)
    for (let i = 0; i < field.length; i++) out[row + i] = standardised(values[row + i], means[i], scales[i], clip);
  return out;
}
