import { describe, expect, it } from 'vitest';
import type { Column, ColumnBatch } from '../schema/columns.ts';
import { columnFromValues, columnValue } from './columnBuilder.ts';
import type { ColumnInfo, Table } from './parquetReader.ts';
import { withColumns } from './withColumns.ts';

const rows: Record<string, number[]> = { a: [1, 2, 3, 4, 5], b: [10, 20, 30, 40, 50] };
const asked: (readonly string[] | undefined)[] = [];

/** Five rows, two a batch. */
const table: Table = {
  files: ['memory'],
  columns: Object.keys(rows).map((name): ColumnInfo => ({ name, type: 'integer', fileType: 'INT32' })),
  rowCount: 5,
  async *scan({ columns = Object.keys(rows) } = {}) {
    asked.push(columns);
    for (let from = 0; from < 5; from += 2) {
      const part = columns.map((name) => [name, columnFromValues(rows[name].slice(from, from + 2))] as const);
      yield { rowCount: Math.min(2, 5 - from), columns: new Map(part) };
    }
  },
};

async function read(from: Table, columns?: readonly string[]): Promise<Record<string, unknown[]>> {
  const values: Record<string, unknown[]> = {};
  for await (const batch of from.scan({ columns }))
    for (const [name, column] of batch.columns)
      for (let row = 0; row < batch.rowCount; row++) (values[name] ??= []).push(columnValue(column, row));
  return values;
}

const place = (_: ColumnBatch, firstRow: number): Map<string, Column> =>
  new Map([['place', columnFromValues(_.rowCount === 1 ? [firstRow] : [firstRow, firstRow + 1])]]);

describe('a table with more columns', () => {
  const placed = withColumns(table, { columns: [{ name: 'place', type: 'integer' }], reads: [], make: place });

  it('offers them after its own, batch by batch, told from which row on', async () => {
    expect(placed.columns.map(({ name }) => name)).toEqual(['a', 'b', 'place']);
    expect(await read(placed)).toEqual({ ...rows, place: [0, 1, 2, 3, 4] });
  });

  it('keeps to the columns and the order asked for, and reads no other', async () => {
    expect(Object.keys(await read(placed, ['place', 'b']))).toEqual(['place', 'b']);
    expect(asked.pop()).toEqual(['b']);
    expect(await read(placed, ['a'])).toEqual({ a: rows.a });
    expect(asked.pop()).toEqual(['a']);
  });

  it('replaces a column of the same name, which may be made from it', async () => {
    const doubled = withColumns(table, {
      columns: [{ name: 'a', type: 'integer' }],
      reads: ['b'],
      make: ({ rowCount, columns }) => {
        const b = columns.get('b') as Column;
        const twice = Array.from({ length: rowCount }, (_, row) => 2 * Number(columnValue(b, row)));
        return new Map([['a', columnFromValues(twice)]]);
      },
    });
    expect(doubled.columns.map(({ name }) => name)).toEqual(['b', 'a']);
    expect(await read(doubled, ['a'])).toEqual({ a: [20, 40, 60, 80, 100] });
  });

  it('is the table itself where there is nothing to add', () => {
    expect(withColumns(table, { columns: [], reads: [], make: place })).toBe(table);
  });
});
