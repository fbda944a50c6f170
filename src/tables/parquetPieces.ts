import type { FileHandle } from 'node:fs/promises';
import { readInto } from './fileBytes.ts';
import {
  CHUNK,
  FILE,
  FOOTER_TAIL_BYTES,
  GROUP,
  MAGIC,
  META,
  type ParquetFooter,
  type RowGroup,
} from './parquetFooter.ts';
import {
  encodeThrift,
  numberField,
  structField,
  structsField,
  type ThriftStruct,
  type ThriftValue,
} from './thriftCompact.ts';

/** Fields of a schema element; it is one node of a tree, its children after it. */
const ELEMENT = { name: 4, childCount: 5 };
/** Offset and column indexes and bloom filters: pointers into the file that a moved chunk must not keep. */
const CHUNK_POINTERS = [4, 5, 6, 7];
const META_POINTERS = [META.indexPage, 14, 15];
/** Key-values, statistics and encoding statistics: not needed to decode. */
const META_EXTRAS = [8, 12, 13, 16, 17];

/**
 * One row group's chosen columns as a Parquet file of its own, so that the decoder sees no more of a large file than it
 * needs: the chunks moved together, and a footer with those columns and that row group alone.
 */
export async function extractRowGroup(
  handle: FileHandle,
  footer: ParquetFooter,
  group: RowGroup,
  columns: ReadonlySet<string>,
): Promise<Uint8Array> {
  const chunks = group.chunks.filter((chunk) => columns.has(chunk.column));
  let at = MAGIC.length;
  const structs = chunks.map(({ struct, start, byteLength }) => {
    const moved = moveChunk(struct, at - start, META_EXTRAS);
    at += byteLength;
    return moved;
  });
  const groupStruct = withColumns(group.struct, structs);
  groupStruct.delete(GROUP.sortingColumns);
  groupStruct.delete(GROUP.fileOffset);
  const footerBytes = footerOf(withSchema(footer, columns), [groupStruct], group.rowCount);
  const bytes = new Uint8Array(at + footerBytes.length + FOOTER_TAIL_BYTES);
  bytes.set(MAGIC, 0);
  at = MAGIC.length;
  for (const { start, byteLength } of chunks) {
    await readInto(handle, footer.file, start, bytes.subarray(at, at + byteLength));
    at += byteLength;
  }
  writeTail(bytes, at, footerBytes);
  return bytes;
}

/** A Parquet file of no rows with the footer's schema. */
export function schemaOnly(footer: ParquetFooter): Uint8Array {
  const footerBytes = footerOf(withSchema(footer), [], 0);
  const bytes = new Uint8Array(MAGIC.length + footerBytes.length + FOOTER_TAIL_BYTES);
  bytes.set(MAGIC, 0);
  writeTail(bytes, MAGIC.length, footerBytes);
  return bytes;
}

/** What follows the last row group of a file: footer, its length, magic. */
export function fileTail(footer: ThriftStruct, rowGroups: readonly ThriftStruct[], rowCount: number): Uint8Array {
  const footerBytes = footerOf(footer, rowGroups, rowCount);
  const bytes = new Uint8Array(footerBytes.length + FOOTER_TAIL_BYTES);
  writeTail(bytes, 0, footerBytes);
  return bytes;
}

function writeTail(bytes: Uint8Array, at: number, footerBytes: Uint8Array): void {
  bytes.set(footerBytes, at);
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(at + footerBytes.length, footerBytes.length, true);
  bytes.set(MAGIC, at + footerBytes.length + 4);
}

function footerOf(struct: ThriftStruct, rowGroups: readonly ThriftStruct[], rowCount: number): Uint8Array {
  const copy: ThriftStruct = new Map(struct);
  copy.set(FILE.numRows, { type: 'i64', value: rowCount });
  copy.set(FILE.rowGroups, structList(rowGroups));
  return encodeThrift(copy);
}

/**
 * The footer with the chosen top-level columns alone (all if not told), and without key-values: what Arrow writers put
 * there only changes how a column is held, and a damaged entry would fail the read.
 */
function withSchema(footer: ParquetFooter, columns?: ReadonlySet<string>): ThriftStruct {
  const copy: ThriftStruct = new Map(footer.struct);
  copy.delete(FILE.keyValues);
  copy.delete(FILE.columnOrders);
  if (!columns) return copy;
  const [root, ...elements] = structsField(footer.struct, FILE.schema);
  const kept: ThriftStruct[] = [];
  let count = 0;
  for (let i = 0; i < elements.length; ) {
    const next = subtreeEnd(elements, i);
    const name = elements[i].get(ELEMENT.name);
    if (name?.type === 'binary' && columns.has(new TextDecoder().decode(name.value))) {
      kept.push(...elements.slice(i, next));
      count++;
    }
    i = next;
  }
  const newRoot: ThriftStruct = new Map(root);
  newRoot.set(ELEMENT.childCount, { type: 'i32', value: count });
  copy.set(FILE.schema, structList([newRoot, ...kept]));
  return copy;
}

/** The schema is a tree in depth-first order: where the subtree at `start` ends. */
function subtreeEnd(elements: readonly ThriftStruct[], start: number): number {
  let open = 1;
  let at = start;
  for (; open > 0 && at < elements.length; at++) open += (numberField(elements[at], ELEMENT.childCount) ?? 0) - 1;
  return at;
}

function structList(structs: readonly ThriftStruct[]): ThriftValue {
  return { type: 'list', itemCode: 12, value: structs.map((value) => ({ type: 'struct', value })) };
}

function withColumns(group: ThriftStruct, chunks: readonly ThriftStruct[]): ThriftStruct {
  return new Map(group).set(GROUP.columns, structList(chunks));
}

/** A row group whose bytes have moved by `shift`, as number `ordinal` of its file. */
export function moveRowGroup(group: ThriftStruct, shift: number, ordinal: number): ThriftStruct {
  const chunks = structsField(group, GROUP.columns).map((chunk) => moveChunk(chunk, shift, []));
  const copy = withColumns(group, chunks);
  const fileOffset = numberField(group, GROUP.fileOffset);
  if (fileOffset !== undefined) copy.set(GROUP.fileOffset, { type: 'i64', value: fileOffset + shift });
  if (ordinal < 32768) copy.set(GROUP.ordinal, { type: 'i16', value: ordinal });
  else copy.delete(GROUP.ordinal);
  return copy;
}

function moveChunk(chunk: ThriftStruct, shift: number, without: readonly number[]): ThriftStruct {
  const copy: ThriftStruct = new Map(chunk);
  for (const pointer of CHUNK_POINTERS) copy.delete(pointer);
  const meta = new Map(structField(chunk, CHUNK.metaData) ?? []);
  for (const field of [...META_POINTERS, ...without]) meta.delete(field);
  for (const field of [META.dataPage, META.dictionaryPage]) {
    const offset = numberField(meta, field);
    // Some writers put 0 for "no dictionary".
    if (offset) meta.set(field, { type: 'i64', value: offset + shift });
  }
  copy.set(CHUNK.metaData, { type: 'struct', value: meta });
  copy.set(CHUNK.fileOffset, { type: 'i64', value: Math.max(0, (numberField(chunk, CHUNK.fileOffset) ?? 0) + shift) });
  return copy;
}
