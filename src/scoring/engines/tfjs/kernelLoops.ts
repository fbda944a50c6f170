import type { Activation } from '../../../model/steps.ts';

/*
 * The loops behind our kernels where tensors live in memory that JavaScript can see (backends `wasm` and `cpu`).
 * Every matrix is row-major float32; each output is written in full, so it need not be cleared before.
 */

/** out = xᵀ, in strips of rows that fit the first-level cache. @param x [rows, cols] @param out [cols, rows] */
export function transpose(x: Float32Array, out: Float32Array, rows: number, cols: number): void {
  const strip = 16;
  for (let start = 0; start < rows; start += strip) {
    const end = Math.min(start + strip, rows);
    for (let col = 0; col < cols; col++) {
      let from = start * cols + col;
      for (let to = col * rows + start; to < col * rows + end; to++, from += cols) out[to] = x[from];
    }
  }
}

/** x = 2x */
export function double(x: Float32Array): void {
  for (let i = 0; i < x.length; i++) x[i] *= 2;
}

/** dz = dy ⊙ act'(z), told from y = act(z) alone. All [rows · width]. */
export function activationGrad(activation: Activation, dy: Float32Array, y: Float32Array, dz: Float32Array): void {
  const length = dz.length;
  if (activation === 'relu') for (let i = 0; i < length; i++) dz[i] = y[i] > 0 ? dy[i] : 0;
  else if (activation === 'sigmoid') for (let i = 0; i < length; i++) dz[i] = dy[i] * y[i] * (1 - y[i]);
  else if (activation === 'doubleSigmoid') for (let i = 0; i < length; i++) dz[i] = dy[i] * y[i] * (1 - y[i] / 2);
  else dz.set(dy);
}

/** out_j = Σ_i x_ij. @param x [rows, cols] @param out [cols] */
export function columnSums(x: Float32Array, out: Float32Array, rows: number, cols: number): void {
  out.fill(0);
  for (let row = 0, at = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++, at++) out[col] += x[at];
  }
}

/** out_i = Σ_j x_ij. @param x [rows, cols] @param out [rows] */
export function rowSums(x: Float32Array, out: Float32Array, rows: number, cols: number): void {
  for (let row = 0, at = 0; row < rows; row++) {
    let sum = 0;
    for (const end = at + cols; at < end; at++) sum += x[at];
    out[row] = sum;
  }
}

/** out_ij = v_i, the gradient of a row sum. @param v [rows] @param out [rows, cols] */
export function spreadRows(v: Float32Array, out: Float32Array, rows: number, cols: number): void {
  for (let row = 0; row < rows; row++) out.fill(v[row], row * cols, (row + 1) * cols);
}

/** z_f = mean_d x_fd. @param x [rows, Σ sizes] @param z [rows, fields] */
export function fieldMeans(x: Float32Array, z: Float32Array, rows: number, sizes: readonly number[]): void {
  for (let row = 0, at = 0, to = 0; row < rows; row++) {
    for (let field = 0; field < sizes.length; field++) {
      const size = sizes[field];
      let sum = 0;
      for (const end = at + size; at < end; at++) sum += x[at];
      z[to++] = sum / size;
    }
  }
}

/** dx_fd = dz_f / size_f. @param dz [rows, fields] @param dx [rows, Σ sizes] */
export function fieldMeansGrad(dz: Float32Array, dx: Float32Array, rows: number, sizes: readonly number[]): void {
  for (let row = 0, at = 0, from = 0; row < rows; row++) {
    for (let field = 0; field < sizes.length; field++) {
      const size = sizes[field];
      const value = dz[from++] / size;
      for (const end = at + size; at < end; at++) dx[at] = value;
    }
  }
}

/** y_fd = a_f x_fd. @param x [rows, Σ sizes] @param a [rows, fields] */
export function scaleFields(
  x: Float32Array,
  a: Float32Array,
  y: Float32Array,
  rows: number,
  sizes: readonly number[],
): void {
  for (let row = 0, at = 0, gate = 0; row < rows; row++) {
    for (let field = 0; field < sizes.length; field++) {
      const weight = a[gate++];
      for (const end = at + sizes[field]; at < end; at++) y[at] = weight * x[at];
    }
  }
}

/** dx_fd = a_f dy_fd and da_f = Σ_d x_fd dy_fd. Shapes as in `scaleFields`. */
export function scaleFieldsGrad(
  dy: Float32Array,
  x: Float32Array,
  a: Float32Array,
  dx: Float32Array,
  da: Float32Array,
  rows: number,
  sizes: readonly number[],
): void {
  for (let row = 0, at = 0, gate = 0; row < rows; row++) {
    for (let field = 0; field < sizes.length; field++) {
      const weight = a[gate];
      let sum = 0;
      for (const end = at + sizes[field]; at < end; at++) {
        dx[at] = weight * dy[at];
        sum += x[at] * dy[at];
      }
      da[gate++] = sum;
    }
  }
}

/**
 * The inner product of every pair of fields, pairs in the order (0,1), (0,2), …, (1,2), …
 * @param x [rows, fields, dim] @param out [rows, fields (fields − 1) / 2]
 */
export function innerProducts(x: Float32Array, out: Float32Array, rows: number, fields: number, dim: number): void {
  for (let row = 0, to = 0; row < rows; row++) {
    const start = row * fields * dim;
    const end = start + fields * dim;
    for (let left = start; left < end; left += dim) {
      for (let right = left + dim; right < end; right += dim) {
        let sum = 0;
        for (let d = 0; d < dim; d++) sum += x[left + d] * x[right + d];
        out[to++] = sum;
      }
    }
  }
}

/** dx_f = Σ_g dy_fg x_g over the pairs with f. Shapes as in `innerProducts`. */
export function innerProductsGrad(
  dy: Float32Array,
  x: Float32Array,
  dx: Float32Array,
  rows: number,
  fields: number,
  dim: number,
): void {
  dx.fill(0);
  for (let row = 0, from = 0; row < rows; row++) {
    const start = row * fields * dim;
    const end = start + fields * dim;
    for (let left = start; left < end; left += dim) {
      for (let right = left + dim; right < end; right += dim) {
        const weight = dy[from++];
        for (let d = 0; d < dim; d++) {
          dx[left + d] += weight * x[right + d];
          dx[right + d] += weight * x[left + d];
        }
      }
    }
  }
}

/**
 * The factorisation machine's second-order term, ½ Σ_d [(Σ_f x_fd)² − Σ_f x_fd²].
 * @param x [rows, fields, dim] @param out [rows] @see Rendle 2010, "Factorization Machines", lemma 3.1
 */
export function fmTerm(x: Float32Array, out: Float32Array, rows: number, fields: number, dim: number): void {
  for (let row = 0; row < rows; row++) {
    const start = row * fields * dim;
    let total = 0;
    for (let d = 0; d < dim; d++) {
      let sum = 0;
      let squares = 0;
      for (let at = start + d, end = start + fields * dim; at < end; at += dim) {
        sum += x[at];
        squares += x[at] * x[at];
      }
      total += sum * sum - squares;
    }
    out[row] = total / 2;
  }
}

/** dx_fd = dy (Σ_g x_gd − x_fd). Shapes as in `fmTerm`. */
export function fmTermGrad(
  dy: Float32Array,
  x: Float32Array,
  dx: Float32Array,
  rows: number,
  fields: number,
  dim: number,
): void {
  for (let row = 0; row < rows; row++) {
    const start = row * fields * dim;
    const end = start + fields * dim;
    for (let d = 0; d < dim; d++) {
      let sum = 0;
      for (let at = start + d; at < end; at += dim) sum += x[at];
      for (let at = start + d; at < end; at += dim) dx[at] = dy[row] * (sum - x[at]);
    }
  }
}

/** dz = y ⊙ (dy − Σ_j y_j dy_j), from y = softmax(z). All [rows, cols]. */
export function softmaxGrad(dy: Float32Array, y: Float32Array, dz: Float32Array, rows: number, cols: number): void {
  for (let row = 0, start = 0; row < rows; row++, start += cols) {
    let dot = 0;
    for (let at = start; at < start + cols; at++) dot += y[at] * dy[at];
    for (let at = start; at < start + cols; at++) dz[at] = y[at] * (dy[at] - dot);
  }
}
