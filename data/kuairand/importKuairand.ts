import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { assert, listOf, UserError } from '../../src/core/errors.ts';
import type { Column, ColumnBatch, IntegerColumn, TextColumn } from '../../src/schema/columns.ts';
import { type ColumnSpec, writeTypeOf } from '../../src/tables/arrowBatches.ts';
import { columnFromValues, textAt } from '../../src/tables/columnBuilder.ts';
import { takeRows } from '../../src/tables/columnTake.ts';
import { openCsv } from '../../src/tables/csv.ts';
import { type CsvType, parseTimestamp } from '../../src/tables/csvTypes.ts';
import { daysOf } from '../../src/tables/days.ts';
import { createPartitionedWriter, type PartitionedWriter } from '../../src/tables/partitionedWriter.ts';
import type { ImportResult } from '../csv/importCsv.ts';
import { joinRows, readSideTable, type SideTable } from './sideTable.ts';

export interface ImportKuairandOptions {
  readonly onProgress?: (rowCount: number, file: string) => void;
}

const DAY_MS = 86_400_000;
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

/** The two side tables and, for each of their columns, its name in the joined table. */
interface Join {
  readonly users: SideTable;
  readonly videos: SideTable;
  readonly userNames: ReadonlyMap<string, string>;
  readonly videoNames: ReadonlyMap<string, string>;
  /** Days since 1970 by video row; NaN where unknown. */
  readonly uploadDays: Float64Array;
}

interface Counts {
  rows: number;
  longViewWithoutClick: number;
  withoutUser: number;
  withoutVideo: number;
}

/**
 * Imports KuaiRand (Gao et al. 2022, https://kuairand.com): every `impressions_*.csv[.gz]` of a folder, in order of name,
 * left-joined with `user_features` on `user_id` and `video_features_basic` on `video_id`.
 *
 * Rows go to one folder a day by the log's own `date` (the day in Beijing, so that a day is a day of use), which the
 * folder's name then stands for. Columns of the side tables keep their names, with `user_` or `video_` before one that
 * the log (or the user table) has too. Added: `hour` (0–23, local), `weekday` (Monday 0 … Sunday 6), `tags` (the
 * numbers in `tag`) and `video_upload_age_days` (date − upload_dt; null where there is no upload date).
 *
 * @throws UserError for missing or malformed files, or an output folder that holds anything; nothing is left then
 */
export async function importKuairand(
  fromDir: string,
  outDir: string,
  options: ImportKuairandOptions = {},
): Promise<ImportResult> {
  const logs = await impressionFiles(fromDir);
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

async function impressionFiles(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw new UserError(`${folder}: no such folder; check the path`, 'missing');
    throw new UserError(`${folder}: cannot be listed (${error.code}); a folder of KuaiRand files was expected`);
  });
  const logs = names.filter((name) => /^impressions_.*\.csv(\.gz)?$/.test(name)).sort();
  if (logs.length === 0) {
    throw new UserError(`${folder}: has no impressions_*.csv.gz; name the folder with the KuaiRand files`, 'missing');
  }
  return logs.map((name) => join(folder, name));
}

function sideFile(folder: string, name: string): string {
  const zipped = join(folder, `${name}.csv.gz`);
  const plain = join(folder, `${name}.csv`);
  return existsSync(plain) && !existsSync(zipped) ? plain : zipped;
}

function prepareJoin(users: SideTable, videos: SideTable, logNames: readonly string[]): Join {
  const taken = new Set([...logNames, 'hour', 'weekday', 'tags', 'video_upload_age_days']);
  const rename = (table: SideTable, key: string, prefix: string) => {
    const names = new Map<string, string>();
    for (const name of table.columns.keys()) {
      if (name === key) continue;
      const unique = taken.has(name) ? `${prefix}${name}` : name;
      if (taken.has(unique)) throw new UserError(`${table.file}: column '${name}' is in another table too; rename it`);
      taken.add(unique);
      names.set(name, unique);
    }
    return names;
  };
  const userNames = rename(users, 'user_id', 'user_');
  const videoNames = rename(videos, 'video_id', 'video_');
  return { users, videos, userNames, videoNames, uploadDays: uploadDaysOf(videos) };
}

function uploadDaysOf(videos: SideTable): Float64Array {
  const column = videos.columns.get('upload_dt') as TextColumn | undefined;
  if (!column) throw new UserError(`${videos.file}: has no column 'upload_dt'`, 'missing');
  return Float64Array.from({ length: column.rowCount }, (_, row) => {
    const millis = parseTimestamp(textAt(column, row));
    return millis === undefined ? Number.NaN : Math.floor(millis / DAY_MS);
  });
}

function integerColumn(batch: ColumnBatch, name: string): IntegerColumn {
  const column = batch.columns.get(name);
  assert(column?.type === 'integer', `'${name}' is read as integer`);
  return column;
}

function joinBatch(batch: ColumnBatch, join: Join, counts: Counts): ColumnBatch {
  const userRows = joinRows(join.users, integerColumn(batch, 'user_id'));
  const videoRows = joinRows(join.videos, integerColumn(batch, 'video_id'));
  const columns = new Map<string, Column>();
  for (const [name, column] of batch.columns) if (name !== 'date') columns.set(name, narrowFlag(name, column));
  const days = daysOf(integerColumn(batch, 'date'), "column 'date'");
  const hourmin = integerColumn(batch, 'hourmin');
  const { valid } = hourmin;
  const { rowCount } = batch;
  const hour = Int32Array.from(hourmin.values as BigInt64Array, (value) => Math.floor(Number(value) / 100));
  columns.set('hour', { type: 'integer', rowCount, values: hour, valid });
  // 1970-01-01 was a Thursday.
  columns.set('weekday', { type: 'integer', rowCount, values: days.map((day) => (((day + 3) % 7) + 7) % 7) });
  for (const [name, newName] of join.userNames) {
    columns.set(newName, takeRows(join.users.columns.get(name) as Column, userRows));
  }
  for (const [name, newName] of join.videoNames) {
    columns.set(newName, takeRows(join.videos.columns.get(name) as Column, videoRows));
  }
  const tag = join.videos.columns.get('tag');
  if (tag?.type === 'text') columns.set('tags', takeRows(tagLists(tag), videoRows));
  columns.set('video_upload_age_days', uploadAge(days, videoRows, join.uploadDays));
  count(batch, userRows, videoRows, counts);
  return { rowCount, columns };
}

/** Flags and small codes of the log: 32 bits are enough, and stay the same from file to file. */
function narrowFlag(name: string, column: Column): Column {
  if (column.type !== 'integer' || !/^(is_.*|long_view|tab|hourmin)$/.test(name)) return column;
  return { ...column, values: Int32Array.from(column.values as BigInt64Array, Number) };
}

const tagListsOf = new WeakMap<TextColumn, Column>();

/** `12,34` as the list 12, 34; parsed once for the table. */
function tagLists(tag: TextColumn): Column {
  let lists = tagListsOf.get(tag);
  if (!lists) {
    const values = Array.from({ length: tag.rowCount }, (_, row) => {
      if (tag.valid?.[row] === 0) return null;
      return textAt(tag, row).split(',').map(Number).filter(Number.isSafeInteger);
    });
    const column = columnFromValues(values, 'list');
    assert(column.type === 'list', 'asked for');
    lists =
      column.items.type === 'text'
        ? { ...column, items: { type: 'integer', rowCount: 0, values: new Int32Array(0) } }
        : column;
    tagListsOf.set(tag, lists);
  }
  return lists;
}

function uploadAge(days: Int32Array, videoRows: Int32Array, uploadDays: Float64Array): IntegerColumn {
  const values = new Int32Array(days.length);
  const valid = new Uint8Array(days.length);
  for (let row = 0; row < days.length; row++) {
    const uploaded = videoRows[row] < 0 ? Number.NaN : uploadDays[videoRows[row]];
    if (Number.isNaN(uploaded)) continue;
    values[row] = days[row] - uploaded;
    valid[row] = 1;
  }
  return { type: 'integer', rowCount: days.length, values, valid };
}

function count(batch: ColumnBatch, userRows: Int32Array, videoRows: Int32Array, counts: Counts): void {
  const click = integerColumn(batch, 'is_click').values;
  const longView = integerColumn(batch, 'long_view').values;
  for (let row = 0; row < batch.rowCount; row++) {
    if (longView[row] && !click[row]) counts.longViewWithoutClick++;
    if (userRows[row] < 0) counts.withoutUser++;
    if (videoRows[row] < 0) counts.withoutVideo++;
  }
  counts.rows += batch.rowCount;
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

/** Whole numbers of the side tables are written as int64, whatever their range in this folder. */
function specsOf(batch: ColumnBatch): ColumnSpec[] {
  return [...batch.columns].map(([name, column]) => ({ name, type: writeTypeOf(column) }));
}
