import { listOf, UserError } from '../core/errors.ts';
import type { Column, ColumnBatch, IntegerColumn, NumberColumn } from '../schema/columns.ts';
import { columnValue } from '../tables/columnBuilder.ts';
import type { Table } from '../tables/parquetReader.ts';

/** Which columns say what; by default the names of our importers, or those of an impression log of ours. */
export interface TestColumns {
  readonly test?: string;
  readonly arm?: string;
  readonly impressions?: string;
  readonly clicks?: string;
}

/** Rows of what was shown of creatives and clicked, checked, a value each. */
export interface CreativeRows {
  readonly tests: readonly string[];
  readonly arms: readonly string[];
  readonly impressions: Float64Array;
  readonly clicks: Float64Array;
  readonly batch: ColumnBatch;
}

const DEFAULTS = {
  test: ['test', 'ad_id'],
  arm: ['arm', 'creative_id'],
  impressions: ['impressions'],
  clicks: ['clicks', 'click'],
} as const;

/**
 * Reads what was shown of creatives and clicked, whatever a row is: without a column of impressions each is one.
 *
 * @param also further columns that the batches shall have
 * @throws UserError for a missing column, a row without a value, more clicks than impressions
 */
export async function* creativeRows(
  table: Table,
  columns: TestColumns,
  also: readonly string[] = [],
): AsyncGenerator<CreativeRows> {
  const names = testColumns(table, columns);
  const wanted = new Set([...Object.values(names), ...also].filter((name) => name !== undefined));
  for await (const batch of table.scan({ columns: [...wanted] })) {
    const column = (name: string) => batch.columns.get(name) as Column;
    const where = (row: number) => `${batch.origin?.file}: row ${(batch.origin?.firstRow ?? 0) + row + 1}`;
    const clicks = counts(column(names.clicks), names.clicks, where);
    const impressions =
      names.impressions === undefined
        ? new Float64Array(batch.rowCount).fill(1)
        : counts(column(names.impressions), names.impressions, where);
    for (let row = 0; row < batch.rowCount; row++) {
      if (clicks[row] > impressions[row])
        throw new UserError(`${where(row)} has ${clicks[row]} clicks in ${shownText(impressions[row], names)}`);
    }
    const tests = keys(column(names.test), names.test, where);
    yield { tests, arms: keys(column(names.arm), names.arm, where), impressions, clicks, batch };
  }
}

function shownText(shown: number, { impressions }: { impressions?: string }): string {
  return impressions === undefined
    ? '1 impression, as each row is one without a column of impressions; name it with --impressions'
    : `${shown} impressions; correct or drop the row`;
}

function testColumns(table: Table, given: TestColumns) {
  const has = table.columns.map(({ name }) => name);
  const find = (what: keyof TestColumns) => given[what] ?? DEFAULTS[what].find((name) => has.includes(name));
  const need = (what: keyof TestColumns): string => {
    const name = find(what);
    if (name !== undefined && has.includes(name)) return name;
    const wanted = name ?? DEFAULTS[what].join("' or '");
    const them = listOf(has.map((other) => `'${other}'`));
    throw new UserError(
      `${table.files[0]}: has no column '${wanted}'; name it with --${what}; it has ${them}`,
      'missing',
    );
  };
  const impressions = find('impressions') === undefined ? undefined : need('impressions');
  return { test: need('test'), arm: need('arm'), clicks: need('clicks'), impressions };
}

function keys(column: Column, name: string, where: (row: number) => string): string[] {
  return Array.from({ length: column.rowCount }, (_, row) => {
    const value = columnValue(column, row);
    if (value === null) throw new UserError(`${where(row)} has no ${name}; drop it or fill it in`);
    return String(value);
  });
}

/** Whole numbers from 0, also from a column of floats, as pandas writes them, and booleans. */
function counts(column: Column, name: string, where: (row: number) => string): Float64Array {
  if (column.type !== 'integer' && column.type !== 'number')
    throw new UserError(`column '${name}' is ${column.type}; whole numbers were expected: name another column`);
  const { values, valid } = column as IntegerColumn | NumberColumn;
  return Float64Array.from({ length: column.rowCount }, (_, row) => {
    const value = valid?.[row] === 0 ? Number.NaN : Number(values[row]);
    if (Number.isSafeInteger(value) && value >= 0) return value;
    const got = valid?.[row] === 0 ? 'nothing' : String(values[row]);
    throw new UserError(`${where(row)}, column '${name}': ${got}, where a whole number from 0 was expected`);
  });
}
