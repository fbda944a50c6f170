import type { Column, ColumnBatch, TextColumn } from './columns.ts';

/** The given rows of a batch, in the order given. */
export function selectRows(batch: ColumnBatch, rows: Int32Array): ColumnBatch {
  const columns = new Map<string, Column>();
  for (const [name, column] of batch.columns) columns.set(name, selectColumn(column, rows));
  const origin = batch.origin && { ...batch.origin, rows: originalRows(batch.origin.rows, rows) };
  return { rowCount: rows.length, columns, origin };
}

function originalRows(before: Int32Array | undefined, rows: Int32Array): Int32Array {
  return before === undefined ? rows : rows.map((row) => before[row]);
}

export function selectColumn(column: Column, rows: Int32Array): Column {
  const rowCount = rows.length;
  const valid = column.valid === undefined ? undefined : pick(column.valid, rows, new Uint8Array(rowCount));
  switch (column.type) {
    case 'integer': {
      const { values } = column;
      if (values instanceof Int32Array)
        return { ...column, rowCount, valid, values: pick(values, rows, new Int32Array(rowCount)) };
      const picked = new BigInt64Array(rowCount);
      for (let i = 0; i < rowCount; i++) picked[i] = values[rows[i]];
      return { ...column, rowCount, valid, values: picked };
    }
    case 'number': {
      const { values } = column;
      const out = values instanceof Float32Array ? new Float32Array(rowCount) : new Float64Array(rowCount);
      return { ...column, rowCount, valid, values: pick(values, rows, out) };
    }
    case 'text':
      // The bytes become a dictionary: nothing is copied.
      return { ...column, rowCount, valid, indices: pick(indicesOf(column), rows, new Int32Array(rowCount)) };
    case 'list': {
      const offsets = new Int32Array(rowCount + 1);
      for (let i = 0; i < rowCount; i++)
        offsets[i + 1] = offsets[i] + column.offsets[rows[i] + 1] - column.offsets[rows[i]];
      const items = new Int32Array(offsets[rowCount]);
      for (let i = 0; i < rowCount; i++) {
        for (let to = offsets[i], from = column.offsets[rows[i]]; to < offsets[i + 1]; to++, from++) items[to] = from;
      }
      return { ...column, rowCount, valid, offsets, items: selectColumn(column.items, items) as typeof column.items };
    }
  }
}

function pick<T extends Int32Array | Uint8Array | Float32Array | Float64Array>(
  from: ArrayLike<number>,
  rows: Int32Array,
  out: T,
): T {
  for (let i = 0; i < rows.length; i++) out[i] = from[rows[i]];
  return out;
}

function indicesOf(column: TextColumn): Int32Array {
  return column.indices ?? Int32Array.from({ length: column.rowCount }, (_, i) => i);
}
