import type { EncodedColumn, EncodedDense } from '../../../schema/encoded.ts';
import { missingId } from '../../../schema/fields.ts';
import { rowsIn } from '../../input.ts';
import { joinedRows, type Matrix, matrix } from './matrix.ts';

/** An embedding table, row-major. */
export interface Table {
  readonly values: Float32Array;
  readonly size: number;
}

/** Looks each field up in its table; a list's rows are averaged or added, an empty list is the missing row. */
export function embed(columns: readonly EncodedColumn[], tables: readonly Table[]): Matrix {
  const rows = joinedRows(columns.map((column) => ({ rows: rowsIn(column) })));
  const out = matrix(
    rows,
    tables.reduce((sum, { size }) => sum + size, 0),
  );
  let offset = 0;
  columns.forEach((column, i) => {
    const { values, size } = tables[i];
    for (let row = 0; row < rows; row++) {
      const ids = idsOf(column, rowsIn(column) === 1 ? 0 : row);
      const share = column.kind === 'ids' && column.pooling === 'mean' ? ids.length : 1;
      for (let d = 0; d < size; d++) {
        let sum = 0;
        for (const id of ids) sum += values[id * size + d];
        out.values[row * out.width + offset + d] = sum / share;
      }
    }
    offset += size;
  });
  return out;
}

function idsOf(column: EncodedColumn, row: number): ArrayLike<number> & Iterable<number> {
  if (column.kind === 'id') return [column.ids[row]];
  if (column.kind === 'dense') return [];
  const ids = column.ids.subarray(column.offsets[row], column.offsets[row + 1]);
  return ids.length === 0 ? [missingId] : ids;
}

/** Dense fields as they are, side by side. */
export function input(columns: readonly EncodedDense[]): Matrix[] {
  return columns.map((column) => ({
    rows: rowsIn(column),
    width: column.width,
    values: Float64Array.from(column.values),
  }));
}
