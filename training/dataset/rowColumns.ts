import { UserError } from '../../src/core/errors.ts';
import { type Column, type ColumnBatch, typeName } from '../../src/schema/columns.ts';
import { columnOf, isMade } from '../../src/schema/fields.ts';
import { keysOf } from '../../src/schema/keys.ts';
import { integerAt } from '../../src/schema/numbers.ts';
import { placed, RowError } from '../../src/schema/rowError.ts';
import type { Field, Schema } from '../../src/schema/schema.ts';

/** What training needs of a row beside its fields. */
export interface RowColumns {
  /** 0 or 1, by label. */
  readonly labels: ReadonlyMap<string, Float32Array>;
  /** True probabilities of simulated data, by label. */
  readonly truths: ReadonlyMap<string, Float32Array>;
  readonly weights?: Float32Array;
  /** The user's 64-bit key, two halves a row. */
  readonly users?: Int32Array;
}

/** The columns a schema reads, each once. */
export function columnsOfSchema(schema: Schema, fields: readonly Field[] = schema.fields): string[] {
  const names = new Set(fields.filter((field) => !isMade(field)).map(columnOf));
  for (const label of schema.labels) {
    names.add(label.column);
    if (label.truth !== undefined) names.add(label.truth);
  }
  for (const name of [schema.time, schema.user, schema.weight]) if (name !== undefined) names.add(name);
  return [...names];
}

/** @throws UserError if a label is not 0 or 1, or a weight is negative */
export function rowColumnsOf(batch: ColumnBatch, schema: Schema): RowColumns {
  return placed(batch, () => checkedRowColumns(batch, schema));
}

function checkedRowColumns(batch: ColumnBatch, schema: Schema): RowColumns {
  const labels = new Map<string, Float32Array>();
  const truths = new Map<string, Float32Array>();
  for (const label of schema.labels) {
    labels.set(label.name, labelsOf(required(batch, label.column, `label '${label.name}'`), label.name, label.column));
    if (label.truth !== undefined) {
      const truth = numbersOrNaN(
        required(batch, label.truth, `the truth of label '${label.name}'`),
        `column '${label.truth}'`,
      );
      truths.set(label.name, Float32Array.from(truth));
    }
  }
  return {
    labels,
    truths,
    weights:
      schema.weight === undefined ? undefined : weightsOf(required(batch, schema.weight, 'weight'), schema.weight),
    users: schema.user === undefined ? undefined : usersOf(required(batch, schema.user, 'user'), schema.user),
  };
}

/** Rows without a user are one user of their own: −2^63. */
function usersOf(column: Column, name: string): Int32Array {
  if (column.type === 'list')
    throw new UserError(
      `user column '${name}': expected one value a row, got ${typeName(column)}; name another column`,
    );
  const { words, valid } = keysOf(column, `user column '${name}'`);
  if (valid === undefined) return words;
  const users = words.slice();
  for (let row = 0; row < valid.length; row++) {
    if (valid[row] === 1) continue;
    users[2 * row] = 0;
    users[2 * row + 1] = -(2 ** 31);
  }
  return users;
}

/** When each row was served, in milliseconds since 1970. */
export function timesOf(batch: ColumnBatch, column: string): Float64Array {
  return placed(batch, () => checkedTimes(batch, column));
}

function checkedTimes(batch: ColumnBatch, column: string): Float64Array {
  const times = numbersOrNaN(required(batch, column, 'time'), `time column '${column}'`);
  const row = times.findIndex((time) => Number.isNaN(time));
  if (row >= 0)
    throw new RowError(
      `time column '${column}': expected a time in every row, got none`,
      row,
      'fill it or drop the row',
    );
  // Seconds since 1970 read as milliseconds are all in January 1970.
  if (times.length > 0 && times.every((time) => time > 1e8 && time < 1e10))
    throw new RowError(
      `time column '${column}': expected milliseconds since 1970 or timestamps, got ${times[0]}`,
      0,
      'it looks like seconds: multiply the column by 1000',
    );
  return times;
}

function required(batch: ColumnBatch, name: string, wantedBy: string): Column {
  const column = batch.columns.get(name);
  if (column === undefined) {
    throw new UserError(
      `${wantedBy} needs column '${name}', which the data lacks; correct the schema or the data`,
      'missing',
    );
  }
  return column;
}

/** A column of numbers as float64, NaN where null. */
export function numbersOrNaN(column: Column, what: string): Float64Array {
  if (column.type === 'text' || column.type === 'list')
    throw new UserError(`${what}: expected numbers, got ${column.type}; name another column`);
  const out = new Float64Array(column.rowCount);
  for (let row = 0; row < out.length; row++) {
    const missing = column.valid !== undefined && column.valid[row] === 0;
    out[row] = missing ? Number.NaN : column.type === 'integer' ? integerAt(column, row) : column.values[row];
  }
  return out;
}

function labelsOf(column: Column, label: string, name: string): Float32Array {
  const values = numbersOrNaN(column, `label '${label}' (column '${name}')`);
  for (let row = 0; row < values.length; row++) {
    if (values[row] === 0 || values[row] === 1) continue;
    const got = Number.isNaN(values[row]) ? 'no value' : values[row];
    const who = `label '${label}' (column '${name}')`;
    throw new RowError(`${who}: expected 0 or 1, got ${got}`, row, 'name another column or clean it');
  }
  return Float32Array.from(values);
}

function weightsOf(column: Column, name: string): Float32Array {
  const values = numbersOrNaN(column, `weight column '${name}'`);
  const row = values.findIndex((weight) => !(weight >= 0 && weight < Number.POSITIVE_INFINITY));
  if (row >= 0)
    throw new RowError(
      `weight column '${name}': expected finite numbers of 0 or more, got ${values[row]}`,
      row,
      'clean it',
    );
  return Float32Array.from(values);
}
