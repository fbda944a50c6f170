import { hashKey, mix32 } from '../core/hash.ts';
import type { Keys } from '../schema/keys.ts';

/** Which rows of a catalog are alike in some of its keys. */
export interface KeyNumbers {
  /** By row: the number of its keys, counted in the order they are first met. */
  readonly numbers: Int32Array;
  readonly count: number;
}

/** Numbers the distinct keys of a catalog: what is kept by these is kept once, however many rows (ads of a topic, say) have them. */
export function numberKeys(keys: readonly Keys[], rowCount: number): KeyNumbers {
  const numbers = new Int32Array(rowCount);
  const table = new Int32Array(2 ** Math.ceil(Math.log2(2 * rowCount + 2))).fill(-1);
  const mask = table.length - 1;
  let count = 0;
  for (let row = 0; row < rowCount; row++) {
    let at = hashOf(keys, row) & mask;
    while (table[at] >= 0 && !areAlike(keys, table[at], row)) at = (at + 1) & mask;
    if (table[at] >= 0) numbers[row] = numbers[table[at]];
    else {
      table[at] = row;
      numbers[row] = count++;
    }
  }
  return { numbers, count };
}

const has = ({ valid }: Keys, row: number) => valid === undefined || valid[row] !== 0;

function hashOf(keys: readonly Keys[], row: number): number {
  let hash = 0;
  for (const key of keys)
    if (has(key, row)) hash = hashKey(key.words[2 * row], key.words[2 * row + 1], hash);
    else hash = mix32(hash + 1);
  return hash;
}

function areAlike(keys: readonly Keys[], a: number, b: number): boolean {
  return keys.every((key) => {
    if (!has(key, a) || !has(key, b)) return has(key, a) === has(key, b);
    return key.words[2 * a] === key.words[2 * b] && key.words[2 * a + 1] === key.words[2 * b + 1];
  });
}
