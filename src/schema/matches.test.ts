import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EncodedColumn } from './encoded.ts';
import { MatchCounter } from './matches.ts';

const lists = (rows: readonly (readonly number[])[]): EncodedColumn => {
  const offsets = Int32Array.from(
    [0, ...rows].map((_, r) => rows.slice(0, r).reduce((sum, row) => sum + row.length, 0)),
  );
  return { kind: 'ids', offsets, ids: Int32Array.from(rows.flat()), pooling: 'mean' };
};

/** Rows of few ids, 0 and 1 among them: no value, and one outside the vocabulary. */
const anyRows = (length: number) =>
  fc.array(fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 5 }), { minLength: length, maxLength: length });

const pairs = (a: readonly number[], b: readonly number[]) =>
  a.flatMap((x) => b.filter((y) => x === y && x >= 2)).length;

describe('matches', () => {
  it('count the pairs of equal known ids, whichever row each side reads', () => {
    const counter = new MatchCounter();
    const sized = fc
      .record({
        a: fc.integer({ min: 1, max: 4 }),
        b: fc.integer({ min: 1, max: 4 }),
        rowCount: fc.integer({ min: 0, max: 6 }),
      })
      .chain(({ a, b, rowCount }) => {
        const at = (most: number) => fc.array(fc.nat({ max: most - 1 }), { minLength: rowCount, maxLength: rowCount });
        return fc.record({ first: anyRows(a), second: anyRows(b), firstAt: at(a), secondAt: at(b) });
      });
    fc.assert(
      fc.property(sized, ({ first, second, firstAt, secondAt }) => {
        const rows = { first: Int32Array.from(firstAt), second: Int32Array.from(secondAt) };
        const { values } = counter.count(lists(first), lists(second), firstAt.length, rows);
        const expected = firstAt.map((at, row) => Math.log1p(pairs(first[at], second[secondAt[row]])));
        expect([...values]).toEqual(expected.map(Math.fround));
      }),
    );
  });

  it('count a request’s one row for all, and single ids as lists of one', () => {
    const counter = new MatchCounter();
    const interests = lists([[5, 5, 3, 1]]);
    const topics: EncodedColumn = { kind: 'id', ids: Int32Array.of(5, 3, 1, 0, 7) };
    const expected = [2, 1, 0, 0, 0].map((n) => Math.fround(Math.log1p(n)));
    expect([...counter.count(interests, topics, 5).values]).toEqual(expected);
    expect([...counter.count(topics, interests, 5).values]).toEqual(expected);
  });
});
