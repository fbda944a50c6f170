import type { Column, ColumnBatch, ListColumn } from './columns.ts';

/** The given rows of a batch, in the order given. */
export function selectRows(batch: ColumnBatch, rows: Int32Array): ColumnBatch {
  const columns = new Map<string, Column>();
  for (const [name, column] of batch.columns) columns.set(name, takeRows(column, rows));
  const origin = batch.origin && { ...batch.origin, rows: originalRows(batch.origin.rows, rows) };
  return { rowCount: rows.length, columns, origin };
}

function originalRows(before: Int32Array | undefined, rows: Int32Array): Int32Array {
  return before === undefined ? rows : rows.map((row) => before[row]);
}

/**
 * Chosen rows of a column, in the order given; -1 makes a null. Text is not copied: it becomes indices into the same
 * bytes.
 */
export function takeRows(column: Column, rows: Int32Array): Column {
  const rowCount = rows.length;
  const valid = takeValidity(column, rows);
  switch (column.type) {
    case 'integer':
      return { ...column, rowCount, values: takeNumbers(column.values, rows), valid };
    case 'number':
      return { ...column, rowCount, values: takeNumbers(column.values, rows), valid };
    case 'text': {
      const { indices } = column;
      const entries = indices ? rows.map((row) => (row < 0 ? 0 : indices[row])) : rows.map((row) => Math.max(0, row));
      // Index 0 must be an entry, also of a column without rows.
      const offsets = column.offsets.length > 1 ? column.offsets : new Int32Array(2);
      return { ...column, rowCount, offsets, indices: entries, valid };
    }
    case 'list':
      return { ...column, rowCount, ...takeLists(column, rows), valid };
  }
}

function takeValidity(column: Column, rows: Int32Array): Uint8Array | undefined {
  const taken = new Uint8Array(rows.length);
  let count = 0;
  for (let i = 0; i < rows.length; i++) {
    count += taken[i] = rows[i] >= 0 && column.valid?.[rows[i]] !== 0 ? 1 : 0;
  }
  return count === rows.length ? undefined : taken;
}

function takeNumbers<T extends Int32Array | BigInt64Array | Float32Array | Float64Array>(
  values: T,
  rows: Int32Array,
): T {
  const taken = new (values.constructor as new (length: number) => T)(rows.length);
  for (let i = 0; i < rows.length; i++) if (rows[i] >= 0) taken[i] = values[rows[i]];
  return taken;
}

function takeLists(column: ListColumn, rows: Int32Array): Pick<ListColumn, 'offsets' | 'items'> {
  const offsets = new Int32Array(rows.length + 1);
  for (let i = 0; i < rows.length; i++) {
    offsets[i + 1] = offsets[i] + (rows[i] < 0 ? 0 : column.offsets[rows[i] + 1] - column.offsets[rows[i]]);
  }
  const items = new Int32Array(offsets[rows.length]);
  for (let i = 0; i < rows.length; i++) {
    for (let to = offsets[i], from = column.offsets[rows[i]]; to < offsets[i + 1]; ) items[to++] = from++;
  }
  return { offsets, items: takeRows(column.items, items) as ListColumn['items'] };
}
