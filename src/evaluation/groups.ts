import { mix32 } from '../core/hash.ts';
import { checkLengths } from './rows.ts';

/**
 * Numbers 64-bit keys 0, 1, 2, … in the order of their first row: two rows share a number exactly when they share a key.
 *
 * @param lo, hi the two 32-bit halves of each row's key
 */
export function denseGroups(lo: Int32Array, hi: Int32Array): Int32Array {
  const rows = lo.length;
  checkLengths(rows, { hi });
  const groups = new Int32Array(rows);
  // Open addressing over the first row of each group; at most half full.
  let slots = 16;
  while (slots < rows * 2) slots *= 2;
  const table = new Int32Array(slots).fill(-1);
  let count = 0;
  for (let i = 0; i < rows; i++) {
    let slot = mix32(lo[i] ^ mix32(hi[i] ^ 0x2545f491)) & (slots - 1);
    let first = table[slot];
    while (first >= 0 && (lo[first] !== lo[i] || hi[first] !== hi[i])) {
      slot = (slot + 1) & (slots - 1);
      first = table[slot];
    }
    if (first < 0) {
      table[slot] = i;
      groups[i] = count++;
    } else {
      groups[i] = groups[first];
    }
  }
  return groups;
}

/** One more than the largest group; 0 where there is none. A negative group means "in no group". */
export function groupCount(groups: Int32Array): number {
  let largest = -1;
  for (let i = 0; i < groups.length; i++) if (groups[i] > largest) largest = groups[i];
  return largest + 1;
}

/**
 * Gathers rows by group, keeping their order within a group (a counting sort).
 *
 * @param order the rows to gather; those with a negative group are left out
 * @returns `rows`, and `starts` such that group g is `rows[starts[g] .. starts[g + 1])`
 */
export function rowsByGroup(order: Uint32Array, groups: Int32Array): { rows: Uint32Array; starts: Uint32Array } {
  const count = groupCount(groups);
  const starts = new Uint32Array(count + 1);
  for (let i = 0; i < order.length; i++) if (groups[order[i]] >= 0) starts[groups[order[i]] + 1]++;
  for (let g = 0; g < count; g++) starts[g + 1] += starts[g];
  const rows = new Uint32Array(starts[count]);
  const next = starts.slice();
  for (let i = 0; i < order.length; i++) {
    const g = groups[order[i]];
    if (g >= 0) rows[next[g]++] = order[i];
  }
  return { rows, starts };
}

/**
 * The half a user belongs to, by hash: calibration is fitted on half 0 and reported on half 1, so that no user is in both.
 * Its salt differs from that of `bucketOf`, so the halves say nothing about hashing buckets.
 */
export function halfOf(userLo: number, userHi: number): 0 | 1 {
  return (mix32(userLo ^ mix32(userHi ^ 0x3c6ef372) ^ 0x1b56c4e9) >>> 31) as 0 | 1;
}
