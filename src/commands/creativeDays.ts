import { UserError } from '../core/errors.ts';
import type { PositionCounts } from '../creative/positions.ts';
import type { Column, TextColumn } from '../schema/columns.ts';
import { columnValue, textAt } from '../tables/columnBuilder.ts';
import { daysOf } from '../tables/days.ts';
import { openTable } from '../tables/parquetReader.ts';
import { chooseColumn } from './chooseColumn.ts';
import { type CreativeRows, creativeRows, type TestColumns } from './creativeRows.ts';

/** Columns beside those of a test, by default those of an impression log of ours. */
export interface DayColumns extends TestColumns {
  readonly time?: string;
  /** From 1, the top. */
  readonly position?: string;
  readonly user?: string;
}

/** What was shown of creatives and clicked by day and position, a cell each; an item is a creative of an ad. */
export interface CreativeDays {
  /** [items] */
  readonly ads: readonly string[];
  readonly creatives: readonly string[];
  /** Without a column of positions, all in the first. */
  readonly cells: PositionCounts;
  /** [cells] days since 1970. */
  readonly days: Int32Array;
  /** Absent where users are not known, or too many. */
  readonly users?: {
    /** [cells] Impressions whose users are known. */
    readonly known: Float64Array;
    /** [cells] Σ over these of how often their users had seen the creative before. */
    readonly seenBefore: Float64Array;
  };
}

const TIMES = ['time_ms', 'time', 'date', 'day'];
const POSITIONS_MOST = 1000;
const DAY_MS = 86_400_000;
/** Days since 1970 are below: those up to the middle of 2149. */
const DAYS_BELOW = 2 ** 16;
/** Users and creatives that met; with more, how often is not counted any more: it would take gigabytes. */
const PAIRS_MOST = 10_000_000;

/**
 * Reads impressions by creative, day and position. How often users had seen a creative counts from the first row on, so that rows have to be in
 * order of time for it; it takes a row an impression. Rows without a user count for none.
 *
 * @returns undefined where the rows have no time
 * @throws UserError for a column that was named but is not there, or a value that is no time from 1970 to 2149, no position or no count
 */
export async function readDays(data: readonly string[], columns: DayColumns): Promise<CreativeDays | undefined> {
  const table = await openTable(data);
  const time = chooseColumn(table, 'time', columns.time, TIMES);
  if (time === undefined) return undefined;
  const position = chooseColumn(table, 'position', columns.position, ['position']);
  const user = chooseColumn(table, 'user', columns.user, ['user_id']);
  const days = new DayCounter();
  const also = [time, position, user].filter((name) => name !== undefined);
  for await (const rows of creativeRows(table, columns, also)) {
    const column = (name: string) => rows.batch.columns.get(name) as Column;
    const who = (name: string) => `${rows.batch.origin?.file}: column '${name}'`;
    days.add(
      rows,
      dayOfRows(column(time), who(time)),
      position === undefined ? undefined : positionsOf(column(position), who(position)),
      user === undefined ? undefined : column(user),
    );
  }
  return days.take();
}

/** As `daysOf`, and dates as text, such as folders are named by. */
function dayOfRows(column: Column, who: string): Int32Array {
  const days = column.type === 'text' ? daysOfTexts(column, who) : daysOf(column, who);
  const wrong = days.find((day) => day < 0 || day >= DAYS_BELOW);
  if (wrong === undefined) return days;
  throw new UserError(
    `${who}: has a time ${wrong} days from 1970; expected 1970 to 2149: correct it, or name another with --time`,
  );
}

function daysOfTexts(column: TextColumn, who: string): Int32Array {
  return Int32Array.from({ length: column.rowCount }, (_, row) => {
    const text = textAt(column, row);
    const ms = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text.slice(0, 10)) : Number.NaN;
    if (Number.isFinite(ms)) return ms / DAY_MS;
    throw new UserError(`${who}: '${text}' is no date such as 2025-01-31; name another column with --time`);
  });
}

/** Places from 1, the top. @throws UserError naming column and value */
export function positionsOf(column: Column, who: string): Int32Array {
  return Int32Array.from({ length: column.rowCount }, (_, row) => {
    const value = Number(columnValue(column, row) ?? Number.NaN);
    if (Number.isInteger(value) && value >= 1 && value <= POSITIONS_MOST) return value;
    throw new UserError(
      `${who}: '${columnValue(column, row)}' is no position, from 1 to ${POSITIONS_MOST}; name another column with --position`,
    );
  });
}

/** Adds rows up. */
class DayCounter {
  readonly #ads: string[] = [];
  readonly #creatives: string[] = [];
  readonly #itemsByAd = new Map<string, Map<string, number>>();
  readonly #cells = new Map<number, number>();
  readonly #users = new Map<string, number>();
  /** By item and user. */
  readonly #seen = new Map<number, number>();
  #knowsUsers = true;
  readonly #columns: Record<
    'items' | 'days' | 'positions' | 'impressions' | 'clicks' | 'known' | 'seenBefore',
    number[]
  > = {
    items: [],
    days: [],
    positions: [],
    impressions: [],
    clicks: [],
    known: [],
    seenBefore: [],
  };

  add(
    { tests, arms, impressions, clicks }: CreativeRows,
    days: Int32Array,
    positions?: Int32Array,
    users?: Column,
  ): void {
    this.#knowsUsers &&= users !== undefined && this.#seen.size < PAIRS_MOST;
    for (let row = 0; row < tests.length; row++) {
      const item = this.#itemOf(tests[row], arms[row]);
      const cell = this.#cellOf(item, days[row], positions ? positions[row] : 1);
      this.#columns.impressions[cell] += impressions[row];
      this.#columns.clicks[cell] += clicks[row];
      const user = users && this.#knowsUsers ? columnValue(users, row) : null;
      if (user === null) continue;
      this.#columns.known[cell] += impressions[row];
      this.#columns.seenBefore[cell] += impressions[row] * this.#seenBefore(item, String(user), impressions[row]);
    }
  }

  #itemOf(ad: string, creative: string): number {
    let items = this.#itemsByAd.get(ad);
    if (!items) this.#itemsByAd.set(ad, (items = new Map()));
    let item = items.get(creative);
    if (item === undefined) {
      items.set(creative, (item = this.#ads.length));
      this.#ads.push(ad);
      this.#creatives.push(creative);
    }
    return item;
  }

  #cellOf(item: number, day: number, position: number): number {
    // Exact below 2^53: 2^27 items, 2^16 days, positions up to 1,000.
    const key = (item * 2 ** 16 + day) * 1024 + position;
    let cell = this.#cells.get(key);
    if (cell === undefined) {
      this.#cells.set(key, (cell = this.#cells.size));
      const { items, days, positions, impressions, clicks, known, seenBefore } = this.#columns;
      items.push(item);
      days.push(day);
      positions.push(position);
      for (const column of [impressions, clicks, known, seenBefore]) column.push(0);
    }
    return cell;
  }

  #seenBefore(item: number, id: string, impressions: number): number {
    let user = this.#users.get(id);
    if (user === undefined) this.#users.set(id, (user = this.#users.size));
    const key = item * 2 ** 26 + user;
    const before = this.#seen.get(key) ?? 0;
    this.#seen.set(key, before + impressions);
    return before;
  }

  take(): CreativeDays {
    const { items, days, positions, impressions, clicks, known, seenBefore } = this.#columns;
    return {
      ads: this.#ads,
      creatives: this.#creatives,
      cells: {
        items: Int32Array.from(items),
        positions: Int32Array.from(positions),
        impressions: Float64Array.from(impressions),
        clicks: Float64Array.from(clicks),
      },
      days: Int32Array.from(days),
      users: this.#knowsUsers
        ? { known: Float64Array.from(known), seenBefore: Float64Array.from(seenBefore) }
        : undefined,
    };
  }
}
