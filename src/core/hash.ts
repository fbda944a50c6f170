/**
 * 64-bit keys. Every raw id is one: a whole number is its own two's complement, a text is the hash of its UTF-8 bytes.
 * Kept as two 32-bit halves, since JavaScript has no fast 64-bit integer.
 */
export interface KeyHalves {
  lo: number;
  hi: number;
}

/** murmur3's 32-bit finaliser: every input bit reaches every output bit. */
export function mix32(h: number): number {
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** Of a 64-bit key, for tables in memory: each half is mixed by itself, so that keys whose halves cancel out do not meet. `seed` joins several. */
export function hashKey(lo: number, hi: number, seed = 0): number {
  return mix32(mix32(lo ^ seed) ^ hi);
}

/**
 * Hashes `bytes[from .. to)` to 64 bits: two murmur3-style 32-bit lanes over the same bytes with different constants,
 * crossed at the end. Not for adversaries; a million distinct texts collide with probability 3e-8.
 *
 * @param out receives the halves, so that nothing is allocated
 */
export function hashBytes(bytes: Uint8Array, from: number, to: number, out: KeyHalves): void {
  let a = 0x9747b28c ^ (to - from);
  let b = 0x1b873593 ^ Math.imul(to - from, 0x9e3779b1);
  let i = from;
  for (; i + 4 <= to; i += 4) {
    const k = bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24);
    let ka = Math.imul(k, 0xcc9e2d51);
    ka = (ka << 15) | (ka >>> 17);
    a ^= Math.imul(ka, 0x1b873593);
    a = (a << 13) | (a >>> 19);
    a = (Math.imul(a, 5) + 0xe6546b64) | 0;
    let kb = Math.imul(k, 0x239b961b);
    kb = (kb << 16) | (kb >>> 16);
    b ^= Math.imul(kb, 0xab0e9789);
    b = (b << 19) | (b >>> 13);
    b = (Math.imul(b, 5) + 0x561ccd1b) | 0;
  }
  let tail = 0;
  for (let shift = 0; i < to; i++, shift += 8) tail |= bytes[i] << shift;
  a ^= Math.imul(tail, 0xcc9e2d51);
  b ^= Math.imul(tail, 0x38b34ae5);
  a = mix32(a);
  b = mix32(b);
  a = (a + b) | 0;
  b = (b + a) | 0;
  out.lo = a;
  out.hi = mix32(b);
}

/** Joins two keys into one that depends on their order: for crosses. */
export function joinKeys(lo1: number, hi1: number, lo2: number, hi2: number, out: KeyHalves): void {
  const a = mix32(Math.imul(lo1, 0x9e3779b1) ^ mix32(hi1 + 0x7f4a7c15));
  const b = mix32(Math.imul(lo2, 0x85ebca77) ^ mix32(hi2 + 0x165667b1));
  out.lo = mix32((Math.imul(a, 31) + b) | 0);
  out.hi = mix32((Math.imul(b, 0x27d4eb2f) + a) ^ out.lo);
}

/** The bucket of a key, in [0, buckets). Whole numbers next to each other land far apart. */
export function bucketOf(lo: number, hi: number, buckets: number): number {
  const h = mix32(lo ^ mix32(hi ^ 0x5bd1e995)) >>> 0;
  return Math.floor((h / 4294967296) * buckets);
}
