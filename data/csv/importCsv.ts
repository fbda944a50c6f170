import { join } from 'node:path';
import { assert, listOf, UserError } from '../../src/core/errors.ts';
import type { ColumnBatch } from '../../src/schema/columns.ts';
import type { ColumnSpec, FlatWriteType } from '../../src/tables/arrowBatches.ts';
import { type CsvFile, type CsvOptions, openCsv } from '../../src/tables/csv.ts';
import type { CsvType } from '../../src/tables/csvTypes.ts';
import { daysOf } from '../../src/tables/days.ts';
import { createOutputFolder } from '../../src/tables/outputFolder.ts';
import { createTableWriter } from '../../src/tables/parquetWriter.ts';
import { createPartitionedWriter } from '../../src/tables/partitionedWriter.ts';

export interface ImportCsvOptions {
  /** Rows go to one folder a day by this column (see `daysOf`); without it, to one file. */
  readonly timeColumn?: string;
  /** Types by column name; the others are inferred from the first file. */
  readonly types?: Readonly<Record<string, CsvType>>;
  readonly delimiter?: string;
  readonly header?: boolean;
  readonly onProgress?: (rowCount: number, file: string) => void;
}

export interface ImportResult {
  readonly rowCount: number;
  /** The files written. */
  readonly files: readonly string[];
  /** The days that have rows, as in `2022-04-25`; empty without a time column. */
  readonly days: readonly string[];
  readonly warnings: readonly string[];
}

interface Sink {
  append(batch: ColumnBatch): Promise<void>;
  close(): Promise<Pick<ImportResult, 'rowCount' | 'files' | 'days'>>;
  abort(): Promise<void>;
}

/**
 * Writes CSV files of one kind, in the order given, as one Parquet table in `outDir`.
 *
 * @throws UserError for what `openCsv` refuses, files whose columns differ, an unknown time column, an output folder
 *   that holds anything; nothing is left behind then
 */
export async function importCsv(
  files: readonly string[],
  outDir: string,
  options: ImportCsvOptions = {},
): Promise<ImportResult> {
  if (files.length === 0) throw new UserError('no CSV file was given; name at least one', 'missing');
  const { delimiter, header } = options;
  const first = await openCsv(files[0], { delimiter, header, types: options.types });
  const types = Object.fromEntries(first.columns.map(({ name, type }) => [name, type]));
  let sink: Sink | undefined;
  try {
    sink = await openSink(first, outDir, options);
    let rowCount = 0;
    for (const [i, file] of files.entries()) {
      const csv = i === 0 ? first : await openLike(first, file, { delimiter, header, types });
      for await (const batch of csv.batches()) {
        await sink.append(batch);
        rowCount += batch.rowCount;
        options.onProgress?.(rowCount, file);
      }
    }
    return { ...(await sink.close()), warnings: [] };
  } catch (error) {
    await first.close();
    await sink?.abort();
    throw error;
  }
}

/** Another file, held to the first one's columns; their order may differ. */
async function openLike(first: CsvFile, file: string, options: CsvOptions): Promise<CsvFile> {
  const csv = await openCsv(file, options);
  const known = new Set(first.columns.map((column) => column.name));
  const extra = csv.columns.filter(({ name }) => !known.has(name)).map(({ name }) => `'${name}'`);
  if (extra.length === 0) return csv;
  await csv.close();
  throw new UserError(`${file}: has column ${listOf(extra)}, which ${first.file} lacks; import them apart`);
}

/** The Parquet types of a CSV file's columns. */
export function columnSpecs(csv: CsvFile): ColumnSpec[] {
  const types: Record<CsvType, FlatWriteType> = {
    integer: 'int64',
    number: 'double',
    text: 'text',
    boolean: 'boolean',
    timestamp: 'timestamp',
  };
  return csv.columns.map(({ name, type, unsigned }) => ({ name, type: unsigned ? 'uint64' : types[type] }));
}

async function openSink(csv: CsvFile, outDir: string, { timeColumn }: ImportCsvOptions): Promise<Sink> {
  const columns = columnSpecs(csv);
  if (timeColumn === undefined) {
    await createOutputFolder(outDir);
    const writer = await createTableWriter(join(outDir, 'part-0.parquet'), { columns });
    return {
      append: (batch) => writer.append(batch),
      close: async () => {
        await writer.close();
        return { rowCount: writer.rowCount, files: [writer.path], days: [] };
      },
      abort: () => writer.abort(),
    };
  }
  if (!columns.some(({ name }) => name === timeColumn)) {
    const has = listOf(columns.map(({ name }) => `'${name}'`));
    throw new UserError(`${csv.file}: has no time column '${timeColumn}'; it has ${has}`, 'missing');
  }
  const writer = await createPartitionedWriter(outDir, { columns });
  return {
    ...writer,
    append: async (batch) => {
      const column = batch.columns.get(timeColumn);
      assert(column, 'every batch has every column');
      await writer.append(batch, daysOf(column, `time column '${timeColumn}' of ${csv.file}`));
    },
  };
}
