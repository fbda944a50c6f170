import type { Random } from '../../src/core/random.ts';

/** Draws an index with probability proportional to its weight, in constant time. */
export type Sampler = (random: Random) => number;

/** Walker's alias method: `n` buckets of equal size, each shared by at most two indices. */
export function weightedSampler(weights: ArrayLike<number>): Sampler {
  const n = weights.length;
  let total = 0;
  for (let i = 0; i < n; i++) total += weights[i];
  const share = new Float64Array(n);
  const alias = new Int32Array(n);
  const small: number[] = [];
  const large: number[] = [];
  for (let i = 0; i < n; i++) {
    share[i] = (weights[i] * n) / total;
    alias[i] = i;
    (share[i] < 1 ? small : large).push(i);
  }
  while (small.length > 0 && large.length > 0) {
    const under = small.pop()!;
    const over = large[large.length - 1];
    alias[under] = over;
    share[over] -= 1 - share[under];
    if (share[over] < 1) small.push(large.pop()!);
  }
  // What rounding leaves in either list is a full bucket.
  for (const i of small) share[i] = 1;
  for (const i of large) share[i] = 1;
  return (random) => {
    const u = random.next() * n;
    const i = Math.floor(u);
    return u - i < share[i] ? i : alias[i];
  };
}

/**
 * A `rows` × `columns` table of normal draws whose row and column means are 0, scaled to standard deviation `size`: a
 * cross of two fields with no main effect of either (over uniform fields).
 */
export function crossTable(rows: number, columns: number, size: number, random: Random): Float64Array {
  const table = new Float64Array(rows * columns);
  for (let i = 0; i < table.length; i++) table[i] = random.normal();
  for (let r = 0; r < rows; r++) {
    let mean = 0;
    for (let c = 0; c < columns; c++) mean += table[r * columns + c] / columns;
    for (let c = 0; c < columns; c++) table[r * columns + c] -= mean;
  }
  for (let c = 0; c < columns; c++) {
    let mean = 0;
    for (let r = 0; r < rows; r++) mean += table[r * columns + c] / rows;
    for (let r = 0; r < rows; r++) table[r * columns + c] -= mean;
  }
  let variance = 0;
  for (let i = 0; i < table.length; i++) variance += (table[i] * table[i]) / table.length;
  const scale = size / Math.sqrt(variance);
  for (let i = 0; i < table.length; i++) table[i] *= scale;
  return table;
}

/** `count` rows of normal draws, each scaled to length 1. */
export function unitVectors(count: number, size: number, random: Random): Float64Array {
  const vectors = new Float64Array(count * size);
  for (let i = 0; i < vectors.length; i++) vectors[i] = random.normal();
  for (let r = 0; r < count; r++) {
    let square = 0;
    for (let k = 0; k < size; k++) square += vectors[r * size + k] * vectors[r * size + k];
    for (let k = 0; k < size; k++) vectors[r * size + k] /= Math.sqrt(square);
  }
  return vectors;
}

/** An index drawn from a short list of weights that sum to 1. */
export function pick(shares: readonly number[], random: Random): number {
  let u = random.next();
  for (let i = 0; i < shares.length - 1; i++) {
    u -= shares[i];
    if (u < 0) return i;
  }
  return shares.length - 1;
}

/** `values` shifted and scaled to mean 0 and standard deviation 1. */
export function standardize(values: Float64Array): Float64Array {
  let mean = 0;
  for (let i = 0; i < values.length; i++) mean += values[i] / values.length;
  let variance = 0;
  for (let i = 0; i < values.length; i++) variance += ((values[i] - mean) * (values[i] - mean)) / values.length;
  const scale = variance > 0 ? 1 / Math.sqrt(variance) : 0;
  return values.map((value) => (value - mean) * scale);
}
