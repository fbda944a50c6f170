import type { Activation } from '../../../model/steps.ts';
import { dense } from './layers.ts';
import { joinedRows, type Matrix, matrix, rowStart } from './matrix.ts';

/** z_f = mean_d x_fd. */
export function fieldMeans(x: Matrix, sizes: readonly number[]): Matrix {
  const out = matrix(x.rows, sizes.length);
  let at = 0;
  for (let i = 0; i < out.values.length; i++) {
    const size = sizes[i % sizes.length];
    let total = 0;
    for (const end = at + size; at < end; at++) total += x.values[at];
    out.values[i] = total / size;
  }
  return out;
}

/**
 * One gate a field: act(W2ᵀ·relu(W1ᵀ·z + b1) + b2), z the mean of each field.
 *
 * @see Huang et al. 2019, "FiBiNET", section 3.2
 */
export function senet(
  x: Matrix,
  sizes: readonly number[],
  weights: Readonly<Record<'w1' | 'b1' | 'w2' | 'b2', Float32Array>>,
  activation: Activation,
): Matrix {
  const hidden = dense(fieldMeans(x, sizes), weights.w1, weights.b1, 'relu');
  return dense(hidden, weights.w2, weights.b2, activation);
}

/** y_fd = gates_f · x_fd. */
export function gate(x: Matrix, gates: Matrix, sizes: readonly number[]): Matrix {
  const rows = joinedRows([x, gates]);
  const out = matrix(rows, x.width);
  let at = 0;
  for (let row = 0; row < rows; row++) {
    let from = rowStart(x, row);
    sizes.forEach((size, f) => {
      const scale = gates.values[rowStart(gates, row) + f];
      for (let d = 0; d < size; d++) out.values[at++] = scale * x.values[from++];
    });
  }
  return out;
}

/** ⟨x_i, x_j⟩ of every pair i < j: 01, 02, …, 12, … . */
export function inner(x: Matrix, fields: number): Matrix {
  const size = x.width / fields;
  const out = matrix(x.rows, (fields * (fields - 1)) / 2);
  let at = 0;
  for (let row = 0; row < x.rows; row++) {
    const from = row * x.width;
    for (let i = 0; i < fields; i++) {
      for (let j = i + 1; j < fields; j++) {
        let total = 0;
        for (let d = 0; d < size; d++) total += x.values[from + i * size + d] * x.values[from + j * size + d];
        out.values[at++] = total;
      }
    }
  }
  return out;
}

/** ½·Σ_d ((Σ_f x_fd)² − Σ_f x_fd²). */
export function fm(x: Matrix, fields: number): Matrix {
  const size = x.width / fields;
  const out = matrix(x.rows, 1);
  for (let row = 0; row < x.rows; row++) {
    for (let d = 0; d < size; d++) {
      let total = 0;
      let squares = 0;
      for (let f = 0; f < fields; f++) {
        const value = x.values[row * x.width + f * size + d];
        total += value;
        squares += value * value;
      }
      out.values[row] += (total * total - squares) / 2;
    }
  }
  return out;
}
