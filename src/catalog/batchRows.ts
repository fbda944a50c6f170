import { assert } from '../core/errors.ts';
import type { ColumnBatch } from '../schema/columns.ts';
import { columnToJson } from '../schema/jsonColumns.ts';

/** The first row of each batch, all rows counted. */
export function batchStarts(batches: readonly ColumnBatch[]): Int32Array {
  const starts = new Int32Array(batches.length);
  for (let i = 1; i < starts.length; i++) starts[i] = starts[i - 1] + batches[i - 1].rowCount;
  return starts;
}

/** A column's value as JSON has it; null where there is none. */
export function valueAt(batches: readonly ColumnBatch[], starts: Int32Array, name: string, row: number): unknown {
  const i = batchOf(starts, row);
  const column = batches[i].columns.get(name);
  assert(column !== undefined, `catalog column ${name}`);
  return columnToJson(column, [row - starts[i]])[0];
}

/** The last batch that starts at or before a row. */
function batchOf(starts: Int32Array, row: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle] <= row) low = middle;
    else high = middle - 1;
  }
  return low;
}
