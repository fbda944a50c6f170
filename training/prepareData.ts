import { UserError } from '../src/core/errors.ts';
import { createRandom } from '../src/core/random.ts';
import type { History } from '../src/history/history.ts';
import { buildModel } from '../src/model/architectures.ts';
import type { Bundle } from '../src/model/bundle.ts';
import { readBundle } from '../src/model/bundleFiles.ts';
import type { TypedModel } from '../src/model/checkModel.ts';
import type { ColumnBatch } from '../src/schema/columns.ts';
import { columnOf, isMade, tableOf } from '../src/schema/fields.ts';
import type { Fitted } from '../src/schema/fitted.ts';
import { columnToJson } from '../src/schema/jsonColumns.ts';
import type { Schema } from '../src/schema/schema.ts';
import { openTable, type Table } from '../src/tables/parquetReader.ts';
import { servedModel, withAuxiliary, withThresholds } from './auxiliary.ts';
import type { Config } from './config.ts';
import type { EncodedChunk, EncodedStore } from './dataset/encodedStore.ts';
import { checkColumns, encodeTable, fitSchema, type TimeRange } from './dataset/prepare.ts';
import { loadListTeacher } from './distil.ts';
import { SliceNames } from './evaluationRows.ts';
import { withHistory } from './history/withHistory.ts';
import { LabelCounts } from './labelCounts.ts';
import { checkTeacher } from './teacher.ts';
import type { TrainInputs } from './train.ts';

/** Golden requests a bundle carries. */
const goldenRows = 16;

/** Everything read from the tables. */
export interface Prepared {
  /** What is trained: the model with its auxiliary tasks. */
  readonly typed: TypedModel;
  /** What is served, judged and exported. */
  readonly served: TypedModel;
  readonly fitted: Fitted;
  /** After all rows given; where the schema has sequences or counters. */
  readonly history?: History;
  readonly train: EncodedStore;
  readonly valid: EncodedStore;
  readonly expectedRows: number;
  readonly golden: { rowCount: number; columns: Record<string, unknown[]> };
  readonly sliceNames: SliceNames;
  readonly files: readonly string[];
  readonly warnings: string[];
  readonly from?: Bundle;
}

/** Reads the tables: replays their history, fits the encoder on the training rows, then encodes them and the validation rows. */
export async function prepareData(inputs: TrainInputs): Promise<Prepared> {
  const { config, reporter, seed } = inputs;
  const { teacher } = config;
  const schema = withAuxiliary(inputs.schema, config.auxiliary);
  const architecture = inputs.architecture ?? config.architecture ?? 'senet-dnn';
  const typed = buildModel(architecture, schema, config.model, config.source);
  const served = servedModel(typed, inputs.schema);
  checkSampling(inputs.schema, config);
  checkIdDropout(inputs.schema, config);
  if (teacher !== undefined) checkTeacher(teacher, inputs.schema, config.training.negativeSampling);
  const listTeacher = inputs.distil === undefined ? undefined : await loadListTeacher(inputs.distil, schema, config);
  const from = inputs.from === undefined ? undefined : await readBundle(inputs.from);
  if (from !== undefined) checkFrom(inputs.from as string, from, [typed, served]);
  const { table, validTable, history } = await openTables(inputs);
  const trainRange: TimeRange = 'fromMs' in inputs.valid ? { beforeMs: inputs.valid.fromMs } : {};
  checkColumns(table, schema);
  checkColumns(validTable, schema);
  if (listTeacher !== undefined) checkColumns(table, schema, listTeacher.columns, `--distil ${inputs.distil}`);
  if (table.rowCount === 0) throw new UserError(`${inputs.train}: the table has no rows; name files that have some`);

  const onRows = (phase: string) => (rows: number) => reporter.progress(phase, rows, table.rowCount);
  const fitted =
    from?.fitted ??
    (await fitSchema(table, schema, trainRange, createRandom(seed).fork('fit'), onRows('vocabularies'))).fitted;
  const counts = new LabelCounts(schema);
  const onBatch = (_: ColumnBatch, chunk: EncodedChunk) => {
    counts.add(chunk);
    onRows('encoding')(counts.rows);
  };
  const train = await encodeTable(table, schema, fitted, trainRange, { onBatch, teacher, listTeacher }).finally(() =>
    listTeacher?.dispose(),
  );
  try {
    if (train.rowCount === 0) {
      const before = trainRange.beforeMs === undefined ? '' : ' before the validation’s first time';
      throw new UserError(`no rows to train on${before}; name another time or other files`);
    }
    const rest = await prepareValid(validTable, schema, inputs.valid, fitted);
    const warnings = counts.warnings();
    for (const warning of warnings) reporter.warn(warning);
    reporter.line(`${train.rowCount} rows to train on, ${rest.valid.rowCount} to validate on`);
    const files = [...new Set([...table.files, ...validTable.files])];
    const expectedRows = counts.expectedRows(config.training.negativeSampling);
    return { typed, served, fitted, history, train, ...rest, expectedRows, files, warnings, from };
  } catch (error) {
    train.dispose();
    throw error;
  }
}

/** The tables with all that the schema reads: what history computes of both together, and the labels of auxiliary tasks. */
async function openTables({ train, valid, schema, history: from, config, reporter }: TrainInputs) {
  const files = [await openTable(train), ...('fromMs' in valid ? [] : [await openTable(valid.data)])];
  const { tables, history } = await withHistory(files, { schema, reporter, from, keepsState: true });
  const [table, validTable = table] = tables.map((it) => withThresholds(it, config.auxiliary));
  return { table, validTable, history };
}

/** Encodes the validation rows, and keeps some of them as golden requests. */
async function prepareValid(table: Table, schema: Schema, given: TrainInputs['valid'], fitted: Fitted) {
  const sliceNames = new SliceNames(schema);
  const golden = { rowCount: 0, columns: {} as Record<string, unknown[]> };
  const range: TimeRange = 'fromMs' in given ? { fromMs: given.fromMs } : {};
  const onBatch = (batch: ColumnBatch, chunk: EncodedChunk) => {
    sliceNames.observe(batch, chunk);
    if (golden.rowCount === 0) Object.assign(golden, goldenOf(batch, schema));
  };
  const valid = await encodeTable(table, schema, fitted, range, { onBatch });
  if (valid.rowCount === 0) {
    valid.dispose();
    throw new UserError(
      `no rows to validate on${'fromMs' in given ? ' from that time on' : ''}; name another time or other files`,
    );
  }
  return { valid, golden, sliceNames };
}

function checkIdDropout({ fields }: Schema, { training }: Config): void {
  const embedded = fields.filter((field) => tableOf(field) !== undefined && field.kind !== 'number');
  const names = embedded.map(({ name }) => name);
  const wrong = training.idDropout?.fields?.find((name) => !names.includes(name));
  if (wrong !== undefined)
    throw new UserError(
      `configuration: idDropout names '${wrong}', which is no field with ids; name some of ${names.join(', ')}`,
    );
}

/** The correction of sampled negatives is exact for one label that all others come after. */
function checkSampling(schema: Schema, config: Config): void {
  const roots = schema.labels.filter((label) => label.after === undefined);
  if (config.training.negativeSampling < 1 && (roots.length > 1 || schema.labels[0].after !== undefined)) {
    throw new UserError(
      `configuration: negativeSampling needs the first label to be the one all others come after, got ${roots.map((label) => label.name).join(' and ')} beside each other; remove it, or set "after"`,
    );
  }
}

/** @param models that it may be: a checkpoint's has the auxiliary tasks, a finished bundle's has not */
function checkFrom(path: string, from: Bundle, models: readonly TypedModel[]): void {
  const isOf = (part: 'schema' | 'model') =>
    models.some((typed) => JSON.stringify(from.typed[part]) === JSON.stringify(typed[part]));
  const differs = !isOf('schema') ? 'schema' : !isOf('model') ? 'architecture or its options' : undefined;
  if (differs !== undefined)
    throw new UserError(
      `--from ${path}: its ${differs} differs from the one given; use the same, or train anew without --from`,
    );
}

function goldenOf(batch: ColumnBatch, schema: Schema) {
  const rows = Array.from({ length: Math.min(goldenRows, batch.rowCount) }, (_, i) =>
    Math.floor((i * batch.rowCount) / goldenRows),
  );
  const columns: Record<string, unknown[]> = {};
  for (const field of schema.fields) {
    if (isMade(field)) continue;
    const name = columnOf(field);
    columns[name] = columnToJson(batch.columns.get(name) as never, [...new Set(rows)]);
  }
  return { rowCount: new Set(rows).size, columns };
}
