import { type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { assert, UserError } from '../core/errors.ts';
import type { Column, ColumnBatch } from '../schema/columns.ts';
import { type ColumnSpec, toArrowStream } from './arrowBatches.ts';
import { sliceColumn } from './columnSlices.ts';
import { outputError } from './outputFolder.ts';
import { parseFooter } from './parquetFooter.ts';
import { fileTail, moveRowGroup } from './parquetPieces.ts';
import { withParquet } from './parquetWasm.ts';
import type { ThriftStruct } from './thriftCompact.ts';

export type Compression = 'none' | 'snappy' | 'gzip' | 'brotli' | 'zstd';

export interface TableWriterOptions {
  readonly columns: readonly ColumnSpec[];
  /** 100,000 if absent. */
  readonly rowGroupRows?: number;
  /** `snappy` if absent. */
  readonly compression?: Compression;
}

/** Writes one Parquet file, row group by row group. */
export interface TableWriter {
  readonly path: string;
  readonly rowCount: number;
  /** Takes the batch's columns that the table has; others are ignored. Keeps views of it: do not change it. */
  append(batch: ColumnBatch): Promise<void>;
  /** Completes the file and gives it its name. */
  close(): Promise<void>;
  /** Removes what was written. */
  abort(): Promise<void>;
}

const ROW_GROUP_ROWS = 100_000;
const CODECS = { none: 0, snappy: 1, gzip: 2, brotli: 3, zstd: 5 };
const MAGIC_BYTES = 4;

/**
 * Starts a Parquet file. It is written beside its place as `.<name>.partial` and renamed when closed, so that a reader
 * never sees half of one; folders on the way are made. Memory holds one row group.
 *
 * Each row group is encoded by parquet-wasm as a file of its own, whose pages are appended here and whose footer entry
 * joins ours: the library itself writes only whole files.
 *
 * @throws UserError where the file exists already, cannot be written, or the disk is full (what was written is removed)
 */
export async function createTableWriter(path: string, options: TableWriterOptions): Promise<TableWriter> {
  assert(options.columns.length > 0, `${path}: a table has a column`);
  const temporary = temporaryName(path);
  const handle = await createFile(path, temporary);
  const rowGroupRows = options.rowGroupRows ?? ROW_GROUP_ROWS;
  const codec = CODECS[options.compression ?? 'snappy'];
  const rowGroups: ThriftStruct[] = [];
  let footer: ThriftStruct | undefined;
  let position = MAGIC_BYTES;
  let rowCount = 0;
  let waiting: Column[][] = [];
  let waitingRows = 0;
  let open = true;

  async function flush(): Promise<void> {
    const encoded = encode(toArrowStream(options.columns, waiting, path), codec, waitingRows);
    const parsed = splitFile(path, encoded);
    const [group] = parsed.rowGroups;
    footer ??= parsed.struct;
    // A file of no rows has no row group either.
    if (group) {
      const pages = encoded.subarray(MAGIC_BYTES, Math.max(...group.chunks.map((c) => c.start + c.byteLength)));
      rowGroups.push(moveRowGroup(group.struct, position - MAGIC_BYTES, rowGroups.length));
      await writeAll(handle, pages);
      position += pages.length;
    }
    waiting = [];
    waitingRows = 0;
  }
  async function abort(): Promise<void> {
    if (!open) return;
    open = false;
    await handle.close().catch(() => undefined);
    await rm(temporary, { force: true });
  }
  async function guarded(work: () => Promise<void>): Promise<void> {
    assert(open, `${path}: is closed`);
    try {
      await work();
    } catch (error) {
      await abort();
      // Errors of the file system carry a code; others are a bad batch's, or ours.
      throw (error as NodeJS.ErrnoException).code ? outputError(path, error) : error;
    }
  }
  return {
    path,
    get rowCount() {
      return rowCount;
    },
    append: (batch) =>
      guarded(async () => {
        const columns = options.columns.map(({ name }) => columnOf(batch, name, path));
        for (let from = 0; from < batch.rowCount; ) {
          const to = Math.min(batch.rowCount, from + rowGroupRows - waitingRows);
          waiting.push(columns.map((column) => sliceColumn(column, from, to)));
          waitingRows += to - from;
          if (waitingRows === rowGroupRows) await flush();
          from = to;
        }
        rowCount += batch.rowCount;
      }),
    close: () =>
      guarded(async () => {
        if (waitingRows > 0 || !footer) await flush();
        assert(footer, 'a flush sets the footer');
        await writeAll(handle, fileTail(footer, rowGroups, rowCount));
        // The name must not reach the disk before the bytes do.
        await handle.datasync();
        await handle.close();
        await rename(temporary, path);
        open = false;
      }),
    abort,
  };
}

function temporaryName(path: string): string {
  const slash = path.lastIndexOf('/') + 1;
  return `${path.slice(0, slash)}.${path.slice(slash)}.partial`;
}

async function createFile(path: string, temporary: string): Promise<FileHandle> {
  if (await stat(path).catch(() => undefined)) {
    throw new UserError(`${path}: exists already; name another file, or remove it first`, 'conflict');
  }
  try {
    await mkdir(dirname(path), { recursive: true });
    const handle = await open(temporary, 'w');
    await writeAll(handle, new TextEncoder().encode('PAR1'));
    return handle;
  } catch (error) {
    throw outputError(path, error);
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done);
    done += bytesWritten;
  }
}

function columnOf(batch: ColumnBatch, name: string, path: string): Column {
  const column = batch.columns.get(name);
  if (!column) throw new UserError(`${path}: a batch lacks column '${name}'`);
  assert(column.rowCount === batch.rowCount, `column '${name}' has ${column.rowCount} rows of ${batch.rowCount}`);
  return column;
}

function encode(stream: Uint8Array, codec: number, rows: number): Uint8Array {
  return withParquet((parquet) => {
    const properties = new parquet.WriterPropertiesBuilder()
      .setCompression(codec)
      .setCreatedBy('limelight')
      .setMaxRowGroupSize(Math.max(1, rows))
      .build();
    return parquet.writeParquet(parquet.Table.fromIPCStream(stream), properties);
  });
}

function splitFile(path: string, bytes: Uint8Array): ReturnType<typeof parseFooter> {
  const footerBytes = new DataView(bytes.buffer, bytes.byteOffset).getUint32(bytes.length - 8, true);
  const start = bytes.length - 8 - footerBytes;
  const footer = parseFooter(path, bytes.subarray(start, bytes.length - 8), start);
  assert(footer.rowGroups.length <= 1, 'one row group at a time');
  return footer;
}
