import {
  Bool,
  type Data,
  type DataType,
  Field,
  Float32,
  Float64,
  Int32,
  Int64,
  List,
  makeData,
  RecordBatch,
  RecordBatchStreamWriter,
  Schema,
  Struct,
  TimestampMillisecond,
  Uint64,
  Utf8,
} from 'apache-arrow';
import { assert, UserError } from '../core/errors.ts';
import { type Column, type IntegerColumn, type TextColumn, typeName } from '../schema/columns.ts';
import { plainText } from './columnSlices.ts';

/** The types a table can be written with: `timestamp` is milliseconds since 1970, UTC. */
export type FlatWriteType = 'boolean' | 'int32' | 'int64' | 'uint64' | 'timestamp' | 'float' | 'double' | 'text';
export type WriteType = FlatWriteType | `list of ${FlatWriteType}`;

export interface ColumnSpec {
  readonly name: string;
  readonly type: WriteType;
}

/** The narrowest type that holds a column as it is. */
export function writeTypeOf(column: Column): WriteType {
  switch (column.type) {
    case 'list':
      return `list of ${writeTypeOf(column.items) as FlatWriteType}`;
    case 'text':
      return 'text';
    case 'number':
      return column.values instanceof Float32Array ? 'float' : 'double';
    case 'integer':
      if (column.meaning) return column.meaning;
      if (column.unsigned) return 'uint64';
      return column.values instanceof Int32Array ? 'int32' : 'int64';
  }
}

function arrowType(type: WriteType): DataType {
  if (type.startsWith('list of ')) {
    return new List(new Field('element', arrowType(type.slice('list of '.length) as FlatWriteType), true));
  }
  switch (type as FlatWriteType) {
    case 'boolean':
      return new Bool();
    case 'int32':
      return new Int32();
    case 'int64':
      return new Int64();
    case 'uint64':
      return new Uint64();
    case 'timestamp':
      return new TimestampMillisecond('UTC');
    case 'float':
      return new Float32();
    case 'double':
      return new Float64();
    case 'text':
      return new Utf8();
  }
}

/**
 * Column batches as one Arrow IPC stream.
 *
 * @throws UserError for a column of another type, or a number that its column's type cannot hold
 */
export function toArrowStream(
  specs: readonly ColumnSpec[],
  batches: readonly (readonly Column[])[],
  who: string,
): Uint8Array {
  const schema = new Schema(specs.map(({ name, type }) => new Field(name, arrowType(type), true)));
  const type = new Struct(schema.fields);
  const records = batches.map((columns) => {
    const children = columns.map((column, i) => toData(column, specs[i].type, `${who}: column '${specs[i].name}'`));
    return new RecordBatch(schema, makeData({ type, length: columns[0].rowCount, nullCount: 0, children }));
  });
  if (records.length === 0) {
    const children = schema.fields.map((field) => emptyData(field.type));
    records.push(new RecordBatch(schema, makeData({ type, length: 0, nullCount: 0, children })));
  }
  return RecordBatchStreamWriter.writeAll(records).toUint8Array(true);
}

function emptyData(type: DataType): Data {
  if (!(type instanceof List)) return makeData({ type, length: 0 } as Parameters<typeof makeData>[0]);
  return makeData({ type, length: 0, valueOffsets: new Int32Array(1), child: emptyData(type.valueType) });
}

function toData(column: Column, type: WriteType, who: string): Data {
  const length = column.rowCount;
  const { nullCount, nullBitmap } = bitmap(column.valid, length);
  const base = { type: arrowType(type), length, nullCount, nullBitmap };
  if (column.type === 'list') {
    if (!type.startsWith('list of ')) throw mismatch(who, column, type);
    const child = toData(column.items, type.slice('list of '.length) as FlatWriteType, who);
    return makeData({ ...base, type: base.type as List, valueOffsets: column.offsets, child });
  }
  if (type === 'text') {
    if (column.type !== 'text') throw mismatch(who, column, type);
    const { offsets, bytes } = plainText(column as TextColumn);
    return makeData({ ...base, type: base.type as Utf8, valueOffsets: offsets, data: bytes });
  }
  if (column.type === 'text') throw mismatch(who, column, type);
  if (type === 'float' || type === 'double') {
    return makeData({ ...base, type: base.type as Float64, data: floats(column.values, type) as Float64Array });
  }
  if (column.type === 'number') throw mismatch(who, column, type);
  if (type === 'boolean') return makeData({ ...base, type: base.type as Bool, data: packed(column.values, length) });
  const data = type === 'int32' ? narrow(column, who) : wide(column.values);
  return makeData({ ...base, type: base.type as Int64, data: data as BigInt64Array });
}

function mismatch(who: string, column: Column, type: WriteType): UserError {
  return new UserError(`${who} is to be written as ${type}, but its values are ${typeName(column)}`);
}

function bitmap(valid: Uint8Array | undefined, length: number): { nullCount: number; nullBitmap?: Uint8Array } {
  if (!valid) return { nullCount: 0 };
  const nullBitmap = packed(valid, length);
  let nullCount = 0;
  for (let i = 0; i < length; i++) if (valid[i] === 0) nullCount++;
  return { nullCount, nullBitmap: nullCount > 0 ? nullBitmap : undefined };
}

/** Zero and non-zero as bits, the first row lowest. */
function packed(values: Uint8Array | Int32Array | BigInt64Array, length: number): Uint8Array {
  const bits = new Uint8Array(((length + 63) >> 6) << 3);
  for (let i = 0; i < length; i++) if (values[i]) bits[i >> 3] |= 1 << (i & 7);
  return bits;
}

function floats(values: ArrayLike<number | bigint>, type: 'float' | 'double'): Float32Array | Float64Array {
  const array = type === 'float' ? Float32Array : Float64Array;
  if (values instanceof array) return values;
  const result = new array(values.length);
  for (let i = 0; i < result.length; i++) result[i] = Number(values[i]);
  return result;
}

function wide(values: IntegerColumn['values']): BigInt64Array {
  return values instanceof BigInt64Array ? values : BigInt64Array.from(values, BigInt);
}

function narrow(column: IntegerColumn, who: string): Int32Array {
  const { values, valid } = column;
  if (values instanceof Int32Array) return values;
  const result = new Int32Array(values.length);
  for (let i = 0; i < values.length; i++) {
    if (valid?.[i] === 0) continue;
    result[i] = Number(values[i]);
    if (BigInt(result[i]) !== values[i])
      throw new UserError(`${who} holds ${values[i]}, which int32 cannot; use int64`);
  }
  assert(result.length === column.rowCount, 'one value a row');
  return result;
}
