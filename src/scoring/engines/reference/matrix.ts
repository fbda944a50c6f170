import { hasRowPerCandidate } from '../../candidates.ts';
import type { CandidateRows } from '../../scorer.ts';

/** A value of the model: `rows` rows of `width` numbers, row-major, in float64. */
export interface Matrix {
  readonly rows: number;
  readonly width: number;
  readonly values: Float64Array;
}

export function matrix(rows: number, width: number): Matrix {
  return { rows, width, values: new Float64Array(rows * width) };
}

/** The rows of a value made of several: those of any that has not exactly one, since one row counts for all. */
export function joinedRows(inputs: readonly { readonly rows: number }[]): number {
  for (const { rows } of inputs) if (rows !== 1) return rows;
  return 1;
}

/** Where row `row` begins. */
export function rowStart(input: Matrix, row: number): number {
  return input.rows === 1 ? 0 : row * input.width;
}

/** Values that one step reads: where some have a row a creative, those of a row a candidate have it repeated for its creatives. */
export function alignRows(
  inputs: readonly Matrix[],
  candidates: CandidateRows | undefined,
  rows = Math.max(...inputs.map((input) => input.rows)),
): readonly Matrix[] {
  if (candidates === undefined) return inputs;
  return inputs.map((input) => {
    if (!hasRowPerCandidate(input.rows, rows, candidates)) return input;
    const out = matrix(candidates.of.length, input.width);
    candidates.of.forEach((of, row) => {
      out.values.set(input.values.subarray(of * input.width, (of + 1) * input.width), row * input.width);
    });
    return out;
  });
}
