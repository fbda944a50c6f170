import { listOf, UserError } from '../core/errors.ts';
import type { RandomizedTests } from '../creative/replay.ts';
import type { Column, IntegerColumn, NumberColumn } from '../schema/columns.ts';
import { columnValue } from '../tables/columnBuilder.ts';
import { openTable, type Table } from '../tables/parquetReader.ts';

/** Which columns say what; by default the names of our importers, or those of an impression log of ours. */
export interface TestColumns {
  readonly test?: string;
  readonly arm?: string;
  readonly impressions?: string;
  readonly clicks?: string;
}

export interface TestsRead {
  readonly tests: RandomizedTests;
  readonly warnings: readonly string[];
}

const DEFAULTS = {
  test: ['test', 'ad_id'],
  arm: ['arm', 'creative_id'],
  impressions: ['impressions'],
  clicks: ['clicks', 'click'],
} as const;

/** A test while it is read: its arms' counts by their key. */
type ArmsRead = Map<string, { impressions: number; clicks: number }>;

/**
 * Reads randomised tests from Parquet: a row an arm, or several of an arm, which add up; without a column of impressions each row is
 * one. Tests of one arm have nothing to choose and are left out, with a warning.
 *
 * @throws UserError for a missing column, a row without a value, more clicks than impressions, an arm without impressions, and
 *   where no test has two arms
 */
export async function readTests(data: string | readonly string[], columns: TestColumns = {}): Promise<TestsRead> {
  const table = await openTable(data);
  const read = new Map<string, ArmsRead>();
  const names = testColumns(table, columns);
  for await (const batch of table.scan({ columns: Object.values(names).filter((name) => name !== undefined) })) {
    const column = (name: string) => batch.columns.get(name) as Column;
    const where = (row: number) => `${batch.origin?.file}: row ${(batch.origin?.firstRow ?? 0) + row + 1}`;
    const [test, arm] = [keyReader(column(names.test)), keyReader(column(names.arm))];
    const clicks = countReader(column(names.clicks), names.clicks);
    const impressions =
      names.impressions === undefined ? () => 1 : countReader(column(names.impressions), names.impressions);
    for (let row = 0; row < batch.rowCount; row++) {
      const [testKey, armKey] = [test(row), arm(row)];
      if (testKey === null || armKey === null)
        throw new UserError(`${where(row)} has no ${testKey === null ? names.test : names.arm}; drop it or fill it in`);
      const [shown, clicked] = [impressions(row, where), clicks(row, where)];
      if (clicked > shown) throw new UserError(`${where(row)} has ${clicked} clicks in ${shownText(shown, names)}`);
      let arms = read.get(testKey);
      if (!arms) read.set(testKey, (arms = new Map()));
      const counts = arms.get(armKey);
      if (counts) {
        counts.impressions += shown;
        counts.clicks += clicked;
      } else arms.set(armKey, { impressions: shown, clicks: clicked });
    }
  }
  return testsOf(read, table.files);
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

function keyReader(column: Column): (row: number) => string | null {
  return (row) => {
    const value = columnValue(column, row);
    return value === null ? null : String(value);
  };
}

/** Reads whole numbers from 0, also from a column of floats, as pandas writes them, and booleans. */
function countReader(column: Column, name: string): (row: number, where: (row: number) => string) => number {
  if (column.type !== 'integer' && column.type !== 'number')
    throw new UserError(`column '${name}' is ${column.type}; whole numbers were expected: name another column`);
  const { values, valid } = column as IntegerColumn | NumberColumn;
  return (row, where) => {
    const value = valid?.[row] === 0 ? Number.NaN : Number(values[row]);
    if (Number.isSafeInteger(value) && value >= 0) return value;
    const got = valid?.[row] === 0 ? 'nothing' : String(values[row]);
    throw new UserError(`${where(row)}, column '${name}': ${got}, where a whole number from 0 was expected`);
  };
}

function testsOf(read: ReadonlyMap<string, ArmsRead>, files: readonly string[]): TestsRead {
  const all = [...read];
  if (all.length === 0) throw new UserError(`${listOf(files)}: has no rows; a row for each arm of a test was expected`);
  const chosen = all.filter(([, arms]) => arms.size > 1);
  if (chosen.length === 0)
    throw new UserError(
      `${listOf(files)}: no test has two arms, so that there is nothing to choose; check the columns`,
    );
  const alone = all.length - chosen.length;
  const offsets = new Int32Array(chosen.length + 1);
  const creativeKeys: string[] = [];
  const counts: { impressions: number; clicks: number }[] = [];
  for (const [ad, [test, arms]] of chosen.entries()) {
    for (const [arm, count] of arms) {
      if (count.impressions === 0)
        throw new UserError(
          `test '${test}': arm '${arm}' has no impressions, so that its click rate is unknown; drop it`,
        );
      creativeKeys.push(arm);
      counts.push(count);
    }
    offsets[ad + 1] = counts.length;
  }
  return {
    tests: {
      arms: { offsets, adKeys: chosen.map(([test]) => test), creativeKeys },
      impressions: Float64Array.from(counts, ({ impressions }) => impressions),
      clicks: Float64Array.from(counts, ({ clicks }) => clicks),
    },
    warnings:
      alone > 0 ? [`${alone} of ${all.length} tests have one arm, so that there is nothing to choose; left out`] : [],
  };
}
