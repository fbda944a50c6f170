import { assert, UserError } from '../core/errors.ts';

/** Scores, probabilities or weights, one a row. */
export type Values = Float32Array | Float64Array;

/** Labels, one a row: 0 or 1. */
export type Labels = Uint8Array | Int8Array | Int32Array | Float32Array | Float64Array;

/** Checks that every column given has one value a row. A difference is our own bug: a reader has checked the table. */
export function checkLengths(rows: number, columns: Record<string, ArrayLike<number> | undefined>): void {
  for (const [name, column] of Object.entries(columns)) {
    assert(!column || column.length === rows, `evaluation: '${name}' has ${column?.length} values for ${rows} rows`);
  }
}

/**
 * Checks what the metrics rely on, in one pass each.
 *
 * @throws UserError naming the first row whose probability is not in [0, 1], whose label is not 0 or 1, or whose weight is
 *   negative or not finite
 */
export function checkRows(probabilities: Values, labels: Labels, weights?: Values): void {
  const rows = probabilities.length;
  checkLengths(rows, { labels, weights });
  for (let i = 0; i < rows; i++) {
    const p = probabilities[i];
    if (!(p >= 0 && p <= 1)) {
      throw new UserError(
        `evaluation: row ${i} has the prediction ${p}; expected a probability from 0 to 1; the model may have diverged: lower its learning rate`,
      );
    }
  }
  for (let i = 0; i < rows; i++) {
    const y = labels[i];
    if (y !== 0 && y !== 1) throw new UserError(`evaluation: row ${i} has the label ${y}; expected 0 or 1`);
  }
  if (!weights) return;
  for (let i = 0; i < rows; i++) {
    const w = weights[i];
    if (!(w >= 0 && w < Number.POSITIVE_INFINITY)) {
      throw new UserError(`evaluation: row ${i} has the weight ${w}; expected a finite number, 0 or more`);
    }
  }
}
