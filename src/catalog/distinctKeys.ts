import type { Keys } from '../schema/keys.ts';
import { KeyTable } from '../schema/vocabulary.ts';

/** A column's values, each once, and which of them each row has. */
export interface DistinctKeys {
  readonly keys: Keys;
  /** [rows] */
  readonly places: Uint16Array;
}

/** Beyond so many, a request has fewer rows than the column has values. */
const most = 4096;

/** @returns undefined for lists, and for more values than are worth telling apart */
export function distinctKeys({ rowCount, words, valid, offsets }: Keys): DistinctKeys | undefined {
  if (offsets !== undefined) return undefined;
  const table = new KeyTable();
  const places = new Uint16Array(rowCount);
  for (let row = 0; row < rowCount; row++) {
    // No value is the first of all.
    if (valid?.[row] === 0) continue;
    places[row] = table.add(words[2 * row], words[2 * row + 1]);
    if (table.size > most) return undefined;
  }
  const count = 1 + table.size;
  const distinct = new Int32Array(2 * count);
  distinct.set(table.words.subarray(0, 2 * table.size), 2);
  return { keys: { rowCount: count, words: distinct, valid: new Uint8Array(count).fill(1, 1) }, places };
}
