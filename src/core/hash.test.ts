import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bucketOf, hashBytes, hashKey, joinKeys, type KeyHalves } from './hash.ts';
import { createRandom } from './random.ts';

const hashOf = (bytes: Uint8Array, from = 0, to = bytes.length) => {
  const key: KeyHalves = { lo: 0, hi: 0 };
  hashBytes(bytes, from, to, key);
  return `${key.lo},${key.hi}`;
};

describe('hashBytes', () => {
  it('depends on the bytes alone, not on where they lie', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array({ maxLength: 9 }), (bytes, before) => {
        const moved = Uint8Array.of(...before, ...bytes, 1, 2, 3);
        expect(hashOf(moved, before.length, before.length + bytes.length)).toBe(hashOf(bytes));
      }),
    );
  });

  it('never changes: a bundle’s vocabularies are keyed by it', () => {
    const golden = JSON.parse(readFileSync(new URL('golden/hash.json', import.meta.url), 'utf8'));
    for (const [text, expected] of Object.entries(golden)) {
      const key: KeyHalves = { lo: 0, hi: 0 };
      const bytes = new TextEncoder().encode(text);
      hashBytes(bytes, 0, bytes.length, key);
      expect(((BigInt(key.hi >>> 0) << 32n) | BigInt(key.lo >>> 0)).toString(), text).toBe(expected);
    }
  });

  it('tells texts apart that differ in one byte, in length, or in trailing zeros', () => {
    const seen = new Set<string>();
    let texts = 0;
    const add = (bytes: Uint8Array) => {
      seen.add(hashOf(bytes));
      texts++;
    };
    for (let length = 0; length < 12; length++) {
      add(new Uint8Array(length));
      for (let at = 0; at < length; at++)
        for (let value = 1; value < 256; value += 3) add(new Uint8Array(length).fill(value, at, at + 1));
    }
    for (let i = 0; i < 100_000; i++) add(new TextEncoder().encode(`user${i}`));
    expect(seen.size).toBe(texts);
  });

  it('fills both halves evenly', () => {
    const cells = new Array(256).fill(0);
    const high = new Array(256).fill(0);
    const key: KeyHalves = { lo: 0, hi: 0 };
    for (let i = 0; i < 51_200; i++) {
      const bytes = new TextEncoder().encode(String(i));
      hashBytes(bytes, 0, bytes.length, key);
      cells[key.lo & 255]++;
      high[key.hi >>> 24]++;
    }
    // χ² with 255 degrees of freedom: above 350 with probability 1e-4.
    for (const counts of [cells, high])
      expect(counts.reduce((sum, n) => sum + (n - 200) ** 2 / 200, 0)).toBeLessThan(350);
  });
});

describe('joinKeys', () => {
  it('depends on the order and on every half', () => {
    const join = (a: number, b: number, c: number, d: number) => {
      const key: KeyHalves = { lo: 0, hi: 0 };
      joinKeys(a, b, c, d, key);
      return `${key.lo},${key.hi}`;
    };
    expect(join(1, 2, 3, 4)).not.toBe(join(3, 4, 1, 2));
    const keys = new Set<string>();
    for (let a = 0; a < 20; a++)
      for (let b = 0; b < 5; b++) for (let c = 0; c < 20; c++) for (let d = 0; d < 5; d++) keys.add(join(a, b, c, d));
    expect(keys.size).toBe(10_000);
  });

  it('joins a million pairs of small ids without a collision', () => {
    const key: KeyHalves = { lo: 0, hi: 0 };
    const joined = new BigInt64Array(1_000_000);
    for (let i = 0; i < 1_000_000; i++) {
      joinKeys(i % 1000, 0, Math.floor(i / 1000), 0, key);
      joined[i] = (BigInt(key.hi) << 32n) | BigInt(key.lo >>> 0);
    }
    joined.sort();
    let twins = 0;
    for (let i = 1; i < joined.length; i++) if (joined[i] === joined[i - 1]) twins++;
    expect(twins).toBe(0);
  });
});

describe('bucketOf', () => {
  it('stays below the number of buckets', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer(), fc.integer({ min: 1, max: 2 ** 30 }), (lo, hi, buckets) => {
        const bucket = bucketOf(lo, hi, buckets);
        expect(Number.isInteger(bucket) && bucket >= 0 && bucket < buckets).toBe(true);
      }),
    );
  });

  it('spreads whole numbers next to each other evenly', () => {
    const counts = new Array(97).fill(0);
    const first = createRandom(1).below(1e6);
    for (let id = first; id < first + 97_000; id++) counts[bucketOf(id, 0, 97)]++;
    // χ² with 96 degrees of freedom: above 157 with probability 1e-4.
    expect(counts.reduce((sum, n) => sum + (n - 1000) ** 2 / 1000, 0)).toBeLessThan(157);
  });
});

describe('hashKey', () => {
  it('tells keys apart whose halves cancel out, or go up together', () => {
    for (const factor of [0, 1, 31, 0x7feb352d, 0x85ebca6b, 0x9e3779b1]) {
      const buckets = new Set<number>();
      for (let i = 0; i < 10_000; i++) buckets.add(hashKey(Math.imul(i, factor), i) & 0xffff);
      // Of 10,000 balls in 65,536 bins, 9,280 are expected to have a bin of their own or be its first.
      expect(buckets.size, `factor ${factor}`).toBeGreaterThan(9000);
    }
  });
});
