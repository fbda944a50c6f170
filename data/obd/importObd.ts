import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { assert, listOf, UserError } from '../../src/core/errors.ts';
import type { Column, IntegerColumn, NumberColumn } from '../../src/schema/columns.ts';
import { takeRows } from '../../src/schema/selectRows.ts';
import { writeTypeOf } from '../../src/tables/arrowBatches.ts';
import { columnFromValues } from '../../src/tables/columnBuilder.ts';
import { type CsvBatch, type CsvFile, openCsv } from '../../src/tables/csv.ts';
import type { CsvType } from '../../src/tables/csvTypes.ts';
import { createOutputFolder } from '../../src/tables/outputFolder.ts';
import { createTableWriter, type TableWriter } from '../../src/tables/parquetWriter.ts';
import type { ImportResult } from '../csv/importCsv.ts';
import { type ItemContext, readItemContext } from './itemContext.ts';
import { findLogs, LOG_TYPES, type Log, USER_FEATURES } from './logFiles.ts';

/**
 * Imports the Open Bandit Dataset (Saito et al. 2020, https://research.zozo.com/data.html): every `<policy>/<campaign>/<campaign>.csv`
 * of a folder with the `item_context.csv` beside it, as published, and every `<policy>_<campaign>.csv` with its
 * `<policy>_<campaign>_item_context.csv`, gzipped or not. Each becomes one Parquet file `<policy>_<campaign>.parquet`, so that a log can
 * be evaluated against another. A row is an impression of one item in one of the three positions.
 *
 * Columns: `policy`, `campaign`, `time_ms`, `item_id`, `position` (1 to 3, left to right), `click`, `propensity` (of the item in that
 * position), `user_feature_0` to `_3`, `affinity` (of the user to the shown item) and the item's own `item_feature_…`. Features of users
 * and items are hashes; those of items differ from file to file, so compare items of two logs by `item_id`.
 *
 * @throws UserError for missing or malformed files; naming the line, for a row without one of these values, a click other than 0 or 1,
 *   a position below 1, a propensity that is not above 0 and at most 1, an item that its context or the affinities lack; and for an
 *   output folder that holds anything; no file is left then
 */
export async function importObd(fromDir: string, outDir: string): Promise<ImportResult> {
  const logs = await findLogs(fromDir);
  const files: string[] = [];
  let rowCount = 0;
  try {
    for (const [i, log] of logs.entries()) {
      const context = await readItemContext(log.contextFile);
      if (i === 0) await createOutputFolder(outDir);
      const path = join(outDir, `${log.policy}_${log.campaign}.parquet`);
      rowCount += await importLog(log, context, path);
      files.push(path);
    }
  } catch (error) {
    for (const file of files) await rm(file, { force: true });
    throw error;
  }
  return { rowCount, files, days: [], warnings: [] };
}

async function importLog(log: Log, context: ItemContext, path: string): Promise<number> {
  const csv = await openCsv(log.file, { header: true, types: await typesOfLog(log.file) });
  let writer: TableWriter | undefined;
  try {
    for await (const batch of csv.batches()) {
      const columns = impressionColumns(log, csv, batch, context);
      writer ??= await createTableWriter(path, {
        columns: [...columns].map(([name, column]) => ({ name, type: writeTypeOf(column) })),
      });
      await writer.append({ rowCount: batch.rowCount, columns });
    }
    assert(writer, 'a log has rows');
    await writer.close();
    return writer.rowCount;
  } catch (error) {
    await writer?.abort();
    throw error;
  }
}

/** Affinities of all items, however few of them a file's first rows tell a type of. */
async function typesOfLog(file: string): Promise<Record<string, CsvType>> {
  const csv = await openCsv(file, { header: true, types: LOG_TYPES, sampleRows: 1 });
  await csv.close();
  const affinities = csv.columns.filter(({ name }) => name.startsWith('user-item_affinity_'));
  return { ...LOG_TYPES, ...Object.fromEntries(affinities.map(({ name }) => [name, 'number' as const])) };
}

function impressionColumns(
  { policy, campaign }: Log,
  { file }: CsvFile,
  batch: CsvBatch,
  context: ItemContext,
): Map<string, Column> {
  const { rowCount } = batch;
  const column = (name: string) => batch.columns.get(name) as Column;
  const numbers = (name: string) => Float64Array.from((column(name) as IntegerColumn).values as BigInt64Array, Number);
  const items = numbers('item_id');
  const clicks = numbers('click');
  const positions = numbers('position');
  const propensities = (column('propensity_score') as NumberColumn).values;
  const affinities = new Float64Array(rowCount);
  const contextRows = new Int32Array(rowCount);
  for (let row = 0; row < rowCount; row++) {
    const refuse = (what: string) =>
      new UserError(`${file}: line ${batch.lines[row]} ${what}; correct or drop the row`);
    const without = Object.keys(LOG_TYPES).filter(
      (name) => !USER_FEATURES.includes(name) && column(name).valid?.[row] === 0,
    );
    if (without.length > 0) throw refuse(`has no ${listOf(without)}`);
    if (clicks[row] !== 0 && clicks[row] !== 1) throw refuse(`has the click ${clicks[row]}, where 0 or 1 was expected`);
    if (!(positions[row] >= 1 && positions[row] <= 1000))
      throw refuse(`has the position ${positions[row]}, where a number from 1 was expected`);
    if (!(propensities[row] > 0 && propensities[row] <= 1))
      throw refuse(`has the propensity ${propensities[row]}, where a probability above 0 and at most 1 was expected`);
    const contextRow = context.rows.get(items[row]);
    if (contextRow === undefined) throw refuse(`has the item ${items[row]}, which ${context.file} lacks`);
    contextRows[row] = contextRow;
    const affinity = batch.columns.get(`user-item_affinity_${items[row]}`) as NumberColumn | undefined;
    if (!affinity || affinity.valid?.[row] === 0) throw refuse(`has no user-item_affinity_${items[row]} of its item`);
    affinities[row] = affinity.values[row];
  }
  const small = (values: Float64Array): Column => ({ type: 'integer', rowCount, values: Int32Array.from(values) });
  const { values } = column('timestamp') as IntegerColumn;
  const constant = (text: string) => takeRows(columnFromValues([text], 'text'), new Int32Array(rowCount));
  return new Map<string, Column>([
    ['policy', constant(policy)],
    ['campaign', constant(campaign)],
    ['time_ms', { type: 'integer', rowCount, values }],
    ['item_id', small(items)],
    ['position', small(positions)],
    ['click', small(clicks)],
    ['propensity', { type: 'number', rowCount, values: propensities }],
    ...USER_FEATURES.map((name): [string, Column] => [name, column(name)]),
    ['affinity', { type: 'number', rowCount, values: affinities }],
    ...context.features.map(([name, feature]): [string, Column] => [name, takeRows(feature, contextRows)]),
  ]);
}
