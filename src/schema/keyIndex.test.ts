import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../core/random.ts';
import { areSlotsOf, emptySlots, findKey, indexKeys } from './keyIndex.ts';

const half = fc.oneof(fc.integer({ min: -2, max: 2 }), fc.constantFrom(2 ** 31 - 1, -(2 ** 31)), fc.integer());
const keys = fc.uniqueArray(fc.tuple(half, half), { selector: String, maxLength: 200 });
const wordsOf = (list: readonly (readonly [number, number])[]) => Int32Array.from(list.flat());

describe('a hash table of keys that lie elsewhere', () => {
  it('finds every key at its place and no other', () => {
    fc.assert(
      fc.property(keys, keys, (list, others) => {
        const words = wordsOf(list);
        const slots = indexKeys(words);
        list.forEach(([lo, hi], i) => {
          expect(findKey(slots, words, lo, hi)).toBe(i + 1);
        });
        const known = new Set(list.map(String));
        for (const [lo, hi] of others) if (!known.has(String([lo, hi]))) expect(findKey(slots, words, lo, hi)).toBe(0);
      }),
    );
  });

  it('names every key that is listed before, and finds the first of them', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(3), fc.nat(3)), { maxLength: 30 }), (list) => {
        const first = list.map((key) => list.findIndex((other) => String(other) === String(key)));
        const duplicates: number[] = [];
        const words = wordsOf(list);
        const slots = indexKeys(words, (i) => duplicates.push(i));
        expect(duplicates).toEqual([...first.keys()].filter((i) => first[i] !== i));
        list.forEach(([lo, hi], i) => {
          expect(findKey(slots, words, lo, hi)).toBe(first[i] + 1);
        });
      }),
    );
  });

  it('gives a key’s own place or none, and ends, whatever the slots hold', () => {
    const slot = fc.oneof(fc.integer(), fc.integer({ min: 0, max: 40 }));
    const slots = fc.nat(3).chain((log) => fc.int32Array({ minLength: 32 << log, maxLength: 32 << log }));
    fc.assert(
      fc.property(keys, slots, fc.array(slot, { maxLength: 32 }), (list, wrong, small) => {
        wrong.set(small);
        const words = wordsOf(list);
        list.forEach(([lo, hi], i) => {
          expect([0, i + 1]).toContain(findKey(wrong, words, lo, hi));
        });
      }),
    );
    const full = new Int32Array(64).fill(-1);
    expect(findKey(full, Int32Array.of(5, 0), 5, 0)).toBe(0);
  });

  it('hides no more keys than slots are wrong where none was emptied', () => {
    const random = createRandom(3);
    const words = Int32Array.from({ length: 2000 }, () => random.below(2 ** 32) | 0);
    const slots = indexKeys(words);
    const used = [...slots.keys()].filter((at) => slots[at] !== 0);
    for (let i = 0; i < 100; i++) slots[used[random.below(used.length)]] = random.below(2 ** 31) + 1;
    let hidden = 0;
    for (let i = 0; i < 1000; i++) if (findKey(slots, words, words[2 * i], words[2 * i + 1]) === 0) hidden++;
    expect(hidden).toBeGreaterThan(50);
    expect(hidden).toBeLessThanOrEqual(100);
  });

  it('is at most half full, of a power of two of slots', () => {
    for (const count of [0, 1, 15, 16, 17, 1000]) {
      const slots = emptySlots(count);
      expect(areSlotsOf(count, slots)).toBe(true);
      expect(slots.length).toBeGreaterThanOrEqual(2 * count);
    }
    expect(areSlotsOf(17, new Int32Array(32))).toBe(false);
    expect(areSlotsOf(3, new Int32Array(48))).toBe(false);
    expect(areSlotsOf(0, new Int32Array(0))).toBe(false);
  });
});
