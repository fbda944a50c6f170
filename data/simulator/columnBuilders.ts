import type { Column, IntegerColumn, ListColumn, NumberColumn, TextColumn } from '../../src/schema/columns.ts';

/** A column of whole numbers. */
export function integers(
  values: Int32Array | BigInt64Array,
  valid?: Uint8Array,
  meaning?: IntegerColumn['meaning'],
): IntegerColumn {
  return { type: 'integer', rowCount: values.length, values, valid, meaning };
}

/** A column of floating-point numbers. */
export function numbers(values: Float32Array | Float64Array, valid?: Uint8Array): NumberColumn {
  return { type: 'number', rowCount: values.length, values, valid };
}

/** A text column with a dictionary: row `r` is `entries[indices[r]]`. */
export function texts(entries: readonly string[], indices: Int32Array, valid?: Uint8Array): TextColumn {
  const encoder = new TextEncoder();
  const parts = entries.map((entry) => encoder.encode(entry));
  const offsets = new Int32Array(entries.length + 1);
  for (let i = 0; i < parts.length; i++) offsets[i + 1] = offsets[i] + parts[i].length;
  const bytes = new Uint8Array(offsets[parts.length]);
  for (let i = 0; i < parts.length; i++) bytes.set(parts[i], offsets[i]);
  return { type: 'text', rowCount: indices.length, offsets, bytes, indices, valid };
}

/** A column of lists. @param items makes their items, all in a row, a column */
export function lists(all: readonly (readonly number[])[], items: (all: Int32Array) => ListColumn['items']): Column {
  const offsets = new Int32Array(all.length + 1);
  all.forEach((list, r) => {
    offsets[r + 1] = offsets[r] + list.length;
  });
  return { type: 'list', rowCount: all.length, offsets, items: items(Int32Array.from(all.flat())) };
}

/** A column of lists that are all `length` long, given row after row; a null's items are left out. */
export function vectors(items: Float32Array, length: number, valid: Uint8Array): Column {
  const rowCount = valid.length;
  const offsets = new Int32Array(rowCount + 1);
  const kept = new Float32Array(items.length);
  for (let r = 0; r < rowCount; r++) {
    offsets[r + 1] = offsets[r];
    if (!valid[r]) continue;
    kept.set(items.subarray(r * length, (r + 1) * length), offsets[r]);
    offsets[r + 1] += length;
  }
  return { type: 'list', rowCount, offsets, items: numbers(kept.slice(0, offsets[rowCount])), valid };
}

/** Rows `rows[0], rows[1], …` of a column, which may repeat: how a user's or an ad's attributes get into the log. */
export function gather(column: Column, rows: Int32Array): Column {
  const valid = column.valid && gatherValid(column.valid, rows);
  const rowCount = rows.length;
  if (column.type === 'list') {
    const { offsets, items } = gatherLists(column.offsets, column.items, rows);
    return { type: 'list', rowCount, offsets, items, valid };
  }
  if (column.type === 'text') {
    const indices = new Int32Array(rowCount);
    for (let i = 0; i < rowCount; i++) indices[i] = column.indices ? column.indices[rows[i]] : rows[i];
    return { ...column, rowCount, indices, valid };
  }
  const values = gatherValues(column.values, rows);
  return { ...column, rowCount, values, valid } as Column;
}

function gatherValid(valid: Uint8Array, rows: Int32Array): Uint8Array {
  const out = new Uint8Array(rows.length);
  for (let i = 0; i < rows.length; i++) out[i] = valid[rows[i]];
  return out;
}

function gatherValues(values: IntegerColumn['values'] | NumberColumn['values'], rows: Int32Array) {
  if (values instanceof BigInt64Array) {
    const out = new BigInt64Array(rows.length);
    for (let i = 0; i < rows.length; i++) out[i] = values[rows[i]];
    return out;
  }
  const out =
    values instanceof Int32Array
      ? new Int32Array(rows.length)
      : values instanceof Float32Array
        ? new Float32Array(rows.length)
        : new Float64Array(rows.length);
  for (let i = 0; i < rows.length; i++) out[i] = values[rows[i]];
  return out;
}

function gatherLists(from: Int32Array, items: ListColumn['items'], rows: Int32Array) {
  const offsets = new Int32Array(rows.length + 1);
  for (let i = 0; i < rows.length; i++) offsets[i + 1] = offsets[i] + from[rows[i] + 1] - from[rows[i]];
  const itemRows = new Int32Array(offsets[rows.length]);
  for (let i = 0, k = 0; i < rows.length; i++) {
    for (let item = from[rows[i]]; item < from[rows[i] + 1]; item++) itemRows[k++] = item;
  }
  return { offsets, items: gather(items, itemRows) as ListColumn['items'] };
}
