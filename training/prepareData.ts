import { UserError } from '../src/core/errors.ts';
import { createRandom } from '../src/core/random.ts';
import { buildModel } from '../src/model/architectures.ts';
import type { Bundle } from '../src/model/bundle.ts';
import { readBundle } from '../src/model/bundleFiles.ts';
import type { TypedModel } from '../src/model/checkModel.ts';
import type { ColumnBatch } from '../src/schema/columns.ts';
import { columnOf } from '../src/schema/fields.ts';
import type { Fitted } from '../src/schema/fitted.ts';
import { columnToJson } from '../src/schema/jsonColumns.ts';
import type { Schema } from '../src/schema/schema.ts';
import { openTable, type Table } from '../src/tables/parquetReader.ts';
import type { Config } from './config.ts';
import type { EncodedStore } from './dataset/encodedStore.ts';
import { checkColumns, encodeTable, fitSchema, type TimeRange } from './dataset/prepare.ts';
import { SliceNames } from './evaluationRows.ts';
import { LabelCounts } from './labelCounts.ts';
import type { TrainInputs } from './train.ts';

/** Golden requests a bundle carries. */
const goldenRows = 16;

/** Everything read from the tables. */
export interface Prepared {
  readonly typed: TypedModel;
  readonly fitted: Fitted;
  readonly train: EncodedStore;
  readonly valid: EncodedStore;
  readonly expectedRows: number;
  readonly golden: { rowCount: number; columns: Record<string, unknown[]> };
  readonly sliceNames: SliceNames;
  readonly files: readonly string[];
  readonly warnings: string[];
  readonly from?: Bundle;
}

/** Reads the tables: fits the encoder on the training rows, then encodes them and the validation rows. */
export async function prepareData(inputs: TrainInputs): Promise<Prepared> {
  const { schema, config, reporter, seed } = inputs;
  const architecture = inputs.architecture ?? config.architecture ?? 'senet-dnn';
  const typed = buildModel(architecture, schema, config.model, config.source);
  checkSampling(schema, config);
  const from = inputs.from === undefined ? undefined : await readBundle(inputs.from);
  if (from !== undefined) checkFrom(inputs.from as string, from, typed);
  const table = await openTable(inputs.train);
  const trainRange: TimeRange = 'fromMs' in inputs.valid ? { beforeMs: inputs.valid.fromMs } : {};
  const validTable = 'fromMs' in inputs.valid ? table : await openTable(inputs.valid.data);
  checkColumns(table, schema);
  checkColumns(validTable, schema);
  if (table.rowCount === 0) throw new UserError(`${inputs.train}: the table has no rows; name files that have some`);

  const onRows = (phase: string) => (rows: number) => reporter.progress(phase, rows, table.rowCount);
  const fitted =
    from?.fitted ??
    (await fitSchema(table, schema, trainRange, createRandom(seed).fork('fit'), onRows('vocabularies'))).fitted;
  const counts = new LabelCounts(schema);
  const train = await encodeTable(table, schema, fitted, trainRange, (_, chunk) => {
    counts.add(chunk);
    onRows('encoding')(counts.rows);
  });
  try {
    if (train.rowCount === 0) {
      const before = trainRange.beforeMs === undefined ? '' : ' before the validation’s first time';
      throw new UserError(`no rows to train on${before}; name another time or other files`);
    }
    const rest = await prepareValid(validTable, inputs, fitted);
    const warnings = counts.warnings();
    for (const warning of warnings) reporter.warn(warning);
    reporter.line(`${train.rowCount} rows to train on, ${rest.valid.rowCount} to validate on`);
    const files = [...new Set([...table.files, ...validTable.files])];
    const expectedRows = counts.expectedRows(config.training.negativeSampling);
    return { typed, fitted, train, ...rest, expectedRows, files, warnings, from };
  } catch (error) {
    train.dispose();
    throw error;
  }
}

/** Encodes the validation rows, and keeps some of them as golden requests. */
async function prepareValid(table: Table, inputs: TrainInputs, fitted: Fitted) {
  const { schema, valid: given } = inputs;
  const sliceNames = new SliceNames(schema);
  const golden = { rowCount: 0, columns: {} as Record<string, unknown[]> };
  const range: TimeRange = 'fromMs' in given ? { fromMs: given.fromMs } : {};
  const valid = await encodeTable(table, schema, fitted, range, (batch, chunk) => {
    sliceNames.observe(batch, chunk);
    if (golden.rowCount === 0) Object.assign(golden, goldenOf(batch, schema));
  });
  if (valid.rowCount === 0) {
    valid.dispose();
    throw new UserError(
      `no rows to validate on${'fromMs' in given ? ' from that time on' : ''}; name another time or other files`,
    );
  }
  return { valid, golden, sliceNames };
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

function checkFrom(path: string, from: Bundle, typed: TypedModel): void {
  const differs =
    JSON.stringify(from.typed.schema) !== JSON.stringify(typed.schema)
      ? 'schema'
      : JSON.stringify(from.typed.model) !== JSON.stringify(typed.model)
        ? 'architecture or its options'
        : undefined;
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
    if (field.kind === 'cross') continue;
    const name = columnOf(field);
    columns[name] = columnToJson(batch.columns.get(name) as never, [...new Set(rows)]);
  }
  return { rowCount: new Set(rows).size, columns };
}
