import { join } from 'node:path';
import { assert, listOf, UserError } from '../../src/core/errors.ts';
import type { Column, IntegerColumn, TextColumn } from '../../src/schema/columns.ts';
import { takeRows } from '../../src/schema/selectRows.ts';
import { type ColumnSpec, writeTypeOf } from '../../src/tables/arrowBatches.ts';
import { columnValue, textAt } from '../../src/tables/columnBuilder.ts';
import { type CsvBatch, openCsv } from '../../src/tables/csv.ts';
import type { CsvType } from '../../src/tables/csvTypes.ts';
import { createOutputFolder } from '../../src/tables/outputFolder.ts';
import { createTableWriter, type TableWriter } from '../../src/tables/parquetWriter.ts';
import type { ImportResult } from '../csv/importCsv.ts';
import { sourceFiles } from '../sourceFiles.ts';

/** What every file must have. */
const REQUIRED: Readonly<Record<string, CsvType>> = {
  clickability_test_id: 'text',
  impressions: 'integer',
  clicks: 'integer',
};
/** What some have, in types that do not depend on which rows a file happens to hold. */
const OPTIONAL: Readonly<Record<string, CsvType>> = {
  headline: 'text',
  lede: 'text',
  excerpt: 'text',
  slug: 'text',
  share_text: 'text',
  square: 'text',
  eyecatcher_id: 'text',
  test_week: 'integer',
  significance: 'number',
  winner: 'boolean',
  first_place: 'boolean',
  created_at: 'timestamp',
  updated_at: 'timestamp',
};

/** What is known of the files read so far. */
interface Known {
  /** Arms by test. */
  readonly arms: Map<string, number>;
  /** Every row as text, to find those that come twice. */
  readonly rows: Set<string>;
  repeated: number;
}

/**
 * Imports the Upworthy Research Archive (Matias et al. 2021, https://upworthy.natematias.com): every `packages_*.csv[.gz]` of a
 * folder, in order of name, as one Parquet file of one row an arm of a randomised test.
 *
 * Columns keep their names, but `clickability_test_id` is `test`; added is `arm`, the arm's number within its test, from 0. A row
 * that repeats another in every column is left out, with a warning.
 *
 * @throws UserError for missing or malformed files; naming the line, for a row without a test, without impressions or with
 *   clicks that are not among them; and for an output folder that holds anything; no file is left then
 */
export async function importUpworthy(fromDir: string, outDir: string): Promise<ImportResult> {
  const files = await sourceFiles(fromDir, 'packages_', 'csv', 'Upworthy files');
  const known: Known = { arms: new Map(), rows: new Set(), repeated: 0 };
  let columnNames = '';
  let types: Record<string, CsvType> = {};
  let writer: TableWriter | undefined;
  try {
    for (const file of files) {
      const names = await readColumnNames(file);
      columnNames ||= names.join();
      if (names.join() !== columnNames)
        throw new UserError(`${file}: its columns differ from ${files[0]}: ${listOf(names, 40)}; import them apart`);
      const csv = await openCsv(file, { types: { ...typesOf(names), ...types } });
      types = Object.fromEntries(csv.columns.map(({ name, type }) => [name, type]));
      for await (const batch of csv.batches()) {
        const columns = armColumns(file, batch, known);
        if (!writer) {
          await createOutputFolder(outDir);
          writer = await createTableWriter(join(outDir, 'part-0.parquet'), { columns: specsOf(columns) });
        }
        await writer.append({ rowCount: columns.get('arm')?.rowCount ?? 0, columns });
      }
    }
    assert(writer, 'a file has rows');
    await writer.close();
  } catch (error) {
    await writer?.abort();
    throw error;
  }
  const warnings =
    known.repeated > 0 ? [`${known.repeated} rows repeat another in every column; they are left out`] : [];
  return { rowCount: writer.rowCount, files: [writer.path], days: [], warnings };
}

/** @throws UserError for a file that lacks what every one must have, or has what is added */
async function readColumnNames(file: string): Promise<string[]> {
  const csv = await openCsv(file, { types: REQUIRED, sampleRows: 1 });
  await csv.close();
  const names = csv.columns.map(({ name }) => name);
  const taken = names.find((name) => name === 'test' || name === 'arm');
  if (taken === undefined) return names;
  throw new UserError(`${file}: has a column '${taken}', which is the name of one that this import writes; rename it`);
}

function typesOf(names: readonly string[]): Record<string, CsvType> {
  return { ...Object.fromEntries(Object.entries(OPTIONAL).filter(([name]) => names.includes(name))), ...REQUIRED };
}

/** A batch's rows as they are written: checked, numbered within their test, without repeated ones. */
function armColumns(file: string, batch: CsvBatch, known: Known): Map<string, Column> {
  const test = batch.columns.get('clickability_test_id') as TextColumn;
  // The row numbers that pandas writes have no name and tell two rows of one content apart.
  const given = [...batch.columns].filter(([name]) => !/^(column1|Unnamed: 0)$/.test(name));
  const arms = new Int32Array(batch.rowCount);
  const kept: number[] = [];
  for (let row = 0; row < batch.rowCount; row++) {
    checkRow(`${file}: line ${batch.lines[row]}`, batch, row);
    const content = JSON.stringify(given.map(([, column]) => String(columnValue(column, row))));
    if (known.rows.has(content)) {
      known.repeated++;
      continue;
    }
    known.rows.add(content);
    const id = textAt(test, row);
    arms[row] = known.arms.get(id) ?? 0;
    known.arms.set(id, arms[row] + 1);
    kept.push(row);
  }
  const arm: Column = { type: 'integer', rowCount: batch.rowCount, values: arms };
  const others = given.filter(([, column]) => column !== test);
  const columns: [string, Column][] = [['test', test], ['arm', arm], ...others];
  const rows = Int32Array.from(kept);
  return new Map(columns.map(([name, column]) => [name, takeRows(column, rows)]));
}

function checkRow(where: string, { columns }: CsvBatch, row: number): void {
  const problem = (what: string) => new UserError(`${where}: ${what}; correct or drop the row`);
  for (const name of Object.keys(REQUIRED)) if (columns.get(name)?.valid?.[row] === 0) throw problem(`has no ${name}`);
  const [impressions, clicks] = ['impressions', 'clicks'].map((name) =>
    Number((columns.get(name) as IntegerColumn).values[row]),
  );
  if (impressions < 1) throw problem(`an arm with ${impressions} impressions, where at least 1 was expected`);
  if (clicks < 0 || clicks > impressions)
    throw problem(`${clicks} clicks in ${impressions} impressions, where from 0 to ${impressions} were expected`);
}

function specsOf(columns: ReadonlyMap<string, Column>): ColumnSpec[] {
  return [...columns].map(([name, column]) => ({ name, type: writeTypeOf(column) }));
}
