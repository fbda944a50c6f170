import { listOf, UserError } from '../core/errors.ts';
import type { PositionCounts } from '../creative/positions.ts';
import type { Column } from '../schema/columns.ts';
import { columnValue } from '../tables/columnBuilder.ts';
import { openTable, type Table } from '../tables/parquetReader.ts';
import { needColumn } from './chooseColumn.ts';
import { positionsOf } from './creativeDays.ts';
import { creativeRows, type TestColumns } from './creativeRows.ts';

export interface PositionColumns extends TestColumns {
  /** From 1, the top. */
  readonly position?: string;
  /** `column=value`: of the rows those that have all of these. */
  readonly where?: readonly string[];
}

/** What was shown of creatives in positions and clicked, added up over all rows; an item is a creative of an ad. */
export interface PositionsRead {
  readonly creatives: number;
  readonly counts: PositionCounts;
}

/** @throws UserError for a column that is not there, a value that is no position or no count, and where no row is left */
export async function readPositions(data: readonly string[], columns: PositionColumns): Promise<PositionsRead> {
  const table = await openTable(data);
  const position = needColumn(table, 'position', columns.position, ['position']);
  const wanted = (columns.where ?? []).map((given) => readCondition(given, table));
  const items = new Map<string, number>();
  const cells = new Map<number, number>();
  const [itemOf, positionOf, impressions, clicks]: number[][] = [[], [], [], []];
  const also = [position, ...wanted.map(({ column }) => column)];
  for await (const rows of creativeRows(table, columns, also)) {
    const column = (name: string) => rows.batch.columns.get(name) as Column;
    const places = positionsOf(column(position), `${rows.batch.origin?.file}: column '${position}'`);
    for (const one of wanted) one.seen ??= String(columnValue(column(one.column), 0));
    for (let row = 0; row < places.length; row++) {
      if (wanted.some((one) => String(columnValue(column(one.column), row)) !== one.value)) continue;
      const key = JSON.stringify([rows.tests[row], rows.arms[row]]);
      let item = items.get(key);
      if (item === undefined) items.set(key, (item = items.size));
      // Positions are up to 1,000.
      const place = item * 1024 + places[row];
      let cell = cells.get(place);
      if (cell === undefined) {
        cells.set(place, (cell = cells.size));
        itemOf.push(item);
        positionOf.push(places[row]);
        impressions.push(0);
        clicks.push(0);
      }
      impressions[cell] += rows.impressions[row];
      clicks[cell] += rows.clicks[row];
    }
  }
  if (cells.size === 0) throw noRows(table, wanted);
  const counts = {
    items: Int32Array.from(itemOf),
    positions: Int32Array.from(positionOf),
    impressions: Float64Array.from(impressions),
    clicks: Float64Array.from(clicks),
  };
  return { creatives: items.size, counts };
}

/** Of `--where`. */
interface Condition {
  readonly column: string;
  readonly value: string;
  /** What the first row has there. */
  seen?: string;
}

function readCondition(given: string, table: Table): Condition {
  const [, column, value] = /^([^=]+)=(.*)$/s.exec(given) ?? [];
  if (column === undefined)
    throw new UserError(`--where '${given}': expected COLUMN=VALUE, such as placement=feed or randomized=true`);
  return { column: needColumn(table, 'where', column, []), value };
}

function noRows({ files }: Table, wanted: readonly Condition[]): UserError {
  const seen = wanted.filter((one) => one.seen !== undefined);
  if (seen.length === 0)
    return new UserError(`${listOf(files)}: has no rows; impressions in several positions were expected`);
  const asked = wanted.map(({ column, value }) => `${column}=${value}`).join(' and ');
  const first = seen.map((one) => `${one.column}=${one.seen}`).join(', ');
  return new UserError(`--where: no row has ${asked}; the first has ${first}: give values that rows have`);
}
