import { mix32 } from '../core/hash.ts';

/*
 * A hash table over keys that lie elsewhere: `words[2i], words[2i + 1]` are the halves of key i, whose value is i + 1. Open addressing with
 * linear probing, at most half full, of a power of two of slots. A slot is 0 where empty; else its low bits, as many as count the slots, are
 * the value, and the others are the hash's, so that a probe of another key's slot seldom has to look at that key.
 */

const hashOf = (lo: number, hi: number) => mix32(lo ^ Math.imul(hi, 0x9e3779b1));

/** Slots for so many keys, all empty. */
export function emptySlots(keys: number): Int32Array {
  let slots = 32;
  while (slots < keys * 2) slots *= 2;
  return new Int32Array(slots);
}

/** Whether numbers can be the slots of so many keys; what they hold need not be right (see `findKey`). */
export function areSlotsOf(keys: number, slots: Int32Array): boolean {
  return slots.length >= 32 && slots.length >= keys * 2 && Number.isInteger(Math.log2(slots.length));
}

/**
 * The value of a key, 0 if it has none. Whatever the slots hold, the value is that of this very key, and the search ends: a slot is believed
 * only where it leads to the key. A wrong slot can hide a key, no more.
 */
export function findKey(slots: Int32Array, words: Int32Array, lo: number, hi: number): number {
  const mask = slots.length - 1;
  const hash = hashOf(lo, hi);
  for (let at = hash & mask, left = slots.length; left > 0; at = (at + 1) & mask, left--) {
    const slot = slots[at];
    if (slot === 0) return 0;
    if (((slot ^ hash) & ~mask) !== 0) continue;
    const value = slot & mask;
    // Beyond the keys there is nothing to read and nothing is equal to it.
    if (words[2 * value - 2] === lo && words[2 * value - 1] === hi) return value;
  }
  return 0;
}

/** Enters key `value − 1`, which must not be in the table yet. */
export function enterKey(slots: Int32Array, words: Int32Array, value: number): void {
  const mask = slots.length - 1;
  const hash = hashOf(words[2 * value - 2], words[2 * value - 1]);
  let at = hash & mask;
  while (slots[at] !== 0) at = (at + 1) & mask;
  slots[at] = (hash & ~mask) | value;
}

/**
 * The slots of all keys of `words`.
 *
 * @param onDuplicate called with a key's index where an earlier one is the same, which then is the one to be found
 */
export function indexKeys(words: Int32Array, onDuplicate: (index: number) => void = () => {}): Int32Array {
  const keys = words.length / 2;
  const slots = emptySlots(keys);
  for (let i = 0; i < keys; i++) {
    if (findKey(slots, words, words[2 * i], words[2 * i + 1]) === 0) enterKey(slots, words, i + 1);
    else onDuplicate(i);
  }
  return slots;
}
