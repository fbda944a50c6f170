import type { Column, TextColumn } from '../schema/columns.ts';

/** Rows `from .. to` of a column, as views of the same memory. */
export function sliceColumn<C extends Column>(column: C, from: number, to: number): C;
export function sliceColumn(column: Column, from: number, to: number): Column {
  const rowCount = to - from;
  const valid = column.valid?.subarray(from, to);
  switch (column.type) {
    case 'integer':
      return { ...column, rowCount, values: column.values.subarray(from, to), valid };
    case 'number':
      return { ...column, rowCount, values: column.values.subarray(from, to), valid };
    case 'list':
      return { ...column, rowCount, offsets: column.offsets.subarray(from, to + 1), valid };
    case 'text':
      // A dictionary's offsets belong to its entries, not to rows.
      if (column.indices) return { ...column, rowCount, indices: column.indices.subarray(from, to), valid };
      return { ...column, rowCount, offsets: column.offsets.subarray(from, to + 1), valid };
  }
}

/** Text without a dictionary: each row its own bytes, starting at 0. Nulls become empty. */
export function plainText(column: TextColumn): { offsets: Int32Array; bytes: Uint8Array } {
  const { indices, offsets, bytes, rowCount, valid } = column;
  if (!indices) {
    const [from] = offsets;
    if (from === 0) return { offsets, bytes: bytes.subarray(0, offsets[rowCount]) };
    return { offsets: offsets.map((offset) => offset - from), bytes: bytes.subarray(from, offsets[rowCount]) };
  }
  const rows = new Int32Array(rowCount + 1);
  for (let row = 0; row < rowCount; row++) {
    const entry = indices[row];
    rows[row + 1] = rows[row] + (valid?.[row] === 0 ? 0 : offsets[entry + 1] - offsets[entry]);
  }
  const text = new Uint8Array(rows[rowCount]);
  for (let row = 0; row < rowCount; row++) {
    let to = rows[row];
    const end = rows[row + 1];
    // Entries are short: a loop beats `set` with a subarray.
    for (let at = offsets[indices[row]]; to < end; ) text[to++] = bytes[at++];
  }
  return { offsets: rows, bytes: text };
}
