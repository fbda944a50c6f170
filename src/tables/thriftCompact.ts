/**
 * Thrift's compact protocol, as Parquet footers use it: a struct is read into a map from field number to value, every
 * field kept whether we know it or not, so that a footer can be changed and written back.
 *
 * @see https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
 */
export type ThriftValue =
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'i8' | 'i16' | 'i32' | 'i64' | 'double'; readonly value: number }
  | { readonly type: 'binary'; readonly value: Uint8Array }
  | { readonly type: 'list'; readonly itemCode: number; readonly value: ThriftValue[] }
  | { readonly type: 'struct'; readonly value: ThriftStruct };

export type ThriftStruct = Map<number, ThriftValue>;

const TRUE = 1;
const FALSE = 2;
const I8 = 3;
const DOUBLE = 7;
const BINARY = 8;
const LIST = 9;
const SET = 10;
const STRUCT = 12;
const INTEGERS = new Map<number, 'i16' | 'i32' | 'i64'>([
  [4, 'i16'],
  [5, 'i32'],
  [6, 'i64'],
]);
const CODES = { i8: I8, i16: 4, i32: 5, i64: 6, double: DOUBLE, binary: BINARY, list: LIST, struct: STRUCT };
/** Deeper nesting than any footer has: a guard against bytes that are not one. */
const DEPTH_MAX = 32;

/** Reads one struct from the start of `bytes`. Throws an `Error` where the bytes are not one. */
export function decodeThrift(bytes: Uint8Array): ThriftStruct {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;

  function byte(): number {
    if (at >= bytes.length) throw new Error('it ends too early');
    return bytes[at++];
  }
  function varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      const b = byte();
      value += (b & 0x7f) * scale;
      if (b < 0x80) return value;
      scale *= 128;
    }
    throw new Error('a number in it is too long');
  }
  function zigzag(): number {
    const n = varint();
    // Offsets and counts are far below 2^52, which zigzag doubles; a larger number is damage.
    if (n > Number.MAX_SAFE_INTEGER) throw new Error('a number in it is too large');
    return n % 2 === 0 ? n / 2 : -(n + 1) / 2;
  }
  function readValue(code: number, depth: number, inList: boolean): ThriftValue {
    if (code === TRUE || code === FALSE) return { type: 'bool', value: inList ? byte() === TRUE : code === TRUE };
    if (code === I8) return { type: 'i8', value: (byte() << 24) >> 24 };
    const integer = INTEGERS.get(code);
    if (integer) return { type: integer, value: zigzag() };
    if (code === DOUBLE) {
      if (at + 8 > bytes.length) throw new Error('it ends too early');
      const value = view.getFloat64(at, true);
      at += 8;
      return { type: 'double', value };
    }
    if (code === BINARY) {
      const length = varint();
      if (at + length > bytes.length) throw new Error('it ends too early');
      const value = bytes.subarray(at, at + length);
      at += length;
      return { type: 'binary', value };
    }
    if (code === LIST || code === SET) return readList(depth);
    if (code === STRUCT) return { type: 'struct', value: readStruct(depth + 1) };
    throw new Error(`it holds a value of unknown type ${code}`);
  }
  function readList(depth: number): ThriftValue {
    const head = byte();
    const size = head >> 4 === 15 ? varint() : head >> 4;
    const itemCode = head & 15;
    // Every item takes a byte at least.
    if (size > bytes.length - at) throw new Error('a list in it is longer than the footer');
    const value: ThriftValue[] = [];
    for (let i = 0; i < size; i++) value.push(readValue(itemCode, depth + 1, true));
    return { type: 'list', itemCode, value };
  }
  function readStruct(depth: number): ThriftStruct {
    if (depth > DEPTH_MAX) throw new Error('it is nested too deeply');
    const fields: ThriftStruct = new Map();
    let id = 0;
    for (;;) {
      const head = byte();
      if (head === 0) return fields;
      id = head >> 4 === 0 ? zigzag() : id + (head >> 4);
      fields.set(id, readValue(head & 15, depth, false));
    }
  }
  return readStruct(0);
}

/** The bytes of a struct. */
export function encodeThrift(struct: ThriftStruct): Uint8Array {
  let bytes = new Uint8Array(4096);
  let at = 0;

  function reserve(count: number): void {
    if (at + count <= bytes.length) return;
    const larger = new Uint8Array(Math.max(bytes.length * 2, at + count));
    larger.set(bytes);
    bytes = larger;
  }
  function byte(value: number): void {
    reserve(1);
    bytes[at++] = value;
  }
  function varint(value: number): void {
    let rest = value;
    while (rest >= 128) {
      byte((rest % 128) | 0x80);
      rest = Math.floor(rest / 128);
    }
    byte(rest);
  }
  function zigzag(value: number): void {
    varint(value >= 0 ? value * 2 : -value * 2 - 1);
  }
  function writeValue(v: ThriftValue, inList: boolean): void {
    if (v.type === 'bool') {
      if (inList) byte(v.value ? TRUE : FALSE);
    } else if (v.type === 'i8') byte(v.value & 255);
    else if (v.type === 'double') {
      reserve(8);
      new DataView(bytes.buffer).setFloat64(at, v.value, true);
      at += 8;
    } else if (v.type === 'binary') {
      varint(v.value.length);
      reserve(v.value.length);
      bytes.set(v.value, at);
      at += v.value.length;
    } else if (v.type === 'list') {
      if (v.value.length < 15) byte((v.value.length << 4) | v.itemCode);
      else {
        byte(0xf0 | v.itemCode);
        varint(v.value.length);
      }
      for (const item of v.value) writeValue(item, true);
    } else if (v.type === 'struct') writeStruct(v.value);
    else zigzag(v.value);
  }
  function writeStruct(fields: ThriftStruct): void {
    let last = 0;
    for (const [id, value] of [...fields].sort((a, b) => a[0] - b[0])) {
      const code = value.type === 'bool' ? (value.value ? TRUE : FALSE) : CODES[value.type];
      if (id > last && id - last < 16) byte(((id - last) << 4) | code);
      else {
        byte(code);
        zigzag(id);
      }
      writeValue(value, false);
      last = id;
    }
    byte(0);
  }
  writeStruct(struct);
  return bytes.slice(0, at);
}

/** Field `id` as a number; `undefined` where it is absent or no number. */
export function numberField(struct: ThriftStruct, id: number): number | undefined {
  const field = struct.get(id);
  return field && typeof field.value === 'number' ? field.value : undefined;
}

/** Field `id` as a struct; `undefined` where it is absent or no struct. */
export function structField(struct: ThriftStruct, id: number): ThriftStruct | undefined {
  const field = struct.get(id);
  return field?.type === 'struct' ? field.value : undefined;
}

/** Field `id` as a list of structs; empty where it is absent or something else. */
export function structsField(struct: ThriftStruct, id: number): ThriftStruct[] {
  const field = struct.get(id);
  if (field?.type !== 'list') return [];
  return field.value.flatMap((item) => (item.type === 'struct' ? [item.value] : []));
}
