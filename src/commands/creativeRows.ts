import { counted, UserError } from '../core/errors.ts';
import type { Column, ColumnBatch, IntegerColumn, NumberColumn } from '../schema/columns.ts';
import { columnValue } from '../tables/columnBuilder.ts';
import type { Table } from '../tables/parquetReader.ts';
import { chooseColumn, needColumn } from './chooseColumn.ts';

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
    const { file, firstRow } = batch.origin ?? { file: table.files[0], firstRow: 0 };
    const where = (row: number) => `${file}: row ${firstRow + row}`;
    const countsOf = (what: 'clicks' | 'impressions', name: string) => {
      const values = column(name);
      if (values.type === 'integer' || values.type === 'number') return counts(values, name, where);
      throw new UserError(
        `${file}: column '${name}' is ${values.type}; whole numbers were expected: name another with --${what}`,
      );
    };
    const clicks = countsOf('clicks', names.clicks);
    const impressions =
      names.impressions === undefined
        ? new Float64Array(batch.rowCount).fill(1)
        : countsOf('impressions', names.impressions);
    for (let row = 0; row < batch.rowCount; row++) {
      if (clicks[row] > impressions[row])
        throw new UserError(
          `${where(row)} has ${counted(clicks[row], 'click')} in ${shownText(impressions[row], names)}`,
        );
    }
    const tests = keys(column(names.test), names.test, where);
    yield { tests, arms: keys(column(names.arm), names.arm, where), impressions, clicks, batch };
  }
}

function shownText(shown: number, { impressions }: { impressions?: string }): string {
  return impressions === undefined
    ? '1 impression, as each row is one without a column of impressions; name it with --impressions'
    : `${counted(shown, 'impression')}; correct or drop the row, or name other columns with --clicks and --impressions`;
}

function testColumns(table: Table, given: TestColumns) {
  const need = (what: keyof TestColumns) => needColumn(table, what, given[what], DEFAULTS[what]);
  const impressions = chooseColumn(table, 'impressions', given.impressions, DEFAULTS.impressions);
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
function counts(column: IntegerColumn | NumberColumn, name: string, where: (row: number) => string): Float64Array {
  const { values, valid } = column;
  return Float64Array.from({ length: column.rowCount }, (_, row) => {
    const value = valid?.[row] === 0 ? Number.NaN : Number(values[row]);
    if (Number.isSafeInteger(value) && value >= 0) return value;
    const got = valid?.[row] === 0 ? 'nothing' : String(values[row]);
    throw new UserError(`${where(row)}, column '${name}': ${got}, where a whole number from 0 to 2^53 was expected`);
  });
}
