import { UserError } from '../core/errors.ts';
import {
  type Column,
  type IntegerColumn,
  type ListColumn,
  type NumberColumn,
  type TextColumn,
  typeName,
} from '../schema/columns.ts';

/** One value of a column: integers as a number where it is exact, else as a bigint. */
export type Value = number | bigint | string | boolean | null | Value[];

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** The text of row `row`; empty where it is null. */
export function textAt(column: TextColumn, row: number): string {
  if (column.valid?.[row] === 0) return '';
  const entry = column.indices ? column.indices[row] : row;
  return decoder.decode(column.bytes.subarray(column.offsets[entry], column.offsets[entry + 1]));
}

/**
 * The value of row `row`, for tests, messages and JSON; a hot loop reads the arrays instead.
 * Booleans come as `true` and `false`, timestamps as milliseconds.
 */
export function columnValue(column: Column, row: number): Value {
  if (column.valid?.[row] === 0) return null;
  switch (column.type) {
    case 'text':
      return textAt(column, row);
    case 'number':
      return column.values[row];
    case 'integer':
      return integerAt(column, row);
    case 'list': {
      const items: Value[] = [];
      for (let i = column.offsets[row]; i < column.offsets[row + 1]; i++) items.push(columnValue(column.items, i));
      return items;
    }
  }
}

function integerAt(column: IntegerColumn, row: number): Value {
  const raw = column.values[row];
  if (column.meaning === 'boolean') return raw !== 0 && raw !== 0n;
  if (typeof raw === 'number') return raw;
  const value = column.unsigned ? BigInt.asUintN(64, raw) : raw;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/**
 * A column of JavaScript values; `null` and `undefined` are nulls. Without a type the values decide: all whole numbers
 * and bigints make `integer`, other numbers `number`, strings `text`, arrays a list of what they hold, and no value at
 * all `text`.
 *
 * @throws UserError naming the first value that does not fit
 */
export function columnFromValues(values: readonly unknown[], type: Column['type'] = typeOf(values)): Column {
  const rowCount = values.length;
  const valid = validityOf(values);
  switch (type) {
    case 'integer':
      return { type, rowCount, valid, ...integersFrom(values) };
    case 'number':
      return { type, rowCount, valid, values: Float64Array.from(values, numberFrom) } satisfies NumberColumn;
    case 'text':
      return { type, rowCount, valid, ...textsFrom(values) };
    case 'list':
      return { type, rowCount, valid, ...listsFrom(values) } satisfies ListColumn;
  }
}

function validityOf(values: readonly unknown[]): Uint8Array | undefined {
  if (!values.some((value) => value === null || value === undefined)) return undefined;
  return Uint8Array.from(values, (value) => (value === null || value === undefined ? 0 : 1));
}

function typeOf(values: readonly unknown[]): Column['type'] {
  let type: Column['type'] | undefined;
  for (const value of values) {
    if (value === null || value === undefined) continue;
    if (typeof value === 'string') return 'text';
    if (Array.isArray(value)) return 'list';
    if (typeof value === 'number' && !Number.isInteger(value)) type = 'number';
    else type ??= 'integer';
  }
  return type ?? 'text';
}

function integersFrom(values: readonly unknown[]): Pick<IntegerColumn, 'values' | 'meaning'> {
  const present = values.filter((value) => value !== null && value !== undefined);
  for (const value of present) {
    const fits = typeof value === 'bigint' ? BigInt.asIntN(64, value) === value : isWhole(value);
    if (!fits) throw new UserError(`an integer column cannot hold ${String(value)}; give whole numbers of 64 bits`);
  }
  const small = present.every((value) => Number(value) === (Number(value) | 0));
  const meaning = present.length > 0 && present.every((value) => typeof value === 'boolean') ? 'boolean' : undefined;
  if (small) return { values: Int32Array.from(values, (value) => Number(value ?? 0)), meaning };
  return { values: BigInt64Array.from(values, (value) => BigInt((value ?? 0) as number | bigint)) };
}

function isWhole(value: unknown): boolean {
  return typeof value === 'boolean' || (typeof value === 'number' && Number.isSafeInteger(value));
}

function numberFrom(value: unknown): number {
  if (value === null || value === undefined) return 0;
  if (typeof value === 'number' || typeof value === 'bigint') return Number(value);
  throw new UserError(`a number column cannot hold ${JSON.stringify(value)}; give numbers`);
}

function textsFrom(values: readonly unknown[]): Pick<TextColumn, 'offsets' | 'bytes'> {
  const offsets = new Int32Array(values.length + 1);
  const builder = createByteBuilder();
  values.forEach((value, i) => {
    if (value !== null && value !== undefined) {
      if (typeof value !== 'string') throw new UserError(`a text column cannot hold ${String(value)}; give strings`);
      builder.append(value);
    }
    offsets[i + 1] = builder.length;
  });
  return { offsets, bytes: builder.take() };
}

function listsFrom(values: readonly unknown[]): Pick<ListColumn, 'offsets' | 'items'> {
  const offsets = new Int32Array(values.length + 1);
  const flat: unknown[] = [];
  values.forEach((value, i) => {
    if (value !== null && value !== undefined) {
      if (!Array.isArray(value)) throw new UserError(`a list column cannot hold ${String(value)}; give arrays`);
      for (const item of value) flat.push(item);
    }
    offsets[i + 1] = flat.length;
  });
  const items = columnFromValues(flat);
  if (items.type === 'list') throw new UserError(`a column of type ${typeName(items)} cannot be a list's items`);
  return { offsets, items };
}

/** UTF-8 bytes that grow as texts are added. */
export function createByteBuilder(): { readonly length: number; append(text: string): void; take(): Uint8Array } {
  let bytes = new Uint8Array(1024);
  let length = 0;
  return {
    get length() {
      return length;
    },
    append(text) {
      // A UTF-16 unit takes at most three bytes.
      if (length + text.length * 3 > bytes.length) {
        const larger = new Uint8Array(Math.max(bytes.length * 2, length + text.length * 3));
        larger.set(bytes.subarray(0, length));
        bytes = larger;
      }
      length += encoder.encodeInto(text, bytes.subarray(length)).written;
    },
    take: () => bytes.slice(0, length),
  };
}
