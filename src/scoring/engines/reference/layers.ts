import { sigmoid } from '../../../core/numerics.ts';
import type { Activation } from '../../../model/steps.ts';
import { joinedRows, type Matrix, matrix, rowStart } from './matrix.ts';

export function activate(x: number, activation: Activation): number {
  switch (activation) {
    case 'linear':
      return x;
    case 'relu':
      return x > 0 ? x : 0;
    case 'sigmoid':
      return sigmoid(x);
    case 'doubleSigmoid':
      return 2 * sigmoid(x);
  }
}

/**
 * act(Wᵀ·x + b).
 *
 * @param w [x.width, units], row-major
 * @param b [units], or none for 0
 */
export function dense(x: Matrix, w: Float32Array, b: Float32Array | undefined, activation: Activation): Matrix {
  const units = w.length / x.width;
  const out = matrix(x.rows, units);
  const y = out.values;
  for (let row = 0; row < x.rows; row++) {
    const to = row * units;
    if (b !== undefined) y.set(b, to);
    for (let i = 0; i < x.width; i++) {
      const xi = x.values[row * x.width + i];
      for (let j = 0, at = i * units; j < units; j++, at++) y[to + j] += xi * w[at];
    }
    for (let j = to; j < to + units; j++) y[j] = activate(y[j], activation);
  }
  return out;
}

/**
 * x0 ∘ (Wᵀ·x + b) + x, W = V·U where it has a low rank.
 *
 * @see Wang et al. 2021, "DCN V2", equations 1 and 2
 */
export function cross(
  x0: Matrix,
  x: Matrix,
  weights: { readonly w: Float32Array } | { readonly v: Float32Array; readonly u: Float32Array },
  b: Float32Array,
): Matrix {
  const inner =
    'w' in weights
      ? dense(x, weights.w, b, 'linear')
      : dense(dense(x, weights.v, undefined, 'linear'), weights.u, b, 'linear');
  return add([multiply([x0, inner]), x]);
}

/** Everything side by side. */
export function concat(inputs: readonly Matrix[]): Matrix {
  const rows = joinedRows(inputs);
  const out = matrix(
    rows,
    inputs.reduce((sum, { width }) => sum + width, 0),
  );
  let offset = 0;
  for (const input of inputs) {
    for (let row = 0; row < rows; row++) {
      const from = rowStart(input, row);
      out.values.set(input.values.subarray(from, from + input.width), row * out.width + offset);
    }
    offset += input.width;
  }
  return out;
}

/** Σ of all of a row's numbers, and b. */
export function sum(inputs: readonly Matrix[], b: number): Matrix {
  const rows = joinedRows(inputs);
  const out = matrix(rows, 1);
  for (let row = 0; row < rows; row++) {
    let total = b;
    for (const input of inputs) {
      const from = rowStart(input, row);
      for (let i = from; i < from + input.width; i++) total += input.values[i];
    }
    out.values[row] = total;
  }
  return out;
}

export function add(inputs: readonly Matrix[]): Matrix {
  return elementwise(inputs, (a, b) => a + b);
}

export function multiply(inputs: readonly Matrix[]): Matrix {
  return elementwise(inputs, (a, b) => a * b);
}

function elementwise(inputs: readonly Matrix[], combine: (a: number, b: number) => number): Matrix {
  const out = matrix(joinedRows(inputs), inputs[0].width);
  inputs.forEach((input, n) => {
    for (let row = 0; row < out.rows; row++) {
      const from = rowStart(input, row);
      for (let i = 0, to = row * out.width; i < out.width; i++, to++) {
        const value = input.values[from + i];
        out.values[to] = n === 0 ? value : combine(out.values[to], value);
      }
    }
  });
  return out;
}

/** e^x_i / Σ_j e^x_j over each row, shifted by the largest so that nothing overflows. */
export function softmax(x: Matrix): Matrix {
  const out = matrix(x.rows, x.width);
  for (let row = 0; row < x.rows; row++) {
    const from = row * x.width;
    const numbers = x.values.subarray(from, from + x.width);
    const largest = numbers.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    let total = 0;
    for (const value of numbers) total += Math.exp(value - largest);
    for (let i = 0; i < x.width; i++) out.values[from + i] = Math.exp(numbers[i] - largest) / total;
  }
  return out;
}
