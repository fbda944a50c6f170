import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ColumnBatch } from './columns.ts';
import type { ColumnType } from './fitted.ts';
import { columnFromJson, columnToJson } from './jsonColumns.ts';
import { selectRows } from './selectRows.ts';

const integer = fc.oneof(fc.maxSafeInteger(), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(jsonOf));
/** Whole numbers as JSON writes them exactly: as text beyond 2^53. */
function jsonOf(value: bigint): number | string {
  return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
}
// JSON writes −0 as 0.
const number = fc.double({ noNaN: true, noDefaultInfinity: true }).map((x) => (x === 0 ? 0 : x));
const text = fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('', '\ufeffmark', '\u0000', 'é', '🎉'));
const items: Record<string, fc.Arbitrary<unknown>> = { integer, number, text };

const typed: fc.Arbitrary<{ type: ColumnType; values: unknown[] }> = fc
  .constantFrom('integer', 'number', 'text', 'list of integer', 'list of number', 'list of text')
  .chain((type) => {
    const item = fc.option(items[type.replace('list of ', '')]);
    const value = type.startsWith('list') ? fc.option(fc.array(item, { maxLength: 4 })) : item;
    return fc.array(value, { maxLength: 12 }).map((values) => ({ type: type as ColumnType, values }));
  });

const rowsOf = (values: unknown[]) => values.map((_, row) => row);

describe('columnFromJson', () => {
  it('loses nothing: columnToJson gives the same values back', () => {
    fc.assert(
      fc.property(typed, ({ type, values }) => {
        const column = columnFromJson(values, type, 'x');
        expect(column.rowCount).toBe(values.length);
        expect(columnToJson(column, rowsOf(values))).toEqual(values);
      }),
    );
  });

  it('survives JSON itself, as a request does', () => {
    fc.assert(
      fc.property(typed, ({ type, values }) => {
        const sent = JSON.parse(JSON.stringify(values));
        expect(columnFromJson(sent, type, 'x')).toEqual(columnFromJson(values, type, 'x'));
      }),
    );
  });

  it('takes Booleans as 0 and 1, whole numbers as decimal text, and unsigned ones by their bits', () => {
    const column = columnFromJson([true, false, '9007199254740993', '-1', '18446744073709551615', 7n], 'integer', '');
    expect(column).toMatchObject({ values: BigInt64Array.of(1n, 0n, 2n ** 53n + 1n, -1n, -1n, 7n) });
    expect(columnToJson({ ...column, unsigned: true } as never, [4])).toEqual(['18446744073709551615']);
  });

  it.each<[unknown[], ColumnType, string]>([
    [[1, 'a'], 'integer', 'candidates, item 1: expected integer, got "a"; send the type the model was trained with'],
    [
      [2 ** 62],
      'integer',
      'got 4611686018427388000; send whole numbers beyond 2^53, which JSON numbers do not hold exactly, as decimal text',
    ],
    [[[1, 2 ** 53]], 'list of integer', 'got 9007199254740992; send whole numbers beyond 2^53'],
    [[1.5], 'integer', 'candidates: expected integer, got 1.5; send the type the model was trained with'],
    [['18446744073709551616'], 'integer', 'got "18446744073709551616"'],
    [['1e3'], 'integer', 'got "1e3"'],
    [[''], 'integer', 'got ""'],
    [[[1]], 'integer', 'got [1]'],
    [[{ a: 1 }], 'integer', 'got {"a":1}'],
    [['1'], 'number', 'expected number, got "1"'],
    [[Number.NaN], 'number', 'expected number, got null'],
    [[true], 'number', 'expected number, got true'],
    [[1], 'text', 'expected text, got 1'],
    [[1], 'list of integer', 'expected list of integer, got 1'],
    [[['a']], 'list of integer', 'expected integer, got "a"'],
    [[[[1]]], 'list of integer', 'expected integer, got [1]'],
    [['x'.repeat(100)], 'number', `got "${'x'.repeat(56)}…`],
  ])('refuses %j as %s, naming where and what', (values, type, message) => {
    expect(() => columnFromJson(values, type, 'candidates')).toThrow(message);
  });

  it('throws a UserError alone, whatever it is given', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), typed, (values, { type }) => {
        try {
          columnFromJson(values, type, 'x');
        } catch (error) {
          expect((error as Error).name).toBe('UserError');
        }
      }),
    );
  });
});

describe('selectRows', () => {
  it('gives the rows asked for, in their order, again and again', () => {
    fc.assert(
      fc.property(fc.array(typed), fc.array(fc.nat(11)), fc.array(fc.nat(100)), (columns, wanted, again) => {
        const rowCount = Math.min(...columns.map(({ values }) => values.length), 12);
        const cut = columns.map(({ type, values }) => ({ type, values: values.slice(0, rowCount) }));
        const batch: ColumnBatch = {
          rowCount,
          columns: new Map(cut.map(({ type, values }, i) => [`c${i}`, columnFromJson(values, type, '')])),
        };
        const rows = rowCount === 0 ? [] : wanted.map((row) => row % rowCount);
        const picked = selectRows(batch, Int32Array.from(rows));
        const rows2 = rows.length === 0 ? [] : again.map((row) => row % rows.length);
        const twice = selectRows(picked, Int32Array.from(rows2));
        expect([picked.rowCount, twice.rowCount]).toEqual([rows.length, rows2.length]);
        cut.forEach(({ values }, i) => {
          const at = (from: ColumnBatch) =>
            columnToJson(from.columns.get(`c${i}`) as never, rowsOf(new Array(from.rowCount).fill(0)));
          expect(at(picked)).toEqual(rows.map((row) => values[row]));
          expect(at(twice)).toEqual(rows2.map((row) => values[rows[row]]));
        });
      }),
    );
  });

  it('keeps 32-bit floats and integers as they are, and what a column says of itself', () => {
    const rowCount = 3;
    const batch: ColumnBatch = {
      rowCount,
      columns: new Map([
        ['f', { type: 'number', rowCount, values: Float32Array.of(1.5, 2.5, 3.5) }],
        ['i', { type: 'integer', rowCount, values: Int32Array.of(1, 2, 3), meaning: 'boolean' }],
        ['u', { type: 'integer', rowCount, values: BigInt64Array.of(-1n, 2n, 3n), unsigned: true }],
      ]),
    };
    const { columns } = selectRows(batch, Int32Array.of(2, 0));
    expect(columns.get('f')).toMatchObject({ rowCount: 2, values: Float32Array.of(3.5, 1.5) });
    expect(columns.get('i')).toMatchObject({ meaning: 'boolean', values: Int32Array.of(3, 1) });
    expect(columns.get('u')).toMatchObject({ unsigned: true, values: BigInt64Array.of(3n, -1n) });
  });
});
