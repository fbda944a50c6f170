import { type FileHandle, open } from 'node:fs/promises';
import { messageOf, UserError } from '../core/errors.ts';
import {
  decodeThrift,
  encodeThrift,
  numberField,
  structField,
  structsField,
  type ThriftStruct,
  type ThriftValue,
} from './thriftCompact.ts';

/** Where one leaf column of a row group lies in its file. */
export interface ColumnChunk {
  /** The top-level column it belongs to: a list or struct has one chunk a leaf. */
  readonly column: string;
  readonly start: number;
  readonly byteLength: number;
  readonly uncompressedBytes: number;
  /** Values, nulls and empty lists counted. */
  readonly valueCount: number;
  readonly struct: ThriftStruct;
}

export interface RowGroup {
  readonly rowCount: number;
  readonly chunks: readonly ColumnChunk[];
  readonly struct: ThriftStruct;
}

/** A Parquet file's footer: its row groups, and the whole of it as read. */
export interface ParquetFooter {
  readonly file: string;
  readonly rowCount: number;
  readonly rowGroups: readonly RowGroup[];
  readonly struct: ThriftStruct;
}

const MAGIC = new TextEncoder().encode('PAR1');
const FOOTER_TAIL_BYTES = 8;
/** Read at once from the end of a file: most footers are smaller. */
const TAIL_BYTES = 64 * 1024;

// Field numbers of parquet.thrift.
const FILE = { schema: 2, numRows: 3, rowGroups: 4, keyValues: 5, columnOrders: 7 };
const ELEMENT = { name: 4, childCount: 5 };
const GROUP = { columns: 1, numRows: 3, sortingColumns: 4, fileOffset: 5, ordinal: 7 };
const CHUNK = { filePath: 1, fileOffset: 2, metaData: 3, crypto: 8, encryptedMetaData: 9 };
const META = { path: 3, valueCount: 5, uncompressed: 6, compressed: 7, dataPage: 9, indexPage: 10, dictionaryPage: 11 };
/** Offset and column indexes and bloom filters: pointers into the file that a moved chunk must not keep. */
const CHUNK_POINTERS = [4, 5, 6, 7];
const META_POINTERS = [META.indexPage, 14, 15];
/** Key-values, statistics and encoding statistics: not needed to decode. */
const META_EXTRAS = [8, 12, 13, 16, 17];

/**
 * Reads and checks a file's footer, before any of it reaches the decoder.
 *
 * @throws UserError naming the file, where it is missing, empty, cut short, no Parquet, encrypted, or damaged
 */
export async function readFooter(file: string): Promise<ParquetFooter> {
  const handle = await openFile(file);
  try {
    const { size } = await handle.stat();
    if (size === 0) throw new UserError(`${file}: is empty; a Parquet file was expected; write it again`);
    if (size < MAGIC.length + FOOTER_TAIL_BYTES) throw notParquet(file);
    let tail = await readBytes(handle, file, Math.max(0, size - TAIL_BYTES), Math.min(size, TAIL_BYTES));
    const magic = String.fromCharCode(...tail.subarray(-4));
    if (magic === 'PARE') {
      throw new UserError(`${file}: is encrypted Parquet, which is not read here; decrypt it first`, 'unsupported');
    }
    const starts = await readBytes(handle, file, 0, 4);
    if (!isMagic(starts)) throw notParquet(file);
    if (!isMagic(tail.subarray(-4))) {
      throw new UserError(
        `${file}: its end is missing (no 'PAR1' there); the file was cut short; copy or write it again`,
      );
    }
    const footerBytes = new DataView(tail.buffer, tail.byteOffset + tail.length - 8).getUint32(0, true);
    const footerStart = size - FOOTER_TAIL_BYTES - footerBytes;
    if (footerStart < MAGIC.length) throw damaged(file, `its footer claims ${footerBytes} bytes of ${size}`);
    if (footerBytes + FOOTER_TAIL_BYTES > tail.length) {
      tail = await readBytes(handle, file, footerStart, footerBytes + FOOTER_TAIL_BYTES);
    }
    return parseFooter(file, tail.subarray(tail.length - 8 - footerBytes, tail.length - 8), footerStart);
  } finally {
    await handle.close();
  }
}

/** Opens a file to read, saying plainly why it cannot be. */
export async function openFile(file: string): Promise<FileHandle> {
  try {
    return await open(file, 'r');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT') throw new UserError(`${file}: no such file; check the path`, 'missing');
    throw new UserError(`${file}: cannot be opened (${code ?? messageOf(error)})`);
  }
}

/** Exactly `length` bytes from `start`. */
export async function readBytes(handle: FileHandle, file: string, start: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  await readInto(handle, file, start, bytes);
  return bytes;
}

async function readInto(handle: FileHandle, file: string, start: number, into: Uint8Array): Promise<void> {
  for (let done = 0; done < into.length; ) {
    // One read call returns at most 2 GiB.
    const length = Math.min(into.length - done, 1 << 30);
    let bytesRead: number;
    try {
      ({ bytesRead } = await handle.read(into, done, length, start + done));
    } catch (error) {
      throw new UserError(`${file}: cannot be read (${(error as NodeJS.ErrnoException).code ?? messageOf(error)})`);
    }
    if (bytesRead === 0) throw damaged(file, `it ends at byte ${start + done}`);
    done += bytesRead;
  }
}

/** The error for bytes that are no whole Parquet file. */
export function damaged(file: string, why: string): UserError {
  return new UserError(`${file}: is damaged Parquet (${why}); copy or write it again`);
}

function notParquet(file: string): UserError {
  return new UserError(
    `${file}: is not Parquet (it does not start with 'PAR1'); for CSV run 'limelight import csv' first`,
  );
}

function isMagic(bytes: Uint8Array): boolean {
  return MAGIC.every((byte, i) => bytes[i] === byte);
}

/** The footer's struct and row groups; `end` is where column chunks must end. */
export function parseFooter(file: string, bytes: Uint8Array, end: number): ParquetFooter {
  let struct: ThriftStruct;
  try {
    struct = decodeThrift(bytes);
  } catch (error) {
    throw damaged(file, `its footer does not parse: ${messageOf(error)}`);
  }
  const rowGroups = structsField(struct, FILE.rowGroups).map((group, i): RowGroup => {
    const rowCount = numberField(group, GROUP.numRows) ?? -1;
    if (rowCount < 0) throw damaged(file, `row group ${i} has no row count`);
    const chunks = structsField(group, GROUP.columns).map((c) => chunkOf(file, c, end));
    // A list has more values than rows, never fewer: a false row count would make the decoder set aside memory for it.
    const short = chunks.find((chunk) => chunk.valueCount < rowCount);
    if (short) throw damaged(file, `row group ${i} claims ${rowCount} rows, its column '${short.column}' fewer`);
    return { rowCount, struct: group, chunks };
  });
  const rowCount = rowGroups.reduce((sum, group) => sum + group.rowCount, 0);
  const claimed = numberField(struct, FILE.numRows);
  if (rowCount !== claimed) throw damaged(file, `its footer claims ${claimed} rows, its row groups ${rowCount}`);
  return { file, rowCount, rowGroups, struct };
}

function chunkOf(file: string, struct: ThriftStruct, end: number): ColumnChunk {
  const meta = structField(struct, CHUNK.metaData);
  if (struct.has(CHUNK.crypto) || struct.has(CHUNK.encryptedMetaData)) {
    throw new UserError(`${file}: has encrypted columns, which are not read here; decrypt it first`, 'unsupported');
  }
  if (struct.has(CHUNK.filePath)) {
    throw new UserError(
      `${file}: keeps its columns in other files, which is not read here; write it as one`,
      'unsupported',
    );
  }
  const path = meta?.get(META.path);
  const name = path?.type === 'list' ? path.value[0] : undefined;
  if (!meta || name?.type !== 'binary') throw damaged(file, 'a column has no name');
  const column = new TextDecoder().decode(name.value);
  const dataPage = numberField(meta, META.dataPage) ?? -1;
  const dictionaryPage = numberField(meta, META.dictionaryPage) ?? 0;
  const start = dictionaryPage > 0 ? Math.min(dictionaryPage, dataPage) : dataPage;
  const byteLength = numberField(meta, META.compressed) ?? -1;
  if (start < MAGIC.length || byteLength < 0 || start + byteLength > end) {
    throw damaged(file, `column '${column}' lies outside the file`);
  }
  const uncompressedBytes = Math.max(byteLength, numberField(meta, META.uncompressed) ?? 0);
  return { column, start, byteLength, uncompressedBytes, valueCount: numberField(meta, META.valueCount) ?? 0, struct };
}

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
