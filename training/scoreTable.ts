import { UserError } from '../src/core/errors.ts';
import type { Bundle } from '../src/model/bundle.ts';
import type { ColumnBatch } from '../src/schema/columns.ts';
import { createEncoder } from '../src/schema/encoder.ts';
import type { Label, Schema } from '../src/schema/schema.ts';
import type { Scorer } from '../src/scoring/scorer.ts';
import type { Table } from '../src/tables/parquetReader.ts';
import type { EncodedChunk } from './dataset/encodedStore.ts';
import { checkColumns, encodeBatch, rowsInRange, type TimeRange } from './dataset/prepare.ts';
import { columnsOfSchema } from './dataset/rowColumns.ts';
import { type EvaluationRows, RowCollector, SliceNames } from './evaluationRows.ts';
import { calibrateAll } from './judge.ts';
import type { Reporter } from './reporter.ts';

/** Rows an engine scores at a time. */
const batchRows = 8192;

export interface ScoredBatch {
  readonly batch: ColumnBatch;
  readonly chunk: EncodedChunk;
  /** Uncalibrated, by task. */
  readonly raw: ReadonlyMap<string, Float64Array>;
}

export interface ScoreOptions {
  /** Read beside the columns of the schema. */
  readonly extraColumns?: readonly string[];
  /** All rows where absent. */
  readonly range?: TimeRange;
}

/**
 * Scores a table with a bundle, batch by batch.
 *
 * @param labels `required`, or `optional` where the table may lack them, and chunks come without
 */
export async function* scoreTable(
  bundle: Bundle,
  scorer: Scorer,
  table: Table,
  labels: 'required' | 'optional',
  reporter: Reporter,
  { extraColumns = [], range = {} }: ScoreOptions = {},
): AsyncGenerator<ScoredBatch> {
  const { schema } = bundle.typed;
  const has = new Set(table.columns.map((column) => column.name));
  const present = schemaToRead(schema, has, labels, range);
  checkColumns(table, present, extraColumns, `bundle '${bundle.manifest.name}'`);
  const encoder = createEncoder(schema, bundle.fitted);
  let done = 0;
  const columns = [...new Set([...columnsOfSchema(present), ...extraColumns])];
  for await (const scanned of table.scan({ columns, batchRows })) {
    done += scanned.rowCount;
    const batch = rowsInRange(scanned, schema, range);
    if (batch.rowCount === 0) continue;
    const chunk = encodeBatch(batch, encoder, present);
    const scores = scorer.score(chunk);
    const raw = new Map([...scores].map(([task, p]) => [task, Float64Array.from(p)]));
    reporter.progress('scoring', done, table.rowCount);
    yield { batch, chunk, raw };
  }
}

/** The schema as far as a table is read with it: scores need neither labels nor time, metrics no true probabilities. */
function schemaToRead(
  schema: Schema,
  has: ReadonlySet<string>,
  labels: 'required' | 'optional',
  { fromMs, beforeMs }: TimeRange,
): Schema {
  const time = fromMs === undefined && beforeMs === undefined ? undefined : schema.time;
  if (labels === 'optional') return { ...schema, labels: [], time, user: undefined, weight: undefined };
  const withoutTruth = (label: Label) =>
    label.truth === undefined || has.has(label.truth) ? label : { ...label, truth: undefined };
  return { ...schema, labels: schema.labels.map(withoutTruth), time };
}

export interface ScoredTable {
  /** `probabilities` as served. */
  readonly rows: EvaluationRows;
  readonly raw: ReadonlyMap<string, Float64Array>;
  readonly sliceNames: SliceNames;
}

/** All of a table's predictions and labels, in memory. */
export async function collectTable(
  bundle: Bundle,
  scorer: Scorer,
  table: Table,
  reporter: Reporter,
  range: TimeRange = {},
): Promise<ScoredTable> {
  const collector = new RowCollector(bundle.typed);
  const sliceNames = new SliceNames(bundle.typed.schema);
  for await (const scored of scoreTable(bundle, scorer, table, 'required', reporter, { range })) {
    sliceNames.observe(scored.batch, scored.chunk);
    collector.add(scored.chunk, scored.raw);
  }
  const rows = collector.finish();
  if (rows.rowCount === 0)
    throw new UserError(`${table.files[0]}: no rows to measure on; name files, or a time, that have some`);
  const raw = rows.probabilities;
  return { rows: { ...rows, probabilities: calibrateAll(raw, bundle.manifest.calibration) }, raw, sliceNames };
}
