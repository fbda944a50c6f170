import { listOf, UserError } from '../../src/core/errors.ts';
import type { Random } from '../../src/core/random.ts';
import type { ColumnBatch } from '../../src/schema/columns.ts';
import { createEncoder, type Encoder } from '../../src/schema/encoder.ts';
import { Fitter } from '../../src/schema/fit.ts';
import type { Fitted } from '../../src/schema/fitted.ts';
import type { Schema } from '../../src/schema/schema.ts';
import { selectRows } from '../../src/schema/selectRows.ts';
import type { Table } from '../../src/tables/parquetReader.ts';
import type { ListTeacher } from '../distil.ts';
import { softLabels, type Teacher } from '../teacher.ts';
import { type EncodedChunk, EncodedStore } from './encodedStore.ts';
import { columnsOfSchema, rowColumnsOf, timesOf } from './rowColumns.ts';

/** Which rows of a table are meant: all, or those served before or from a time on. */
export interface TimeRange {
  readonly fromMs?: number;
  readonly beforeMs?: number;
}

/**
 * @param reader how messages name who reads the columns
 * @throws UserError if a table lacks a column that a schema reads
 */
export function checkColumns(
  table: Table,
  schema: Schema,
  extraColumns: readonly string[] = [],
  reader = `schema '${schema.name}'`,
): void {
  const has = new Set(table.columns.map((column) => column.name));
  const lacking = [...columnsOfSchema(schema), ...extraColumns].filter((name) => !has.has(name));
  if (lacking.length === 0) return;
  const names = listOf(lacking.map((name) => `'${name}'`));
  const files = table.files.length === 1 ? table.files[0] : `${table.files[0]} and ${table.files.length - 1} more`;
  throw new UserError(
    `column${lacking.length > 1 ? 's' : ''} ${names}, which ${reader} reads, ${lacking.length > 1 ? 'are' : 'is'} not in ${files}; it has ${[...has].join(', ')}: correct the schema or the data`,
    'missing',
  );
}

/** A table's batches, only the rows of a time range, only the columns a schema reads. */
export async function* rowsOf(
  table: Table,
  schema: Schema,
  range: TimeRange,
  extraColumns: readonly string[] = [],
): AsyncGenerator<ColumnBatch> {
  checkColumns(table, schema, extraColumns);
  const columns = [...new Set([...columnsOfSchema(schema), ...extraColumns])];
  for await (const batch of table.scan({ columns })) {
    const kept = rowsInRange(batch, schema, range);
    if (kept.rowCount > 0) yield kept;
  }
}

/** The rows of a batch served within a range. */
export function rowsInRange(batch: ColumnBatch, schema: Schema, { fromMs, beforeMs }: TimeRange): ColumnBatch {
  if (fromMs === undefined && beforeMs === undefined) return batch;
  if (schema.time === undefined)
    throw new UserError(
      `splitting by time needs the schema to name its time column: add "time" to schema '${schema.name}'`,
    );
  const times = timesOf(batch, schema.time);
  const low = fromMs ?? Number.NEGATIVE_INFINITY;
  const high = beforeMs ?? Number.POSITIVE_INFINITY;
  const rows = new Int32Array(times.length);
  let count = 0;
  for (let row = 0; row < times.length; row++) if (times[row] >= low && times[row] < high) rows[count++] = row;
  return count === batch.rowCount ? batch : selectRows(batch, rows.subarray(0, count));
}

/** @param schema whose labels, weight and user to take: the encoder's, or less of it */
export function encodeBatch(batch: ColumnBatch, encoder: Encoder, schema = encoder.schema): EncodedChunk {
  const { fields, rowCount } = encoder.encode(batch);
  return { rowCount, fields, ...rowColumnsOf(batch, schema) };
}

/** First pass: vocabularies and statistics of the training rows. */
export async function fitSchema(
  table: Table,
  schema: Schema,
  range: TimeRange,
  random: Random,
  onRows?: (rows: number) => void,
): Promise<{ fitted: Fitted; rowCount: number }> {
  const fitter = new Fitter(schema, random);
  let rowCount = 0;
  for await (const batch of rowsOf(table, schema, range)) {
    fitter.observe(batch);
    rowCount += batch.rowCount;
    onRows?.(rowCount);
  }
  return { fitted: fitter.finish(), rowCount };
}

export interface EncodeOptions {
  /** Sees each raw batch with its encoding, e.g. to keep some rows as golden examples. */
  readonly onBatch?: (batch: ColumnBatch, chunk: EncodedChunk) => void;
  /** Of training rows. */
  readonly teacher?: Teacher;
  readonly listTeacher?: ListTeacher;
}

/** Second pass: encodes rows into a store. */
export async function encodeTable(
  table: Table,
  schema: Schema,
  fitted: Fitted,
  range: TimeRange,
  { onBatch, teacher, listTeacher }: EncodeOptions = {},
): Promise<EncodedStore> {
  const store = new EncodedStore();
  try {
    const encoder = createEncoder(schema, fitted);
    const extraColumns = [...(teacher ? [teacher.column] : []), ...(listTeacher?.columns ?? [])];
    for await (const batch of rowsOf(table, schema, range, extraColumns)) {
      const labelled = withTargets(encodeBatch(batch, encoder), batch, teacher);
      const chunk = listTeacher === undefined ? labelled : { ...labelled, ranked: listTeacher.rank(batch) };
      onBatch?.(batch, chunk);
      store.append(chunk);
    }
    return store;
  } catch (error) {
    store.dispose();
    throw error;
  }
}

function withTargets(chunk: EncodedChunk, batch: ColumnBatch, teacher: Teacher | undefined): EncodedChunk {
  if (teacher === undefined) return chunk;
  const labels = chunk.labels.get(teacher.label) as Float32Array;
  return { ...chunk, targets: new Map([[teacher.label, softLabels(batch, labels, teacher)]]) };
}
