import { listOf, UserError } from '../core/errors.ts';
import type { Table } from '../tables/parquetReader.ts';

/**
 * The column that was given, or else the first that there is of its usual names; undefined where the table has none of them.
 *
 * @param what the option that names it
 * @throws UserError where one was given that is not there
 */
export function chooseColumn(
  table: Table,
  what: string,
  given: string | undefined,
  usual: readonly string[],
): string | undefined {
  const has = table.columns.map(({ name }) => name);
  const name = given ?? usual.find((one) => has.includes(one));
  if (name === undefined || has.includes(name)) return name;
  throw noColumn(table, what, [name]);
}

/**
 * As `chooseColumn`, of a column that it takes.
 *
 * @throws UserError also where none of the usual names is there
 */
export function needColumn(table: Table, what: string, given: string | undefined, usual: readonly string[]): string {
  const name = chooseColumn(table, what, given, usual);
  if (name === undefined) throw noColumn(table, what, usual);
  return name;
}

function noColumn({ files, columns }: Table, what: string, wanted: readonly string[]): UserError {
  const has = listOf(columns.map(({ name }) => `'${name}'`));
  return new UserError(
    `${files[0]}: has no column '${wanted.join("' or '")}'; name it with --${what}; it has ${has}`,
    'missing',
  );
}
