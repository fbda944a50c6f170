import { UserError } from '../core/errors.ts';
import type { Column, IntegerColumn, NumberColumn, TextColumn } from './columns.ts';
import type { ColumnType, ItemType } from './fitted.ts';
import { shown } from './parseSchema.ts';

/**
 * JSON values as a column. Whole numbers may also be given as decimal text, since JSON numbers are exact only to 2^53;
 * Booleans count as 0 and 1.
 *
 * @param where how messages name the values, e.g. `candidates: field 'adId'`
 * @throws UserError naming the first value of another type
 */
export function columnFromJson(values: readonly unknown[], type: ColumnType, where: string): Column {
  if (!type.startsWith('list of ')) return itemsFromJson(values, type as ItemType, where);
  const offsets = new Int32Array(values.length + 1);
  const items: unknown[] = [];
  let valid: Uint8Array | undefined;
  values.forEach((value, row) => {
    if (value === null || value === undefined) {
      valid ??= new Uint8Array(values.length).fill(1);
      valid[row] = 0;
    } else if (Array.isArray(value)) for (const item of value) items.push(item);
    else wrong(value, type, where, row, values.length);
    offsets[row + 1] = items.length;
  });
  return {
    type: 'list',
    rowCount: values.length,
    offsets,
    items: itemsFromJson(items, type.slice(8) as ItemType, where),
    valid,
  };
}

function wrong(value: unknown, type: string, where: string, row: number, count: number): never {
  const at = count > 1 ? `${where}, item ${row}` : where;
  const next =
    type === 'integer' && Number.isInteger(value)
      ? 'send whole numbers beyond 2^53, which JSON numbers do not hold exactly, as decimal text'
      : 'send the type the model was trained with';
  throw new UserError(`${at}: expected ${type}, got ${shown(value)}; ${next}`);
}

function itemsFromJson(
  values: readonly unknown[],
  type: ItemType,
  where: string,
): IntegerColumn | NumberColumn | TextColumn {
  const rowCount = values.length;
  let valid: Uint8Array | undefined;
  const markMissing = (row: number) => {
    valid ??= new Uint8Array(rowCount).fill(1);
    valid[row] = 0;
  };
  if (type === 'text') {
    const encoder = new TextEncoder();
    const offsets = new Int32Array(rowCount + 1);
    const parts: Uint8Array[] = [];
    for (let row = 0; row < rowCount; row++) {
      const value = values[row];
      offsets[row + 1] = offsets[row];
      if (value === null || value === undefined) markMissing(row);
      else if (typeof value !== 'string') wrong(value, type, where, row, rowCount);
      else {
        const bytes = encoder.encode(value);
        parts.push(bytes);
        offsets[row + 1] += bytes.length;
      }
    }
    return { type, rowCount, offsets, bytes: Buffer.concat(parts), valid };
  }
  const integers = type === 'integer' ? new BigInt64Array(rowCount) : undefined;
  const numbers = type === 'number' ? new Float64Array(rowCount) : undefined;
  for (let row = 0; row < rowCount; row++) {
    const value = values[row];
    if (value === null || value === undefined) markMissing(row);
    else if (integers !== undefined) integers[row] = integerFromJson(value) ?? wrong(value, type, where, row, rowCount);
    else if (typeof value === 'number' && Number.isFinite(value)) (numbers as Float64Array)[row] = value;
    else wrong(value, type, where, row, rowCount);
  }
  return integers !== undefined
    ? { type: 'integer', rowCount, values: integers, valid }
    : { type: 'number', rowCount, values: numbers as Float64Array, valid };
}

const decimal = /^-?\d{1,20}$/;

function integerFromJson(value: unknown): bigint | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : undefined;
  if (typeof value === 'boolean') return value ? 1n : 0n;
  if (typeof value === 'bigint') return BigInt.asIntN(64, value);
  if (typeof value === 'string' && decimal.test(value)) {
    const wide = BigInt(value);
    return wide >= -(2n ** 63n) && wide < 2n ** 64n ? BigInt.asIntN(64, wide) : undefined;
  }
  return undefined;
}

// A byte order mark at the start of a text is one of its characters.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** A column's values as JSON: the inverse of `columnFromJson`, whole numbers beyond 2^53 as text. */
export function columnToJson(column: Column, rows: readonly number[]): unknown[] {
  return rows.map((row) => valueToJson(column, row));
}

function valueToJson(column: Column, row: number): unknown {
  if (column.valid !== undefined && column.valid[row] === 0) return null;
  switch (column.type) {
    case 'list':
      return Array.from({ length: column.offsets[row + 1] - column.offsets[row] }, (_, i) =>
        valueToJson(column.items, column.offsets[row] + i),
      );
    case 'text': {
      const entry = column.indices === undefined ? row : column.indices[row];
      return decoder.decode(column.bytes.subarray(column.offsets[entry], column.offsets[entry + 1]));
    }
    case 'number':
      return Number.isFinite(column.values[row]) ? column.values[row] : null;
    case 'integer': {
      const value = column.values[row];
      if (typeof value === 'number') return value;
      const exact = column.unsigned ? BigInt.asUintN(64, value) : value;
      return Number.isSafeInteger(Number(exact)) ? Number(exact) : String(exact);
    }
  }
}
