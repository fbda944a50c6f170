import { isUtf8 } from 'node:buffer';
import type { Column, IntegerColumn, ListColumn, NumberColumn, TextColumn } from '../schema/columns.ts';
import type { ArrowArray, ArrowField } from './arrowMemory.ts';
import { decimalOf, kindOf } from './arrowTypes.ts';
import { decimalIntegers, decimalNumbers } from './decimals.ts';
import { toMillis } from './millis.ts';

type FlatColumn = IntegerColumn | NumberColumn | TextColumn;
type Copyable = { slice(): Copyable };
type ViewOf<T> = new (memory: ArrayBuffer, at: number, length: number) => T;

/** What is wrong with a column's values; the reader adds file and column. */
export class ColumnFailure extends Error {}

/**
 * One Arrow array as a column: its values copied out of WebAssembly memory once, text as offsets and bytes, never as
 * JavaScript strings.
 *
 * @throws ColumnFailure for values we cannot hold: bytes that are not UTF-8, a decimal beyond 64 bits
 */
export function toColumn(field: ArrowField, array: ArrowArray): Column {
  return field.format === '+l' ? toList(field, array) : toFlat(field, array);
}

/** The rows of a buffer of fixed-width values, still in WebAssembly memory. */
function view<T>(type: ViewOf<T> & { BYTES_PER_ELEMENT: number }, array: ArrowArray, buffer: number, extra = 0): T {
  const length = array.length + extra;
  if (length === 0 || array.buffers[buffer] === 0) return new type(array.memory, 0, 0);
  return new type(array.memory, array.buffers[buffer] + array.offset * type.BYTES_PER_ELEMENT, length);
}

function copy<T extends Copyable>(type: ViewOf<T> & { BYTES_PER_ELEMENT: number }, array: ArrowArray, buffer = 1): T {
  return view(type, array, buffer).slice() as T;
}

/** One byte a row, 1 where there is a value; `undefined` where every row has one. */
function validity(array: ArrowArray): Uint8Array | undefined {
  if (array.nullCount === 0 || array.buffers[0] === 0 || array.length === 0) return undefined;
  const bits = new Uint8Array(array.memory, array.buffers[0], (array.offset + array.length + 7) >> 3);
  const valid = new Uint8Array(array.length);
  let count = 0;
  for (let i = 0; i < valid.length; i++) {
    const bit = array.offset + i;
    count += valid[i] = (bits[bit >> 3] >> (bit & 7)) & 1;
  }
  return count === valid.length ? undefined : valid;
}

function integers(array: ArrowArray, values: IntegerColumn['values'], more?: Partial<IntegerColumn>): IntegerColumn {
  return { type: 'integer', rowCount: array.length, values, valid: validity(array), ...more };
}

function numbers(array: ArrowArray, values: NumberColumn['values']): NumberColumn {
  return { type: 'number', rowCount: array.length, values, valid: validity(array) };
}

function toFlat(field: ArrowField, array: ArrowArray): FlatColumn {
  const { format } = field;
  switch (format) {
    case 'n':
      return nullColumn('integer', array.length) as IntegerColumn;
    case 'b':
      return integers(array, bits(array), { meaning: 'boolean' });
    case 'c':
      return integers(array, Int32Array.from(view(Int8Array, array, 1)));
    case 'C':
      return integers(array, Int32Array.from(view(Uint8Array, array, 1)));
    case 's':
      return integers(array, Int32Array.from(view(Int16Array, array, 1)));
    case 'S':
      return integers(array, Int32Array.from(view(Uint16Array, array, 1)));
    case 'i':
      return integers(array, copy(Int32Array, array));
    case 'I':
      return integers(array, widened(view(Uint32Array, array, 1)));
    case 'l':
      return integers(array, copy(BigInt64Array, array));
    case 'L':
      return integers(array, copy(BigInt64Array, array), { unsigned: true });
    case 'e':
      return numbers(array, Float32Array.from(view(Uint16Array, array, 1), halfToFloat));
    case 'f':
      return numbers(array, copy(Float32Array, array));
    case 'g':
      return numbers(array, copy(Float64Array, array));
  }
  if (format.startsWith('d:')) return toDecimal(field, array);
  if (format.startsWith('t')) return toTime(field, array);
  return toText(field, array);
}

function bits(array: ArrowArray): Int32Array {
  const values = new Int32Array(array.length);
  const packed = new Uint8Array(array.memory, array.buffers[1], (array.offset + array.length + 7) >> 3);
  for (let i = 0; i < values.length; i++) {
    const bit = array.offset + i;
    values[i] = (packed[bit >> 3] >> (bit & 7)) & 1;
  }
  return values;
}

/** Unsigned 32-bit numbers do not fit an Int32Array. */
function widened(values: Uint32Array): BigInt64Array {
  const wide = new BigInt64Array(values.length);
  const halves = new Uint32Array(wide.buffer);
  for (let i = 0; i < values.length; i++) halves[2 * i] = values[i];
  return wide;
}

/** IEEE 754 binary16 to a number. */
function halfToFloat(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function toDecimal(field: ArrowField, array: ArrowArray): FlatColumn {
  const { scale, bits: width } = decimalOf(field.format);
  const words = new Int32Array(
    array.memory,
    array.length === 0 ? 0 : array.buffers[1] + (array.offset * width) / 8,
    (array.length * width) / 32,
  );
  const valid = validity(array);
  if (scale !== 0)
    return { type: 'number', rowCount: array.length, values: decimalNumbers(words, width, scale), valid };
  const values = decimalIntegers(words, width, valid);
  if (!values) throw new ColumnFailure('holds a decimal beyond 64 bits; cast it to INT64 or DOUBLE');
  return { type: 'integer', rowCount: array.length, values, valid };
}

/** Dates, times of day and timestamps, all in milliseconds. */
function toTime(field: ArrowField, array: ArrowArray): IntegerColumn {
  const { format } = field;
  const { meaning } = kindOf(field);
  if (format === 'tdD') return integers(array, toMillis(view(Int32Array, array, 1), 'days'), { meaning });
  const values = format === 'ttm' ? view(Int32Array, array, 1) : view(BigInt64Array, array, 1);
  return integers(array, toMillis(values, format[2] as 'm' | 'u' | 'n'), { meaning });
}

function toText(field: ArrowField, array: ArrowArray): TextColumn {
  const { format } = field;
  const text = format.startsWith('w:') ? fromFixedWidth(array, Number(format.slice(2))) : fromOffsets(array);
  if (format !== 'u' && !isUtf8(text.bytes)) {
    throw new ColumnFailure('holds bytes that are not UTF-8 text; leave it out, or write it as text or numbers');
  }
  return { type: 'text', rowCount: array.length, ...text, valid: validity(array) };
}

function fromOffsets(array: ArrowArray): { offsets: Int32Array; bytes: Uint8Array } {
  const offsets = offsetsOf(array);
  const from = offsets[0];
  const bytes = new Uint8Array(array.memory, array.buffers[2] + from, offsets[array.length] - from).slice();
  if (from !== 0) for (let i = 0; i < offsets.length; i++) offsets[i] -= from;
  return { offsets, bytes };
}

/** `length + 1` offsets, copied. */
function offsetsOf(array: ArrowArray): Int32Array {
  return array.length === 0 ? new Int32Array(1) : view(Int32Array, array, 1, 1).slice();
}

function fromFixedWidth(array: ArrowArray, width: number): { offsets: Int32Array; bytes: Uint8Array } {
  const offsets = Int32Array.from({ length: array.length + 1 }, (_, i) => i * width);
  const at = array.buffers[1] + array.offset * width;
  return { offsets, bytes: new Uint8Array(array.memory, at, array.length * width).slice() };
}

function toList(field: ArrowField, array: ArrowArray): ListColumn {
  const items = toFlat(field.children[0], array.children[0]);
  return { type: 'list', rowCount: array.length, offsets: offsetsOf(array), items, valid: validity(array) };
}

/** A column of nulls alone, for a file whose writer saw no value of it. */
export function nullColumn(type: 'integer' | 'number' | 'text' | 'list', rowCount: number): Column {
  const valid = new Uint8Array(rowCount);
  if (type === 'integer') return { type, rowCount, values: new Int32Array(rowCount), valid };
  if (type === 'number') return { type, rowCount, values: new Float32Array(rowCount), valid };
  const offsets = new Int32Array(rowCount + 1);
  if (type === 'text') return { type, rowCount, offsets, bytes: new Uint8Array(0), valid };
  return { type, rowCount, offsets, items: { type: 'integer', rowCount: 0, values: new Int32Array(0) }, valid };
}
