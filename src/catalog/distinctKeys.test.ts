import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { columnFromJson } from '../schema/jsonColumns.ts';
import { keysOf } from '../schema/keys.ts';
import { distinctKeys } from './distinctKeys.ts';

const keys = (values: readonly unknown[], type: 'integer' | 'list of integer' = 'integer') =>
  keysOf(columnFromJson(values, type, 'test'), 'test');

describe('the distinct keys of a column', () => {
  it('are each there once, and each row has the key it had', () => {
    const value = fc.option(fc.oneof(fc.integer({ min: 0, max: 5 }), fc.maxSafeInteger()));
    fc.assert(
      fc.property(fc.array(value, { maxLength: 40 }), (values) => {
        const all = keys(values);
        const few = distinctKeys(all);
        expect(few?.keys.rowCount).toBe(1 + new Set(values.filter((one) => one !== null)).size);
        few?.places.forEach((place, row) => {
          expect(few.keys.valid?.[place]).toBe(values[row] === null ? 0 : 1);
          if (values[row] !== null)
            expect(few.keys.words.slice(2 * place, 2 * place + 2)).toEqual(all.words.slice(2 * row, 2 * row + 2));
        });
        expect(few?.places).toHaveLength(values.length);
      }),
    );
  });

  it('are not told of lists, nor where there are very many', () => {
    expect(distinctKeys(keys([[1], [2, 3]], 'list of integer'))).toBeUndefined();
    const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);
    expect(distinctKeys(keys(numbers(4096)))?.keys.rowCount).toBe(4097);
    expect(distinctKeys(keys(numbers(4097)))).toBeUndefined();
  });
});
