import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Column } from '../schema/columns.ts';
import { takeRows } from '../schema/selectRows.ts';
import { columnFromValues, columnValue, textAt, type Value } from './columnBuilder.ts';
import { concatColumns } from './columnConcat.ts';
import { plainText, sliceColumn } from './columnSlices.ts';
import { daysOf } from './days.ts';

const valuesOf = (column: Column): Value[] =>
  Array.from({ length: column.rowCount }, (_, row) => columnValue(column, row));

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
/** As `columnValue` gives it. */
const whole = int64.map((n) => (Number.isSafeInteger(Number(n)) ? Number(n) : n));
const text = fc.string({ unit: 'grapheme' });
const flat = (type: Column['type'], value: fc.Arbitrary<Value>) =>
  fc.record({ type: fc.constant(type), values: fc.array(fc.option(value), { minLength: 1, maxLength: 20 }) });
const flatColumns = fc.oneof(flat('integer', whole), flat('number', fc.double()), flat('text', text));
const columns = fc.oneof(flatColumns, flat('list', fc.array(fc.option(text), { maxLength: 4 })));

describe('a column of values', () => {
  it('gives them back', () => {
    fc.assert(
      fc.property(columns, ({ type, values }) => {
        expect(valuesOf(columnFromValues(values, type))).toEqual(values);
      }),
    );
  });

  it('has the type its values show', () => {
    expect(columnFromValues([1, null, 2n]).type).toBe('integer');
    expect(columnFromValues([1, 2.5]).type).toBe('number');
    expect(columnFromValues([null, 'a']).type).toBe('text');
    expect(columnFromValues([[1], null])).toMatchObject({ type: 'list', items: { type: 'integer' } });
    expect(columnFromValues([true, false])).toMatchObject({ type: 'integer', meaning: 'boolean' });
    expect(columnFromValues([null]).type).toBe('text');
  });

  it('refuses values of another type', () => {
    expect(() => columnFromValues([1.5], 'integer')).toThrow('an integer column cannot hold 1.5');
    expect(() => columnFromValues([2n ** 63n], 'integer')).toThrow('an integer column cannot hold 9223372036854775808');
    expect(() => columnFromValues(['a'], 'number')).toThrow('a number column cannot hold "a"');
    expect(() => columnFromValues([1], 'text')).toThrow('a text column cannot hold 1');
    expect(() => columnFromValues(['a'], 'list')).toThrow('a list column cannot hold a');
  });

  it('shows unsigned values as such', () => {
    const column: Column = { type: 'integer', rowCount: 1, values: BigInt64Array.of(-1n), unsigned: true };
    expect(columnValue(column, 0)).toBe(18446744073709551615n);
  });
});

describe('rows of a column', () => {
  it('sliced, taken and joined are the same rows', () => {
    fc.assert(
      fc.property(columns, fc.nat(), fc.nat(), ({ type, values }, a, b) => {
        const [from, to] = [a % (values.length + 1), b % (values.length + 1)].sort((x, y) => x - y);
        const column = columnFromValues(values, type);
        const slice = sliceColumn(column, from, to);
        expect(valuesOf(slice)).toEqual(values.slice(from, to));
        const reversed = Int32Array.from({ length: to - from }, (_, i) => to - from - 1 - i);
        const taken = takeRows(slice, reversed);
        expect(valuesOf(taken)).toEqual(values.slice(from, to).reverse());
        expect(valuesOf(sliceColumn(takeRows(taken, reversed), 0, to - from))).toEqual(values.slice(from, to));
        expect(valuesOf(takeRows(slice, Int32Array.of(-1)))).toEqual([null]);
        if (type !== 'list') {
          const wide = sliceColumn(columnFromValues([...values, null], type), 0, values.length);
          expect(valuesOf(concatColumns([taken, taken]))).toEqual([...valuesOf(taken), ...valuesOf(taken)]);
          expect(valuesOf(wide)).toEqual(values);
        }
        if (slice.type === 'text') {
          const plain = { ...slice, ...plainText(takeRows(slice, reversed) as typeof slice), indices: undefined };
          const texts = Array.from({ length: to - from }, (_, row) => textAt({ ...plain, valid: undefined }, row));
          expect(texts).toEqual(
            values
              .slice(from, to)
              .reverse()
              .map((value) => value ?? ''),
          );
        }
      }),
    );
  });
});

describe('the day of a time', () => {
  it('is in UTC, also before 1970, at the edge of a day', () => {
    const times: Column = { ...columnFromValues([-1, 0, 86_399_999, 86_400_000]), meaning: 'timestamp' } as Column;
    expect([...daysOf(times, 'column t')]).toEqual([-1, 0, 0, 1]);
    expect([...daysOf(columnFromValues([20220425, 20220425, 19700102]), 'column t')]).toEqual([19107, 19107, 1]);
  });

  it('is refused of text, of nulls, of numbers below 0 and of days that are none', () => {
    expect(() => daysOf(columnFromValues(['a']), "column 't'")).toThrow(/column 't' is text; a time column holds/);
    expect(() => daysOf(columnFromValues([1, null]), "column 't'")).toThrow(/has no value in a row/);
    expect(() => daysOf(columnFromValues([20220230]), "column 't'")).toThrow(/holds 20220230, which is no day/);
    expect(() => daysOf(columnFromValues([-86_400_000]), "column 't'")).toThrow(/'t' holds -86400000; a number/);
  });
});
