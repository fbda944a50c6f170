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
  /** Of kind `ids`. */
  readonly lists: ReadonlyMap<string, PackedList>;
  /** Which of its few values a row has, see `DistinctKeys`. */
  readonly places: ReadonlyMap<string, number>;
  /** How many of the `width` come before the items of lists. */
  readonly itemsFrom: number;
}

/** Where a row has a list. */
export interface PackedList {
  /** Its length, and right after that where it begins in the column. */
  readonly at: number;
  /** Its items; absent where some lists are much longer than others, so that the column alone has them. */
  readonly items?: number;
}

/** How much more room the items of lists may take in rows than in a column. */
const mostRoom = 2;

export function packRows(
  columns: ReadonlyMap<string, EncodedColumn>,
  distinct: ReadonlyMap<string, DistinctKeys>,
  rowCount: number,
): PackedRows {
  const parts: ArrayLike<number>[] = [];
  const [ids, lists, places] = [new Map<string, number>(), new Map<string, PackedList>(), new Map<string, number>()];
  const listed = [...columns].flatMap(([name, column]) => (column.kind === 'ids' ? [{ name, ...column }] : []));
  for (const [name, column] of columns) if (column.kind === 'id') ids.set(name, parts.push(column.ids) - 1);
  for (const [name, values] of distinct) places.set(name, parts.push(values.places) - 1);
  const itemsFrom = parts.length + 2 * listed.length;
  let width = itemsFrom;
  for (const { name, offsets, ids: items } of listed) {
    const lengths = offsets.subarray(1).map((end, row) => end - offsets[row]);
    const most = lengths.reduce((longest, length) => Math.max(longest, length), 0);
    const at = parts.push(lengths, offsets) - 2;
    const isWhole = most * rowCount <= mostRoom * items.length;
    lists.set(name, { at, ...(isWhole && { items: width }) });
    if (isWhole) width += most;
  }
  const words = new Int32Array(rowCount * width);
  parts.forEach((part, f) => {
    for (let row = 0, to = f; row < rowCount; row++, to += width) words[to] = part[row];
  });
  for (const { name, offsets, ids: items } of listed) {
    const first = lists.get(name)?.items;
    if (first === undefined) continue;
    for (let row = 0; row < rowCount; row++)
      for (let from = offsets[row], to = row * width + first; from < offsets[row + 1]; ) words[to++] = items[from++];
  }
  return { width, words, ids, lists, places, itemsFrom };
}
