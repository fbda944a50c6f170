import { assert, UserError } from '../../src/core/errors.ts';
import type { Column, ColumnBatch, IntegerColumn, ListColumn, TextColumn } from '../../src/schema/columns.ts';
import { takeRows } from '../../src/schema/selectRows.ts';
import { columnFromValues, textAt } from '../../src/tables/columnBuilder.ts';
import { parseTimestamp } from '../../src/tables/csvTypes.ts';
import { daysOf } from '../../src/tables/days.ts';
import { joinRows, type SideTable } from './sideTable.ts';

const DAY_MS = 86_400_000;

/** The two side tables and, for each of their columns, its name in the joined table. */
export interface Join {
  readonly users: SideTable;
  readonly videos: SideTable;
  readonly userNames: ReadonlyMap<string, string>;
  readonly videoNames: ReadonlyMap<string, string>;
  /** Days since 1970 by video row; NaN where unknown. */
  readonly uploadDays: Float64Array;
}

/** What the warnings are made of. */
export interface Counts {
  rows: number;
  longViewWithoutClick: number;
  withoutUser: number;
  withoutVideo: number;
}

/** Names the side tables' columns: as they are, with a prefix where the log or the other table has one of that name. */
export function prepareJoin(users: SideTable, videos: SideTable, logNames: readonly string[]): Join {
  const taken = new Set([
    ...logNames,
    'hour',
    'weekday',
    'tags',
    'topic',
    'play_ratio',
    'duration_band',
    'video_upload_age_days',
  ]);
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

export function integerColumn(batch: ColumnBatch, name: string): IntegerColumn {
  const column = batch.columns.get(name);
  assert(column?.type === 'integer', `'${name}' is read as integer`);
  return column;
}

/** The log's rows with their user, video and derived columns; adds to `counts`. */
export function joinBatch(batch: ColumnBatch, join: Join, counts: Counts): ColumnBatch {
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
  if (tag?.type === 'text') {
    const tags = takeRows(tagLists(tag), videoRows) as ListColumn;
    columns.set('tags', tags);
    columns.set('topic', firstItems(tags));
  }
  const played = batch.columns.get('play_time_ms');
  const duration = batch.columns.get('duration_ms');
  if (played?.type === 'integer' && duration?.type === 'integer') {
    columns.set('play_ratio', playRatio(played, duration));
    columns.set('duration_band', durationBand(duration));
  }
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

/** A video's main topic: its first tag. */
function firstItems({ rowCount, offsets, items, valid }: ListColumn): IntegerColumn {
  assert(items.type === 'integer', 'tags are numbers');
  const values = new Int32Array(rowCount);
  const has = new Uint8Array(rowCount);
  for (let row = 0; row < rowCount; row++) {
    if (valid?.[row] === 0 || offsets[row] === offsets[row + 1]) continue;
    values[row] = Number(items.values[offsets[row]]);
    has[row] = 1;
  }
  return { type: 'integer', rowCount, values, valid: has };
}

/** How often a video was watched through, 2 at most: some play in a loop. */
function playRatio(played: IntegerColumn, duration: IntegerColumn): Column {
  const { rowCount } = played;
  const values = new Float32Array(rowCount);
  const valid = new Uint8Array(rowCount);
  for (let row = 0; row < rowCount; row++) {
    if (played.valid?.[row] === 0 || duration.valid?.[row] === 0 || !(Number(duration.values[row]) > 0)) continue;
    values[row] = Math.min(2, Number(played.values[row]) / Number(duration.values[row]));
    valid[row] = 1;
  }
  return { type: 'number', rowCount, values, valid };
}

/** The length in halves of a power of two of seconds, floor(2·log2(s)), 0 for a second and less: an id to count by. */
function durationBand({ rowCount, values, valid }: IntegerColumn): IntegerColumn {
  const bands = new Int32Array(rowCount);
  for (let row = 0; row < rowCount; row++)
    bands[row] = Math.max(0, Math.floor(2 * Math.log2(Math.max(1, Number(values[row]) / 1000))));
  return { type: 'integer', rowCount, values: bands, valid };
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
