import type { EncodedColumn } from '../schema/encoded.ts';
import type { DistinctKeys } from './distinctKeys.ts';

/**
 * What requests read of a row side by side, [rows, width]: candidates are anywhere, and one read from memory brings all of one's. Each map
 * says which of the `width` numbers is a field's.
 */
export interface PackedRows {
  readonly width: number;
  readonly words: Int32Array;
  /** Of kind `id`. */
  readonly ids: ReadonlyMap<string, number>;
  /** Of kind `ids`: where its list begins; the next number is where it ends. */
  readonly lists: ReadonlyMap<string, number>;
  /** Which of its few values a row has, see `DistinctKeys`. */
  readonly places: ReadonlyMap<string, number>;
}

export function packRows(
  columns: ReadonlyMap<string, EncodedColumn>,
  distinct: ReadonlyMap<string, DistinctKeys>,
  rowCount: number,
): PackedRows {
  const parts: ArrayLike<number>[] = [];
  const [ids, lists, places] = [new Map<string, number>(), new Map<string, number>(), new Map<string, number>()];
  const add = (to: Map<string, number>, name: string, ...more: ArrayLike<number>[]) => {
    to.set(name, parts.length);
    parts.push(...more);
  };
  for (const [name, column] of columns) {
    if (column.kind === 'id') add(ids, name, column.ids);
    else if (column.kind === 'ids') add(lists, name, column.offsets, column.offsets.subarray(1));
  }
  for (const [name, values] of distinct) add(places, name, values.places);
  const width = parts.length;
  const words = new Int32Array(rowCount * width);
  parts.forEach((part, f) => {
    for (let row = 0, to = f; row < rowCount; row++, to += width) words[to] = part[row];
  });
  return { width, words, ids, lists, places };
}
