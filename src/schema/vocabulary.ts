import { bucketOf, mix32 } from '../core/hash.ts';
import { firstId, unknownId } from './fields.ts';

/** Turns raw 64-bit keys into the rows of an embedding table. */
export interface Vocabulary {
  /** Rows of the table, the two reserved ones included. */
  readonly rows: number;
  /** How often each row was seen in training; the reserved rows count what fell on them. */
  readonly counts: Float64Array;
  /** The keys in the order of their ids from `firstId` on, as pairs of halves; absent where keys are hashed. */
  readonly words?: Int32Array;
  /** @returns an id, `unknownId` for a key outside */
  lookup(lo: number, hi: number): number;
}

/** Open addressing with linear probing, at most half full; value 0 marks an empty slot. */
export class KeyTable {
  size = 0;
  private mask: number;
  private slots: Int32Array; // lo, hi, value

  constructor(expected = 16) {
    let capacity = 32;
    while (capacity < expected * 2) capacity *= 2;
    this.mask = capacity - 1;
    this.slots = new Int32Array(capacity * 3);
  }

  /** The value of a key, 0 if it has none. */
  get(lo: number, hi: number): number {
    const { slots, mask } = this;
    let slot = mix32(lo ^ Math.imul(hi, 0x9e3779b1)) & mask;
    for (;;) {
      const at = slot * 3;
      const value = slots[at + 2];
      if (value === 0 || (slots[at] === lo && slots[at + 1] === hi)) return value;
      slot = (slot + 1) & mask;
    }
  }

  /** Gives a key that has none the next value (1, 2, …); returns the value it has then. */
  add(lo: number, hi: number): number {
    const found = this.get(lo, hi);
    if (found !== 0) return found;
    if ((this.size + 1) * 2 > this.mask) this.grow();
    this.size++;
    this.put(lo, hi, this.size);
    return this.size;
  }

  private put(lo: number, hi: number, value: number): void {
    const { slots, mask } = this;
    let slot = mix32(lo ^ Math.imul(hi, 0x9e3779b1)) & mask;
    while (slots[slot * 3 + 2] !== 0) slot = (slot + 1) & mask;
    slots[slot * 3] = lo;
    slots[slot * 3 + 1] = hi;
    slots[slot * 3 + 2] = value;
  }

  private grow(): void {
    const old = this.slots;
    this.mask = this.mask * 2 + 1;
    this.slots = new Int32Array((this.mask + 1) * 3);
    for (let at = 0; at < old.length; at += 3) if (old[at + 2] !== 0) this.put(old[at], old[at + 1], old[at + 2]);
  }
}

/** A vocabulary of listed keys: `words[2i], words[2i+1]` has id `firstId + i`. */
export function listedVocabulary(words: Int32Array, counts: Float64Array): Vocabulary {
  const table = new KeyTable(words.length / 2);
  for (let i = 0; i < words.length; i += 2) table.add(words[i], words[i + 1]);
  return {
    rows: words.length / 2 + firstId,
    counts,
    words,
    lookup(lo, hi) {
      const found = table.get(lo, hi);
      return found === 0 ? unknownId : found - 1 + firstId;
    },
  };
}

/** A vocabulary that hashes keys into `buckets` rows. */
export function hashedVocabulary(buckets: number, counts: Float64Array): Vocabulary {
  return { rows: buckets + firstId, counts, lookup: (lo, hi) => firstId + bucketOf(lo, hi, buckets) };
}

/** Counts keys, then keeps the frequent ones. */
export class VocabularyCounter {
  missing = 0;
  private readonly table = new KeyTable();
  private words = new Int32Array(32);
  private counts = new Float64Array(16);

  add(lo: number, hi: number): void {
    const index = this.table.add(lo, hi) - 1;
    if (index === this.counts.length) {
      const words = new Int32Array(this.words.length * 2);
      words.set(this.words);
      this.words = words;
      const counts = new Float64Array(this.counts.length * 2);
      counts.set(this.counts);
      this.counts = counts;
    }
    if (this.counts[index]++ === 0) {
      this.words[2 * index] = lo;
      this.words[2 * index + 1] = hi;
    }
  }

  /** How many distinct keys were seen. */
  get distinct(): number {
    return this.table.size;
  }

  /** The keys seen at least `minCount` times, most frequent first, ties by key: the same whatever the order of rows. */
  finish(minCount: number): Vocabulary {
    const { counts, words } = this;
    const kept: number[] = [];
    let rare = 0;
    for (let i = 0; i < this.table.size; i++) {
      if (counts[i] >= minCount) kept.push(i);
      else rare += counts[i];
    }
    kept.sort(
      (a, b) =>
        counts[b] - counts[a] || words[2 * a + 1] - words[2 * b + 1] || (words[2 * a] >>> 0) - (words[2 * b] >>> 0),
    );
    const keptWords = new Int32Array(kept.length * 2);
    const keptCounts = new Float64Array(kept.length + firstId);
    keptCounts[0] = this.missing;
    keptCounts[unknownId] = rare;
    kept.forEach((index, i) => {
      keptWords[2 * i] = words[2 * index];
      keptWords[2 * i + 1] = words[2 * index + 1];
      keptCounts[firstId + i] = counts[index];
    });
    return listedVocabulary(keptWords, keptCounts);
  }
}
