import type { EncodedColumn } from '../schema/encoded.ts';
import { rowsIn } from './input.ts';
import type { CandidateRows, ScoringInput } from './scorer.ts';

/** The same rows without candidates: what came once a candidate comes once a row. */
export function expandCandidates({ rowCount, fields, candidates }: ScoringInput): ScoringInput {
  if (candidates === undefined) return { rowCount, fields };
  const expanded = [...fields].map(([name, column]) => {
    const isOfCandidates = hasRowPerCandidate(rowsIn(column), rowCount, candidates);
    return [name, isOfCandidates ? pickRows(column, candidates.of) : column] as const;
  });
  return { rowCount, fields: new Map(expanded) };
}

/** Columns for one step: where some have a row a creative, those of a row a candidate have it repeated for its creatives. */
export function alignColumns(
  columns: readonly EncodedColumn[],
  candidates: CandidateRows | undefined,
): readonly EncodedColumn[] {
  if (candidates === undefined) return columns;
  const most = Math.max(...columns.map(rowsIn));
  return columns.map((column) =>
    hasRowPerCandidate(rowsIn(column), most, candidates) ? pickRows(column, candidates.of) : column,
  );
}

/** Whether `rows` are candidates and `others` are their creatives; one row counts for all as it is. */
export function hasRowPerCandidate(rows: number, others: number, { count }: CandidateRows): boolean {
  return rows === count && others > count && rows !== 1;
}

/** A column of the rows named, in that order. */
export function pickRows(column: EncodedColumn, rows: ArrayLike<number>): EncodedColumn {
  if (column.kind === 'id') {
    const ids = new Int32Array(rows.length);
    for (let i = 0; i < ids.length; i++) ids[i] = column.ids[rows[i]];
    return { ...column, ids };
  }
  if (column.kind === 'dense') {
    const { width, values } = column;
    const picked = new Float32Array(rows.length * width);
    for (let i = 0; i < rows.length; i++)
      picked.set(values.subarray(rows[i] * width, (rows[i] + 1) * width), i * width);
    return { ...column, values: picked };
  }
  const offsets = new Int32Array(rows.length + 1);
  for (let i = 0; i < rows.length; i++)
    offsets[i + 1] = offsets[i] + column.offsets[rows[i] + 1] - column.offsets[rows[i]];
  const ids = new Int32Array(offsets[rows.length]);
  for (let i = 0; i < rows.length; i++)
    ids.set(column.ids.subarray(column.offsets[rows[i]], column.offsets[rows[i] + 1]), offsets[i]);
  return { ...column, offsets, ids };
}
