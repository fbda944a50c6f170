import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { columnFromJson } from '../schema/jsonColumns.ts';
import { keysOf } from '../schema/keys.ts';
import { numbersOf } from '../schema/numbers.ts';
import type { Field } from '../schema/schema.ts';
import { columnOfValues, requestType } from './values.ts';

const field = (kind: string) => ({ name: 'x', kind, scope: 'ad', length: 2 }) as Field;

describe('JSON values as a column', () => {
  const whole = fc.oneof(
    fc.integer(),
    fc.maxSafeInteger(),
    fc.constant(null),
    fc.bigInt(0n, 2n ** 63n - 1n).map(String),
  );

  it('have the keys and numbers that the slower way gives, for whole numbers of any size and nulls', () => {
    fc.assert(
      fc.property(fc.array(whole, { maxLength: 8 }), (values) => {
        const [fast, slow] = [columnOfValues(values, 'integer', 'x'), columnFromJson(values, 'integer', 'x')];
        const [a, b] = [keysOf(fast, 'x'), keysOf(slow, 'x')];
        values.forEach((value, row) => {
          expect(a.valid?.[row] ?? 1).toBe(value === null ? 0 : 1);
          if (value !== null)
            expect(a.words.subarray(2 * row, 2 * row + 2)).toEqual(b.words.subarray(2 * row, 2 * row + 2));
        });
      }),
    );
    const numbers = fc.array(
      fc.oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.constant(null)),
    );
    fc.assert(
      fc.property(numbers, (values) => {
        const read = (column: Parameters<typeof numbersOf>[0]) => numbersOf(column, field('number') as never, 'x');
        // -0 and 0 are one number to a model.
        const plain = read(columnFromJson(values, 'number', 'x')).map((value) => value + 0);
        expect(read(columnOfValues(values, 'number', 'x')).map((value) => value + 0)).toEqual(plain);
      }),
    );
  });

  it('take true and false as 1 and 0, also for numbers', () => {
    expect(columnOfValues([true, false, null], 'number', 'x')).toMatchObject({ values: Int32Array.of(1, 0, 0) });
  });

  it('need not be whole where training happened to see whole numbers, unless they are ids', () => {
    expect(requestType(field('number'), 'integer')).toBe('number');
    expect(requestType(field('vector'), 'list of integer')).toBe('list of number');
    expect(requestType(field('id'), 'integer')).toBe('integer');
    expect(requestType(field('ids'), 'list of integer')).toBe('list of integer');
    expect(requestType(field('id'), 'text')).toBe('text');
  });
});
