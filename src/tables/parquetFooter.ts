import { messageOf, UserError } from '../core/errors.ts';
import { openFile, readBytes } from './fileBytes.ts';
import { decodeThrift, numberField, structField, structsField, type ThriftStruct } from './thriftCompact.ts';

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
  /** None where there are no rows. */
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

export const MAGIC = new TextEncoder().encode('PAR1');
export const FOOTER_TAIL_BYTES = 8;
/** Read at once from the end of a file: most footers are smaller. */
const TAIL_BYTES = 64 * 1024;

// Field numbers of parquet.thrift.
export const FILE = { schema: 2, numRows: 3, rowGroups: 4, keyValues: 5, columnOrders: 7 };
export const GROUP = { columns: 1, numRows: 3, sortingColumns: 4, fileOffset: 5, ordinal: 7 };
export const CHUNK = { filePath: 1, fileOffset: 2, metaData: 3, crypto: 8, encryptedMetaData: 9 };
export const META = {
  path: 3,
  valueCount: 5,
  uncompressed: 6,
  compressed: 7,
  dataPage: 9,
  indexPage: 10,
  dictionaryPage: 11,
};
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
    // Of no rows there is nothing to read, wherever the group says it were: pyarrow gives an empty table pages that begin at 0.
    const columns = rowCount === 0 ? [] : structsField(group, GROUP.columns);
    const chunks = columns.map((c) => chunkOf(file, c, end));
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
