import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRandom, shuffle } from '../core/random.ts';
import { firstId, missingId, unknownId } from './fields.ts';
import { hashedVocabulary, identityVocabulary, KeyTable, listedVocabulary, VocabularyCounter } from './vocabulary.ts';

/** Few distinct keys, so that they repeat, and the edges of 32 bits. */
const half = fc.oneof(fc.integer({ min: -2, max: 2 }), fc.constantFrom(2 ** 31 - 1, -(2 ** 31)), fc.integer());
const key = fc.tuple(half, half);

describe('KeyTable', () => {
  it('is a map that numbers keys in the order they come', () => {
    fc.assert(
      fc.property(fc.array(key, { maxLength: 300 }), fc.array(key, { maxLength: 20 }), (keys, others) => {
        const table = new KeyTable(0);
        const map = new Map<string, number>();
        for (const [lo, hi] of keys) {
          const known = map.get(`${lo},${hi}`) ?? map.size + 1;
          map.set(`${lo},${hi}`, known);
          expect(table.add(lo, hi)).toBe(known);
        }
        expect(table.size).toBe(map.size);
        for (const [lo, hi] of [...keys, ...others]) expect(table.get(lo, hi)).toBe(map.get(`${lo},${hi}`) ?? 0);
      }),
    );
  });

  it('grows to a million keys and finds every one', () => {
    const table = new KeyTable();
    const random = createRandom(1);
    const word = () => random.below(2 ** 32) | 0;
    const keys = new Int32Array(2_000_000);
    for (let i = 0; i < keys.length; i++) keys[i] = i % 2 === 0 ? i / 2 : word();
    for (let i = 0; i < keys.length; i += 2) table.add(keys[i], keys[i + 1]);
    let lost = 0;
    for (let i = 0; i < keys.length; i += 2) if (table.get(keys[i], keys[i + 1]) !== i / 2 + 1) lost++;
    expect([table.size, lost]).toEqual([1_000_000, 0]);
    expect(table.get(-5, 17)).toBe(0);
  });
});

function vocabularyOf(keys: readonly (readonly [number, number])[], minCount: number) {
  const counter = new VocabularyCounter();
  for (const [lo, hi] of keys) counter.add(lo, hi);
  return counter.finish(minCount);
}

describe('a vocabulary', () => {
  it('is the same whatever the order of the rows', () => {
    fc.assert(
      fc.property(
        fc.array(key, { maxLength: 100 }),
        fc.integer(),
        fc.integer({ min: 1, max: 4 }),
        (keys, seed, min) => {
          const order = Int32Array.from(keys, (_, i) => i);
          shuffle(order, createRandom(seed));
          const one = vocabularyOf(keys, min);
          const other = vocabularyOf(
            [...order].map((i) => keys[i]),
            min,
          );
          expect([other.words, other.counts]).toEqual([one.words, one.counts]);
        },
      ),
    );
  });

  it('keeps keys seen often enough, the most frequent first, and counts the others on the unknown row', () => {
    fc.assert(
      fc.property(fc.array(key, { maxLength: 200 }), fc.integer({ min: 1, max: 5 }), (keys, minCount) => {
        const counts = new Map<string, number>();
        for (const [lo, hi] of keys) counts.set(`${lo},${hi}`, (counts.get(`${lo},${hi}`) ?? 0) + 1);
        const vocabulary = vocabularyOf(keys, minCount);
        const kept = [...counts.values()].filter((count) => count >= minCount).sort((a, b) => b - a);
        expect(vocabulary.rows).toBe(kept.length + firstId);
        expect([...vocabulary.counts.subarray(firstId)]).toEqual(kept);
        expect(vocabulary.counts[unknownId]).toBe(keys.length - kept.reduce((a, b) => a + b, 0));
        for (const [lo, hi] of keys) {
          const id = vocabulary.lookup(lo, hi);
          const count = counts.get(`${lo},${hi}`) as number;
          if (count >= minCount) expect(vocabulary.counts[id]).toBe(count);
          else expect(id).toBe(unknownId);
        }
      }),
    );
  });

  it('looks keys it has not seen up as unknown, never as missing', () => {
    const vocabulary = listedVocabulary(Int32Array.of(5, 0, 6, 0), new Float64Array(4));
    expect([vocabulary.lookup(5, 0), vocabulary.lookup(6, 0)]).toEqual([firstId, firstId + 1]);
    expect([vocabulary.lookup(7, 0), vocabulary.lookup(5, 1), vocabulary.lookup(0, 0)]).toEqual([1, 1, 1]);
    expect(vocabularyOf([], 1).lookup(0, 0)).toBe(unknownId);
  });

  it('of whole numbers gives each its own row, and none to any other key', () => {
    const vocabulary = identityVocabulary(3, new Float64Array(5));
    expect(vocabulary.rows).toBe(5);
    expect([0, 1, 2].map((value) => vocabulary.lookup(value, 0))).toEqual([2, 3, 4]);
    // 3, -1, 2^32 and the lowest of 64 bits.
    for (const [lo, hi] of [
      [3, 0],
      [-1, -1],
      [-1, 0],
      [0, 1],
      [0, -(2 ** 31)],
    ])
      expect(vocabulary.lookup(lo, hi)).toBe(unknownId);
  });

  it('that hashes gives every key a row beyond the reserved ones, the same each time', () => {
    fc.assert(
      fc.property(half, half, fc.integer({ min: 1, max: 1000 }), (lo, hi, buckets) => {
        const vocabulary = hashedVocabulary(buckets, new Float64Array(buckets + firstId));
        const id = vocabulary.lookup(lo, hi);
        expect(id > missingId && id >= firstId && id < vocabulary.rows).toBe(true);
        expect(hashedVocabulary(buckets, vocabulary.counts).lookup(lo, hi)).toBe(id);
        expect(vocabulary.words).toBeUndefined();
      }),
    );
  });
});
