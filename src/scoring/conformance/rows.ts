import type { EncodedColumn } from '../../schema/encoded.ts';
import { rowsIn } from '../input.ts';
import type { ScoringInput } from '../scorer.ts';

/** The same rows with no column left of one row alone. */
export function repeatRows({ rowCount, fields }: ScoringInput): ScoringInput {
  const all = Array.from({ length: rowCount }, () => 0);
  const repeated = [...fields].map(([name, column]) => {
    const rows = rowsIn(column);
    return [name, rows === 1 ? pick(column, all) : column] as const;
  });
  return { rowCount, fields: new Map(repeated) };
}

/** One row by itself. */
export function oneRow({ fields }: ScoringInput, row: number): ScoringInput {
  return { rowCount: 1, fields: new Map([...fields].map(([name, column]) => [name, pick(column, [row])])) };
}

/** A column of the rows named, in that order. */
function pick(column: EncodedColumn, rows: readonly number[]): EncodedColumn {
  if (column.kind === 'id') return { kind: 'id', ids: Int32Array.from(rows, (row) => column.ids[row]) };
  if (column.kind === 'dense') {
    const { width, values } = column;
    return {
      kind: 'dense',
      width,
      values: Float32Array.from(rows.flatMap((row) => [...values.subarray(row * width, (row + 1) * width)])),
    };
  }
  const parts = rows.map((row) => [...column.ids.subarray(column.offsets[row], column.offsets[row + 1])]);
  const offsets = new Int32Array(rows.length + 1);
  parts.forEach((part, i) => {
    offsets[i + 1] = offsets[i] + part.length;
  });
  return { ...column, offsets, ids: Int32Array.from(parts.flat()) };
}
