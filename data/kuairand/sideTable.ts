import { UserError } from '../../src/core/errors.ts';
import type { Column, ColumnBatch, IntegerColumn } from '../../src/schema/columns.ts';
import { concatColumns } from '../../src/tables/columnConcat.ts';
import { openCsv } from '../../src/tables/csv.ts';
import type { CsvType } from '../../src/tables/csvTypes.ts';

/** A table of one row a key (a user, a video), held in memory to be joined. */
export interface SideTable {
  readonly file: string;
  readonly columns: ReadonlyMap<string, Column>;
  /** Row by key. */
  readonly rows: ReadonlyMap<number, number>;
}

/**
 * Reads a side table whole. Types are inferred from all its rows; a column of floats that are all whole (`1.0`, as
 * pandas writes categories with gaps) becomes integer.
 *
 * @throws UserError for a file that is missing or damaged, lacks the key, or has a key twice
 */
export async function readSideTable(file: string, key: string, types: Record<string, CsvType>): Promise<SideTable> {
  const csv = await openCsv(file, { types: { ...types, [key]: 'integer' }, sampleRows: Number.POSITIVE_INFINITY });
  const batches: ColumnBatch[] = [];
  for await (const batch of csv.batches()) batches.push(batch);
  const columns = new Map<string, Column>();
  for (const { name } of csv.columns) {
    columns.set(name, wholeAsInteger(concatColumns(batches.flatMap((batch) => batch.columns.get(name) ?? []))));
  }
  return { file, columns, rows: indexRows(file, key, columns.get(key) as IntegerColumn) };
}

function indexRows(file: string, key: string, column: IntegerColumn): Map<number, number> {
  const rows = new Map<number, number>();
  for (let row = 0; row < column.rowCount; row++) {
    const value = Number(column.values[row]);
    if (column.valid?.[row] === 0) throw new UserError(`${file}: a row has no ${key}; drop it or fill it in`);
    if (rows.has(value)) throw new UserError(`${file}: has ${key} ${value} twice; keep one row of each`);
    rows.set(value, row);
  }
  return rows;
}

function wholeAsInteger(column: Column): Column {
  if (column.type !== 'number') return column;
  for (let row = 0; row < column.rowCount; row++) {
    if (column.valid?.[row] !== 0 && !Number.isSafeInteger(column.values[row])) return column;
  }
  const { rowCount, valid } = column;
  return { type: 'integer', rowCount, valid, values: BigInt64Array.from(column.values as Float64Array, BigInt) };
}

/** The side table's row of each key, -1 where it has none. */
export function joinRows(table: SideTable, keys: IntegerColumn): Int32Array {
  const rows = new Int32Array(keys.rowCount).fill(-1);
  for (let i = 0; i < rows.length; i++) {
    if (keys.valid?.[i] !== 0) rows[i] = table.rows.get(Number(keys.values[i])) ?? -1;
  }
  return rows;
}
