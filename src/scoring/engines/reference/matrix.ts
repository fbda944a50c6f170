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
