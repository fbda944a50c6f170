import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { assert, listOf, UserError } from '../../src/core/errors.ts';
import type { ColumnBatch } from '../../src/schema/columns.ts';
import { type ColumnSpec, writeTypeOf } from '../../src/tables/arrowBatches.ts';
import { openCsv } from '../../src/tables/csv.ts';
import type { CsvType } from '../../src/tables/csvTypes.ts';
import { daysOf } from '../../src/tables/days.ts';
import { createPartitionedWriter, type PartitionedWriter } from '../../src/tables/partitionedWriter.ts';
import type { ImportResult } from '../csv/importCsv.ts';
import { sourceFiles } from '../sourceFiles.ts';
import { type Counts, integerColumn, type Join, joinBatch, prepareJoin } from './joinLog.ts';
import { readSideTable, type SideTable } from './sideTable.ts';

export interface ImportKuairandOptions {
  readonly onProgress?: (rowCount: number, file: string) => void;
}

/** What the log must have: keys, time, and the two labels. */
const LOG_TYPES: Record<string, CsvType> = {
  user_id: 'integer',
  video_id: 'integer',
  date: 'integer',
  hourmin: 'integer',
  time_ms: 'integer',
  is_click: 'integer',
  long_view: 'integer',
};

/**
 * Imports KuaiRand (Gao et al. 2022, https://kuairand.com): every `impressions_*.csv[.gz]` of a folder, in order of name,
 * left-joined with `user_features` on `user_id` and `video_features_basic` on `video_id`.
 *
 * Rows go to one folder a day by the log's own `date` (the day in Beijing, so that a day is a day of use), which the
 * folder's name then stands for. Columns of the side tables keep their names, with `user_` or `video_` before one that
 * the log (or the user table) has too. Added: `hour` (0–23, local), `weekday` (Monday 0 … Sunday 6), `tags` (the
 * numbers in `tag`), `topic` (the first of them), `play_ratio` (play_time_ms / duration_ms, 2 at most), `duration_band`
 * (floor(2·log2(seconds))) and `video_upload_age_days` (date − upload_dt; null where there is no upload date).
 *
 * @throws UserError for missing or malformed files, or an output folder that holds anything; nothing is left then
 */
export async function importKuairand(
  fromDir: string,
  outDir: string,
  options: ImportKuairandOptions = {},
): Promise<ImportResult> {
  const logs = await sourceFiles(fromDir, 'impressions_', 'csv', 'KuaiRand files');
  const users = await readSideTable(sideFile(fromDir, 'user_features'), 'user_id', {});
  const videoFile = sideFile(fromDir, 'video_features_basic');
  const videos = await readSideTable(videoFile, 'video_id', { upload_dt: 'text', tag: 'text' });
  const counts: Counts = { rows: 0, longViewWithoutClick: 0, withoutUser: 0, withoutVideo: 0 };
  let join: Join | undefined;
  let types: Record<string, CsvType> = LOG_TYPES;
  let columnNames = '';
  let writer: PartitionedWriter | undefined;
  try {
    for (const file of logs) {
      const csv = await openCsv(file, { types });
      const names = csv.columns.map(({ name }) => name);
      join ??= prepareJoin(users, videos, names);
      columnNames ||= names.join();
      if (names.join() !== columnNames) {
        await csv.close();
        throw new UserError(`${file}: its columns differ from ${logs[0]}: ${listOf(names, 40)}; import them apart`);
      }
      types = Object.fromEntries(csv.columns.map(({ name, type }) => [name, type]));
      for await (const batch of csv.batches()) {
        const joined = joinBatch(batch, join, counts);
        const days = daysOf(integerColumn(batch, 'date'), `${file}: column 'date'`);
        writer ??= await createPartitionedWriter(outDir, { columns: specsOf(joined) });
        await writer.append(joined, days);
        options.onProgress?.(counts.rows, file);
      }
    }
    assert(writer, 'a log has rows');
    return { ...(await writer.close()), warnings: warningsOf(counts, users, videos) };
  } catch (error) {
    await writer?.abort();
    throw error;
  }
}

function sideFile(folder: string, name: string): string {
  const zipped = join(folder, `${name}.csv.gz`);
  const plain = join(folder, `${name}.csv`);
  return existsSync(plain) && !existsSync(zipped) ? plain : zipped;
}

function warningsOf(counts: Counts, users: SideTable, videos: SideTable): string[] {
  const { longViewWithoutClick, withoutUser, withoutVideo } = counts;
  return [
    longViewWithoutClick > 0 &&
      `${longViewWithoutClick} rows have a long_view without a click; they are kept as they are`,
    withoutUser > 0 && `${withoutUser} rows have a user that ${users.file} lacks; their user columns are null`,
    withoutVideo > 0 && `${withoutVideo} rows have a video that ${videos.file} lacks; their video columns are null`,
  ].filter((warning) => warning !== false);
}

function specsOf(batch: ColumnBatch): ColumnSpec[] {
  return [...batch.columns].map(([name, column]) => ({ name, type: writeTypeOf(column) }));
}
