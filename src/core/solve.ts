import { assert } from './errors.ts';

/**
 * The x of A·x = b for a symmetric positive definite A, by Cholesky's A = L·Lᵀ.
 *
 * @param a [n, n], row-major; its lower half is read
 * @param b [n]
 */
export function solvePositive(a: Float64Array, b: Float64Array): Float64Array {
  const n = b.length;
  const l = a.slice();
  const x = b.slice();
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = l[i * n + j];
      for (let k = 0; k < j; k++) sum -= l[i * n + k] * l[j * n + k];
      if (j < i) l[i * n + j] = sum / l[j * n + j];
      else {
        assert(sum > 0, 'a matrix to solve is positive definite');
        l[i * n + i] = Math.sqrt(sum);
      }
    }
  }
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) x[i] -= l[i * n + k] * x[k];
    x[i] /= l[i * n + i];
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) x[i] -= l[k * n + i] * x[k];
    x[i] /= l[i * n + i];
  }
  return x;
}
