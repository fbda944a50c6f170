import { describe, expect, it } from 'vitest';
import type { Column, ColumnBatch } from '../../src/schema/columns.ts';
import { columnFromJson } from '../../src/schema/jsonColumns.ts';
import { parseSchema } from '../../src/schema/parseSchema.ts';
import { selectRows } from '../../src/schema/selectRows.ts';
import { columnsOfSchema, rowColumnsOf, timesOf } from './rowColumns.ts';

const schema = parseSchema({
  name: 'x',
  labels: [{ name: 'click', column: 'is_click', truth: 'p' }],
  user: 'user',
  weight: 'w',
  time: 't',
  fields: [
    { name: 'a', kind: 'id', scope: 'ad' },
    { name: 'b', column: 'a', kind: 'ids', scope: 'ad', table: 'a' },
    { name: 'c', kind: 'cross', of: ['a', 'b'] },
  ],
});

const batchOf = (columns: Record<string, Column>): ColumnBatch => ({
  rowCount: Object.values(columns)[0].rowCount,
  columns: new Map(Object.entries(columns)),
});
const numbers = (...values: (number | null)[]) => columnFromJson(values, 'number', '');
const floats = (...values: number[]): Column => ({
  type: 'number',
  rowCount: values.length,
  values: Float64Array.from(values),
});
const good = {
  is_click: columnFromJson([true, 0], 'integer', ''),
  p: numbers(0.25, 0.5),
  user: columnFromJson(['9007199254740993', null], 'integer', ''),
  w: numbers(2, 0),
};

describe('what training needs beside the fields', () => {
  it('is each column the schema reads, once', () => {
    expect(columnsOfSchema(schema)).toEqual(['a', 'is_click', 'p', 't', 'user', 'w']);
  });

  it('is labels, true probabilities, weights and the users’ 64 bits, those without a user as one', () => {
    const { labels, truths, weights, users } = rowColumnsOf(batchOf(good), schema);
    expect([labels.get('click'), truths.get('click'), weights]).toEqual([
      Float32Array.of(1, 0),
      Float32Array.of(0.25, 0.5),
      Float32Array.of(2, 0),
    ]);
    expect(users).toEqual(Int32Array.of(1, 2 ** 21, 0, -(2 ** 31)));
    const under = { ...good.user, values: BigInt64Array.of(2n ** 53n + 1n, 77n) } as Column;
    expect(rowColumnsOf(batchOf({ ...good, user: under }), schema).users).toEqual(users);
  });

  it.each<[string, Record<string, Column>, string]>([
    [
      'a label of 2',
      { is_click: numbers(1, 2) },
      "label 'click' (column 'is_click'): expected 0 or 1, got 2 in row 1; name another column or clean it",
    ],
    ['a label of 0.5', { is_click: numbers(0.5, 1) }, 'expected 0 or 1, got 0.5 in row 0'],
    ['a label of −1', { is_click: numbers(0, -1) }, 'expected 0 or 1, got -1 in row 1'],
    ['a label that is missing', { is_click: numbers(0, null) }, 'expected 0 or 1, got no value in row 1'],
    [
      'a label of text',
      { is_click: columnFromJson(['0', '1'], 'text', '') },
      "label 'click' (column 'is_click'): expected numbers, got text",
    ],
    [
      'a negative weight',
      { w: numbers(1, -1) },
      "weight column 'w': expected finite numbers of 0 or more, got -1 in row 1; clean it",
    ],
    ['an infinite weight', { w: floats(Number.POSITIVE_INFINITY, 1) }, 'got Infinity in row 0'],
    ['a missing weight', { w: numbers(1, null) }, 'got NaN in row 1'],
    [
      'a user of several',
      { user: columnFromJson([[1], [2]], 'list of integer', '') },
      "user column 'user': expected one value a row, got list of integer",
    ],
    [
      'a user that is no id',
      { user: numbers(0.5, 1) },
      "user column 'user': expected whole numbers as ids, got 0.5 in row 0",
    ],
  ])('refuses %s', (_, columns, message) => {
    expect(() => rowColumnsOf(batchOf({ ...good, ...columns }), schema)).toThrow(message);
  });

  it('names a column that is missing', () => {
    const { p, user, w } = good;
    expect(() => rowColumnsOf(batchOf({ p, user, w }), schema)).toThrow(
      "label 'click' needs column 'is_click', which the data lacks; correct the schema or the data",
    );
  });

  it('reads times as milliseconds and refuses a row without', () => {
    expect([...timesOf(batchOf({ t: columnFromJson([1_700_000_000_000], 'integer', '') }), 't')]).toEqual([1.7e12]);
    expect(() => timesOf(batchOf({ t: numbers(1, null) }), 't')).toThrow(
      "time column 't': expected a time in every row, got none in row 1; fill it or drop the row",
    );
  });

  it('refuses times that look like seconds, which would all fall into January 1970', () => {
    expect(() => timesOf(batchOf({ t: numbers(1735689600, 1735689601) }), 't')).toThrow(
      /time column 't': expected milliseconds .* got 1735689600 in row 0; it looks like seconds: multiply/,
    );
    expect(timesOf(batchOf({ t: numbers(1735689600000) }), 't')).toEqual(Float64Array.of(1735689600000));
  });

  it('names the file and the row of it, also of rows that were selected', () => {
    const labels = columnFromJson([0, 1, 0, 1, 7, 1], 'integer', '');
    const origin = { file: 'log.parquet', firstRow: 1000 };
    const batch = { ...batchOf({ ...good, is_click: labels }), rowCount: 6, origin };
    expect(() => rowColumnsOf(batch, schema)).toThrow('got 7 in row 1004 of log.parquet; name another');
    const some = { rowCount: 6, columns: new Map([['is_click', labels]]), origin };
    const selected = selectRows(selectRows(some, Int32Array.of(1, 3, 4, 5)), Int32Array.of(2, 3));
    expect(() => rowColumnsOf(selected, schema)).toThrow('got 7 in row 1004 of log.parquet; name another');
  });
});
