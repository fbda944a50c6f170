import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hashBytes, joinKeys, type KeyHalves } from '../core/hash.ts';
import type { Column, TextColumn } from './columns.ts';
import { columnFromJson } from './jsonColumns.ts';
import { crossKeys, type Keys, keysOf } from './keys.ts';
import { takeRows } from './selectRows.ts';

const int64 = fc.oneof(
  fc.integer(),
  fc.constantFrom(0n, -1n, 2n ** 53n + 1n, -(2n ** 53n) - 1n, 2n ** 63n - 1n, -(2n ** 63n)),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
);

/** Each row's keys as 64-bit integers: null for no value, an array for a list. */
function shown(keys: Keys): unknown[] {
  const at = (i: number) => BigInt.asIntN(64, (BigInt(keys.words[2 * i + 1]) << 32n) | BigInt(keys.words[2 * i] >>> 0));
  return Array.from({ length: keys.rowCount }, (_, row) => {
    const { offsets, valid } = keys;
    if (offsets === undefined) return valid !== undefined && valid[row] === 0 ? null : at(row);
    return Array.from({ length: offsets[row + 1] - offsets[row] }, (_, i) => at(offsets[row] + i));
  });
}

function textKey(text: string): bigint {
  const bytes = new TextEncoder().encode(text);
  const key: KeyHalves = { lo: 0, hi: 0 };
  hashBytes(bytes, 0, bytes.length, key);
  return BigInt.asIntN(64, (BigInt(key.hi) << 32n) | BigInt(key.lo >>> 0));
}

describe('the keys of a column', () => {
  it('are the whole numbers themselves, all 64 bits of them', () => {
    fc.assert(
      fc.property(fc.array(fc.option(int64)), (values) => {
        const column = columnFromJson(values, 'integer', '');
        expect(shown(keysOf(column, ''))).toEqual(values.map((value) => (value === null ? null : BigInt(value))));
      }),
    );
  });

  it('are the same however a whole number is stored: 32 bits, 64 bits, a float', () => {
    fc.assert(
      fc.property(fc.array(fc.integer()), (values) => {
        const rowCount = values.length;
        const columns: Column[] = [
          { type: 'integer', rowCount, values: Int32Array.from(values) },
          { type: 'integer', rowCount, values: BigInt64Array.from(values, BigInt) },
          { type: 'number', rowCount, values: Float64Array.from(values) },
        ];
        for (const column of columns) expect(shown(keysOf(column, ''))).toEqual(values.map(BigInt));
      }),
    );
    const wide = [2 ** 53, -(2 ** 53), 2 ** 40 + 1, -(2 ** 31), 2 ** 31, -0];
    const floats: Column = { type: 'number', rowCount: wide.length, values: Float64Array.from(wide) };
    expect(shown(keysOf(floats, ''))).toEqual(wide.map(BigInt));
  });

  it('of floats have no value where they are NaN, and are refused with the row where they are not whole', () => {
    const floats = (...values: number[]): Column => ({
      type: 'number',
      rowCount: values.length,
      values: Float64Array.from(values),
    });
    expect(shown(keysOf(floats(1, Number.NaN), ''))).toEqual([1n, null]);
    expect(() => keysOf(floats(1, 2.5), "field 'userId'")).toThrow(
      "field 'userId': expected whole numbers as ids, got 2.5 in row 1; use kind 'number' or round the column",
    );
    expect(() => keysOf(floats(Number.POSITIVE_INFINITY), 'x')).toThrow('got Infinity in row 0');
  });

  it('of texts are hashes of their bytes, with or without a dictionary, the empty text a value like others', () => {
    fc.assert(
      fc.property(
        fc.array(fc.option(fc.string({ unit: 'grapheme', maxLength: 6 }))),
        fc.infiniteStream(fc.nat()),
        (values, picks) => {
          const column = columnFromJson(values, 'text', '') as TextColumn;
          const expected = values.map((value) => (value === null ? null : textKey(value)));
          expect(shown(keysOf(column, ''))).toEqual(expected);
          if (values.length === 0) return;
          const rows = Int32Array.from({ length: 5 }, () => picks.next().value % values.length);
          expect(shown(keysOf(takeRows(column, rows), ''))).toEqual([...rows].map((row) => expected[row]));
        },
      ),
    );
  });

  it('of lists drop null items and the items of null rows', () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.array(fc.option(fc.integer()), { maxLength: 4 }))), (lists) => {
        const column = columnFromJson(lists, 'list of integer', '');
        expect(shown(keysOf(column, ''))).toEqual(
          lists.map((list) => (list ?? []).filter((item) => item !== null).map(BigInt)),
        );
      }),
    );
    // A null row may have items under it, as Arrow allows.
    const items = columnFromJson([1, 2, 3], 'integer', '') as never;
    const column: Column = {
      type: 'list',
      rowCount: 2,
      offsets: Int32Array.of(0, 2, 3),
      items,
      valid: Uint8Array.of(0, 1),
    };
    expect(shown(keysOf(column, ''))).toEqual([[], [3n]]);
  });
});

describe('a cross', () => {
  const single = fc.array(fc.option(fc.integer({ min: -3, max: 3 })), { minLength: 4, maxLength: 4 });
  const several = fc.array(fc.array(fc.integer({ min: -3, max: 3 }), { maxLength: 3 }), { minLength: 4, maxLength: 4 });
  const part = fc.oneof(
    single.map((values) => ({
      values: values.map((v) => (v === null ? [] : [v])),
      keys: keysOf(columnFromJson(values, 'integer', ''), ''),
      list: false,
    })),
    several.map((values) => ({ values, keys: keysOf(columnFromJson(values, 'list of integer', ''), ''), list: true })),
  );
  const joined = (a: bigint, b: bigint): bigint => {
    const key: KeyHalves = { lo: 0, hi: 0 };
    const halves = (k: bigint) => [Number(BigInt.asIntN(32, k)), Number(BigInt.asIntN(32, k >> 32n))] as const;
    joinKeys(...halves(a), ...halves(b), key);
    return BigInt.asIntN(64, (BigInt(key.hi) << 32n) | BigInt(key.lo >>> 0));
  };

  it('has every combination of its parts’ values, in order, and none where a part has no value', () => {
    fc.assert(
      fc.property(fc.array(part, { minLength: 2, maxLength: 4 }), (parts) => {
        const keys = crossKeys(parts.map(({ keys }) => keys));
        const naive = Array.from({ length: 4 }, (_, row) =>
          parts
            .map(({ values }) => values[row].map(BigInt))
            .reduce((left, right) => left.flatMap((a) => right.map((b) => joined(a, b)))),
        );
        const lists = parts.some(({ list }) => list);
        expect(shown(keys)).toEqual(lists ? naive : naive.map(([only]) => only ?? null));
      }),
    );
  });

  it('uses a part of one row for every row, as a request’s is for its candidates', () => {
    fc.assert(
      fc.property(part, part, (left, right) => {
        const first = (keys: Keys): Keys =>
          keys.offsets === undefined
            ? { rowCount: 1, words: keys.words.slice(0, 2), valid: keys.valid?.slice(0, 1) }
            : { rowCount: 1, words: keys.words, offsets: keys.offsets.slice(0, 2) };
        const repeated = (p: typeof left): Keys =>
          p.list
            ? keysOf(columnFromJson(new Array(4).fill(p.values[0]), 'list of integer', ''), '')
            : keysOf(columnFromJson(new Array(4).fill(p.values[0][0] ?? null), 'integer', ''), '');
        expect(shown(crossKeys([first(left.keys), right.keys]))).toEqual(
          shown(crossKeys([repeated(left), right.keys])),
        );
        expect(shown(crossKeys([left.keys, first(right.keys)]))).toEqual(
          shown(crossKeys([left.keys, repeated(right)])),
        );
      }),
    );
  });
});
