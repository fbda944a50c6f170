import { rename, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { UserError } from '../src/core/errors.ts';
import { saveWithSchema } from '../src/history/stateSchema.ts';
import { writeHistoryFile } from '../src/model/bundleFiles.ts';
import { historyColumns } from '../src/schema/derivedFields.ts';
import type { Schema } from '../src/schema/schema.ts';
import { writeTypeOf } from '../src/tables/arrowBatches.ts';
import { createOutputFolder, outputError } from '../src/tables/outputFolder.ts';
import { openTable, type Table } from '../src/tables/parquetReader.ts';
import { createTableWriter, type TableWriter } from '../src/tables/parquetWriter.ts';
import { rowsInRange } from './dataset/prepare.ts';
import { withHistory } from './history/withHistory.ts';
import type { Reporter } from './reporter.ts';

export interface BackfillOptions {
  readonly schema: Schema;
  /** Files, folders or globs of Parquet. */
  readonly data: string | readonly string[];
  /** The folder to write; new or empty. */
  readonly out: string;
  /** Rows from this time on are left out. */
  readonly untilMs?: number;
  /** A state to begin with, alone or in a bundle. */
  readonly history?: string;
  /** Where to write the state after the last row; a new file. */
  readonly state?: string;
  readonly reporter: Reporter;
}

export interface BackfillSummary {
  readonly rows: number;
  readonly files: number;
  /** Those that history made. */
  readonly columns: readonly string[];
}

/**
 * Writes a table again with the columns that its schema's sequences and counters read: a file of the same name for each of its files, their
 * rows in the same order. Trained on, it gives the model the numbers that the table itself does, without a replay.
 *
 * @throws UserError if the output exists, or as `withHistory` does
 */
export async function backfill(options: BackfillOptions): Promise<BackfillSummary> {
  const { schema, data, out, untilMs, history: from, state, reporter } = options;
  const columns = [...historyColumns(schema)];
  if (columns.length === 0)
    throw new UserError(`schema '${schema.name}' has no sequences and no counters: there is nothing to backfill`);
  if (state !== undefined) await checkNewState(state);
  const place = resolve(out);
  await createOutputFolder(place);
  const temporary = `${place}.partial`;
  await rm(temporary, { recursive: true, force: true });
  try {
    const given = await openTable(data);
    const { tables, history } = await withHistory([given], {
      schema,
      reporter,
      from,
      untilMs,
      keepsState: true,
      recompute: true,
    });
    const rows = await writeFiles(tables[0], schema, untilMs, temporary, reporter);
    if (rows === 0)
      throw new UserError(
        `${given.files[0]}: no rows${untilMs === undefined ? '' : ' before that time'}; name other files`,
      );
    if (state !== undefined && history !== undefined) {
      await checkNewState(state);
      await writeHistoryFile(state, saveWithSchema(history, schema));
    }
    await rmdir(place);
    await rename(temporary, place);
    return { rows, files: given.files.length, columns };
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error instanceof Error && 'code' in error ? outputError(out, error) : error;
  }
}

async function checkNewState(file: string): Promise<void> {
  if ((await stat(file).catch(() => undefined)) === undefined) return;
  throw new UserError(`state file '${file}' exists; name another, or remove it`, 'conflict');
}

/** Each file below `folder` as it lies below what all files have in common. */
async function writeFiles(
  table: Table,
  schema: Schema,
  untilMs: number | undefined,
  folder: string,
  reporter: Reporter,
): Promise<number> {
  const root = commonFolder(table.files);
  const columns = table.columns.filter(({ type, fileType }) => type !== 'unsupported' && fileType !== 'FOLDER NAME');
  let writer: TableWriter | undefined;
  let file: string | undefined;
  let rows = 0;
  try {
    for await (const scanned of table.scan({ columns: columns.map(({ name }) => name) })) {
      const batch = rowsInRange(scanned, schema, { beforeMs: untilMs });
      if (batch.rowCount === 0) continue;
      const { file: source = table.files[0] } = batch.origin ?? {};
      if (source !== file) {
        await writer?.close();
        const specs = [...batch.columns].map(([name, column]) => ({ name, type: writeTypeOf(column) }));
        writer = await createTableWriter(join(folder, relative(root, source)), { columns: specs });
        file = source;
      }
      await writer?.append(batch);
      rows += batch.rowCount;
      reporter.progress('writing', rows, table.rowCount);
    }
    await writer?.close();
    return rows;
  } catch (error) {
    await writer?.abort();
    throw error;
  }
}

/** The folder that all files are in, or in folders of. */
function commonFolder(files: readonly string[]): string {
  let folder = dirname(files[0]);
  while (files.some((file) => relative(folder, file).startsWith('..'))) folder = dirname(folder);
  return folder;
}
