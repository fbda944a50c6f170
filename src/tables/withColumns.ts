import type { Column, ColumnBatch } from '../schema/columns.ts';
import type { ColumnInfo, Table } from './parquetReader.ts';

export interface AddedColumns {
  /** Each replaces the table's column of its name, where it has one. */
  readonly columns: readonly Pick<ColumnInfo, 'name' | 'type'>[];
  /** Columns of the table that are read for them. */
  readonly reads: readonly string[];
  /**
   * Makes them, by name.
   *
   * @param batch    of at least the columns read for them
   * @param firstRow of the batch, counted through the table
   */
  make(batch: ColumnBatch, firstRow: number): ReadonlyMap<string, Column>;
}

/** A table with more columns than its files have. */
export function withColumns(table: Table, added: AddedColumns): Table {
  if (added.columns.length === 0) return table;
  const isAdded = new Set(added.columns.map(({ name }) => name));
  const own = table.columns.filter(({ name }) => !isAdded.has(name));
  const columns = [...own, ...added.columns.map((column) => ({ ...column, fileType: 'COMPUTED' }))];
  return {
    ...table,
    columns,
    async *scan({
      columns: wanted = columns.flatMap(({ name, type }) => (type === 'unsupported' ? [] : [name])),
      ...rest
    } = {}) {
      if (!wanted.some((name) => isAdded.has(name))) return yield* table.scan({ columns: wanted, ...rest });
      const read = [...new Set([...wanted.filter((name) => !isAdded.has(name)), ...added.reads])];
      let firstRow = 0;
      for await (const batch of table.scan({ columns: read, ...rest })) {
        const made = added.make(batch, firstRow);
        const of = (name: string) => (isAdded.has(name) ? made : batch.columns).get(name) as Column;
        yield { ...batch, columns: new Map(wanted.map((name) => [name, of(name)])) };
        firstRow += batch.rowCount;
      }
    },
  };
}
