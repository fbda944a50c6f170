import { bucketOf } from '../core/hash.ts';
import { firstId, unknownId } from './fields.ts';
import { emptySlots, enterKey, findKey, indexKeys } from './keyIndex.ts';

export type VocabularyKind = 'listed' | 'hashed' | 'identity' | 'quantiles';

/** Turns raw 64-bit keys into the rows of an embedding table. */
export interface Vocabulary {
  readonly kind: VocabularyKind;
  /** Rows of the table, the two reserved ones included. */
  readonly rows: number;
  /** How often each row was seen in training; the reserved rows count what fell on them. */
  readonly counts: Float64Array;
  /** The keys in the order of their ids from `firstId` on, as pairs of halves; absent where keys are hashed. */
  readonly words?: Int32Array;
  /** The hash table of `words`, see `keyIndex.ts`: worth keeping where there are millions. */
  readonly slots?: Int32Array;
  /** @returns an id, `unknownId` for a key outside */
  lookup(lo: number, hi: number): number;
}

/** A map that numbers keys in the order they come: 1, 2, … */
export class KeyTable {
  size = 0;
  /** The keys in that order, as pairs of halves; longer than they are. */
  words: Int32Array;
  private slots: Int32Array;

  constructor(expected = 16) {
    this.slots = emptySlots(expected);
    this.words = new Int32Array(this.slots.length);
  }

  /** The value of a key, 0 if it has none. */
  get(lo: number, hi: number): number {
    return findKey(this.slots, this.words, lo, hi);
  }

  /** Gives a key that has none the next value; returns the value it has then. */
  add(lo: number, hi: number): number {
    const found = this.get(lo, hi);
    if (found !== 0) return found;
    if ((this.size + 1) * 2 > this.slots.length) this.grow();
    this.words[2 * this.size] = lo;
    this.words[2 * this.size + 1] = hi;
    this.size++;
    enterKey(this.slots, this.words, this.size);
    return this.size;
  }

  private grow(): void {
    this.slots = new Int32Array(this.slots.length * 2);
    const words = new Int32Array(this.slots.length);
    words.set(this.words);
    this.words = words;
    for (let value = 1; value <= this.size; value++) enterKey(this.slots, words, value);
  }
}

/**
 * A vocabulary of listed keys: `words[2i], words[2i+1]` has id `firstId + i`.
 *
 * @param slots as `indexKeys` makes them of these words
 */
export function listedVocabulary(words: Int32Array, counts: Float64Array, slots = indexKeys(words)): Vocabulary {
  return {
    kind: 'listed',
    rows: words.length / 2 + firstId,
    counts,
    words,
    slots,
    lookup(lo, hi) {
      const value = findKey(slots, words, lo, hi);
      return value === 0 ? unknownId : value - 1 + firstId;
    },
  };
}

/** A vocabulary that hashes keys into `buckets` rows. */
export function hashedVocabulary(buckets: number, counts: Float64Array): Vocabulary {
  return { kind: 'hashed', rows: buckets + firstId, counts, lookup: (lo, hi) => firstId + bucketOf(lo, hi, buckets) };
}

/** The vocabulary of whole numbers from 0 up to but not including `size`, each its own row. */
export function identityVocabulary(size: number, counts: Float64Array): Vocabulary {
  return {
    kind: 'identity',
    rows: size + firstId,
    counts,
    lookup: (lo, hi) => (hi === 0 && lo >= 0 && lo < size ? firstId + lo : unknownId),
  };
}

/** The vocabulary of a number's quantile buckets, whose keys are rows already. */
export function quantileVocabulary(counts: Float64Array): Vocabulary {
  return { kind: 'quantiles', rows: counts.length, counts, lookup: (lo) => lo };
}

/** Counts keys, then keeps the frequent ones. */
export class VocabularyCounter {
  missing = 0;
  private readonly table = new KeyTable();
  private counts = new Float64Array(16);

  add(lo: number, hi: number): void {
    const index = this.table.add(lo, hi) - 1;
    if (index === this.counts.length) {
      const counts = new Float64Array(this.counts.length * 2);
      counts.set(this.counts);
      this.counts = counts;
    }
    this.counts[index]++;
  }

  /** How many distinct keys were seen. */
  get distinct(): number {
    return this.table.size;
  }

  /** The keys seen at least `minCount` times, most frequent first, ties by key: the same whatever the order of rows. */
  finish(minCount: number): Vocabulary {
    const { counts } = this;
    const { words, size } = this.table;
    const kept: number[] = [];
    let rare = 0;
    for (let i = 0; i < size; i++) {
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
