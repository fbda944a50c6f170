import { listOf, UserError } from '../core/errors.ts';
import type { Column, IntegerColumn, NumberColumn } from '../schema/columns.ts';
import { columnValue } from '../tables/columnBuilder.ts';
import { openTable, type Table } from '../tables/parquetReader.ts';
import { chooseColumn, needColumn } from './chooseColumn.ts';

/** Which columns of a log say what. */
export interface LogColumns {
  readonly action?: string;
  readonly reward?: string;
  readonly propensity?: string;
  readonly position?: string;
  /** What an action is chosen for: creatives of an ad. */
  readonly ad?: string;
  readonly unit?: string;
}

/** An impression log's rows: what was shown, where, and what came of it. */
export interface CreativeLog {
  readonly files: readonly string[];
  readonly columns: LogColumns;
  readonly actions: readonly string[];
  /** Ad and position, as far as the log has them. */
  readonly contexts: readonly string[];
  /** The ad of each row; all alike where there is none. */
  readonly ads: readonly string[];
  readonly rewards: Float64Array;
  /** Absent where they were not asked for. */
  readonly propensities?: Float64Array;
  readonly units?: Int32Array;
}

/** By default the names of our importers, or those of an impression log of ours. */
const DEFAULTS: Readonly<Record<keyof LogColumns, readonly string[]>> = {
  action: ['creative_id', 'item_id'],
  reward: ['click'],
  propensity: ['propensity'],
  position: ['position'],
  ad: ['ad_id'],
  unit: [],
};

/**
 * @param given   names in place of the defaults, which a log must then have, but for `optional` ones
 * @param needed  columns that there must be; the others are left out where the log has none of their usual names
 * @throws UserError for a missing column; naming file and row, for a row without a value, a reward that is no number, and a propensity
 *   that is not above 0 and at most 1
 */
export async function readCreativeLog(
  data: string | readonly string[],
  given: LogColumns,
  needed: readonly (keyof LogColumns)[],
  optional: readonly (keyof LogColumns)[] = [],
): Promise<CreativeLog> {
  const table = await openTable(data);
  const columns = chooseColumns(table, given, needed, optional);
  const withPropensities = needed.includes('propensity');
  const rows = table.rowCount;
  if (rows === 0) throw new UserError(`${listOf(table.files)}: has no rows; one an impression was expected`);
  const log = {
    actions: new Array<string>(rows),
    contexts: new Array<string>(rows),
    ads: new Array<string>(rows),
    rewards: new Float64Array(rows),
    propensities: withPropensities ? new Float64Array(rows) : undefined,
    units: columns.unit === undefined ? undefined : new Int32Array(rows),
  };
  const units = new Map<string, number>();
  let at = 0;
  const wanted = [...new Set(Object.values(columns))];
  for await (const batch of table.scan({ columns: wanted })) {
    const read = batchReader(columns, batch.columns, batch.origin ?? { file: table.files[0], firstRow: at });
    for (let row = 0; row < batch.rowCount; row++, at++) {
      log.actions[at] = read.key('action', row);
      log.ads[at] = columns.ad === undefined ? '' : read.key('ad', row);
      log.contexts[at] = JSON.stringify([log.ads[at], columns.position === undefined ? '' : read.key('position', row)]);
      if (columns.reward !== undefined) log.rewards[at] = read.number('reward', row);
      if (log.propensities) {
        const p = read.number('propensity', row);
        if (!(p > 0 && p <= 1))
          throw read.problem('propensity', row, `${p}, where a probability above 0 and at most 1 was expected`);
        log.propensities[at] = p;
      }
      if (log.units) {
        const unit = read.key('unit', row);
        if (!units.has(unit)) units.set(unit, units.size);
        log.units[at] = units.get(unit) as number;
      }
    }
  }
  return { files: table.files, columns, ...log };
}

function batchReader(
  names: LogColumns,
  columns: ReadonlyMap<string, Column>,
  origin: { file: string; firstRow: number },
) {
  const of = (what: keyof LogColumns) => columns.get(names[what] as string) as Column;
  const problem = (what: keyof LogColumns, row: number, got: string) =>
    new UserError(
      `${origin.file}: row ${origin.firstRow + row}, column '${names[what]}': ${got}; correct or drop the row`,
    );
  return {
    problem,
    key(what: keyof LogColumns, row: number): string {
      const value = columnValue(of(what), row);
      if (value === null) throw problem(what, row, 'no value');
      return String(value);
    },
    number(what: keyof LogColumns, row: number): number {
      const column = of(what);
      if (column.type !== 'integer' && column.type !== 'number')
        throw new UserError(
          `${origin.file}: column '${names[what]}' is ${column.type}; numbers were expected: name another with --${what}`,
        );
      const { values, valid } = column as IntegerColumn | NumberColumn;
      const value = Number(values[row]);
      if (valid?.[row] === 0 || !Number.isFinite(value))
        throw problem(what, row, `${valid?.[row] === 0 ? 'no value' : value}, where a number was expected`);
      return value;
    },
  };
}

function chooseColumns(
  table: Table,
  given: LogColumns,
  needed: readonly (keyof LogColumns)[],
  optional: readonly (keyof LogColumns)[],
): LogColumns {
  const has = table.columns.map(({ name }) => name);
  const chosen: Partial<Record<keyof LogColumns, string>> = {};
  for (const what of Object.keys(DEFAULTS) as (keyof LogColumns)[]) {
    const asked = given[what];
    if (asked !== undefined && !has.includes(asked) && optional.includes(what)) continue;
    const choose = needed.includes(what) ? needColumn : chooseColumn;
    const name = choose(table, what, asked, DEFAULTS[what]);
    if (name !== undefined) chosen[what] = name;
  }
  return chosen;
}
