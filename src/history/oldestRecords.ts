import type { Records } from './records.ts';

/**
 * The `share` of some slots' records that are longest without an impression; among those of one time, in order of their keys, so that it
 * does not matter where they lie. Looks at each some five times: to sort a million takes most of a second.
 */
export function oldestRecords(records: Records, slots: Int32Array, share: number): Int32Array {
  const { keys } = records;
  const oldest = new Int32Array(share);
  let count = 0;
  let left = slots;
  const orders = [
    (slot: number) => records.lastMs(slot),
    (slot: number) => keys[4 * slot + 2],
    (slot: number) => keys[4 * slot + 1],
  ];
  for (const orderOf of orders) {
    const values = new Float64Array(left.length);
    for (let i = 0; i < left.length; i++) values[i] = orderOf(left[i]);
    const last = nthLeast(values.slice(), share - count - 1);
    const equal = new Int32Array(left.length);
    let equalCount = 0;
    for (let i = 0; i < left.length; i++) {
      if (values[i] < last) oldest[count++] = left[i];
      else if (values[i] === last) equal[equalCount++] = left[i];
    }
    left = equal.subarray(0, equalCount);
    if (count + equalCount === share) break;
  }
  oldest.set(left.subarray(0, share - count), count);
  return oldest;
}

/** Hoare's selection: the value that would be at `n` if they were sorted, which they are in part afterwards. */
function nthLeast(values: Float64Array, n: number): number {
  let from = 0;
  let to = values.length - 1;
  while (from < to) {
    const pivot = values[(from + to) >>> 1];
    let [i, j] = [from, to];
    while (i <= j) {
      while (values[i] < pivot) i++;
      while (values[j] > pivot) j--;
      if (i > j) break;
      const value = values[i];
      values[i++] = values[j];
      values[j--] = value;
    }
    if (n <= j) to = j;
    else if (n >= i) from = i;
    else break;
  }
  return values[n];
}
