import type { ReaderOptions, RecordBatch } from 'parquet-wasm';
import { UserError } from '../core/errors.ts';
import type { Column } from '../schema/columns.ts';
import { ColumnFailure, toColumn } from './arrowColumns.ts';
import { readArray, readField } from './arrowMemory.ts';
import { damaged } from './parquetFooter.ts';
import { ParquetFailure, type ParquetWasm, parquetMemory, withParquet } from './parquetWasm.ts';

/** Which rows of a row group to decode: part `index` of parts of `rows` rows, the last one shorter. */
export interface RowPart {
  readonly index: number;
  readonly rows: number;
  /** Of this part. */
  readonly rowCount: number;
}

/**
 * Decodes one part of a Parquet file of one row group into columns by name. Rows before it are skipped within the pages,
 * which costs little beside decoding; where the library cannot skip (delta-coded miniblocks of 256 values, as DuckDB
 * writes on request) they are decoded again and dropped.
 *
 * @throws UserError naming `file`
 */
export function decodeRows(file: string, bytes: Uint8Array, part: RowPart, into: Map<string, Column>): void {
  const { index, rows, rowCount } = part;
  const skipping = { offset: index * rows, limit: rowCount, batchSize: rows };
  const decoding = { limit: index * rows + rowCount, batchSize: rows };
  try {
    if (index === 0) read(file, bytes, decoding, part, 0, into);
    else {
      try {
        read(file, bytes, skipping, part, 0, into);
      } catch (error) {
        if (!(error instanceof ParquetFailure)) throw error;
        read(file, bytes, decoding, part, index, into);
      }
    }
  } catch (error) {
    if (error instanceof ParquetFailure) throw damaged(file, error.message);
    throw error;
  }
}

function read(
  file: string,
  bytes: Uint8Array,
  options: ReaderOptions,
  part: RowPart,
  wanted: number,
  into: Map<string, Column>,
): void {
  withParquet((parquet) => {
    const table = parquet.readParquet(bytes, options);
    const batches = table.recordBatches();
    try {
      if (batches.length !== wanted + 1 || batches[wanted].numRows !== part.rowCount) {
        throw new ParquetFailure('its pages hold fewer rows than its footer claims');
      }
      copyOut(file, parquet, batches[wanted], into);
    } finally {
      for (const batch of batches) batch.free();
      table.free();
    }
  });
}

function copyOut(file: string, parquet: ParquetWasm, batch: RecordBatch, into: Map<string, Column>): void {
  const exported = batch.toFFI();
  try {
    const memory = parquetMemory(parquet);
    const root = readField(memory, exported.schemaAddr());
    const array = readArray(memory, exported.arrayAddr());
    for (const [i, field] of root.children.entries()) {
      try {
        into.set(field.name, toColumn(field, array.children[i]));
      } catch (error) {
        if (error instanceof ColumnFailure) throw new UserError(`${file}: column '${field.name}' ${error.message}`);
        throw error;
      }
    }
  } finally {
    exported.free();
  }
}
