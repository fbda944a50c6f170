import { sigmoid } from '../../../core/numerics.ts';

/*
 * The loops of attention and pooling for backends whose memory JavaScript can see, as in `kernelLoops.ts`. `k` are the events,
 * [rows, length, size], an event's last number above 0 where there is one; most of a padded sequence costs one read.
 */

type Weights = 'softmax' | 'sigmoid';

/** y = Σ_i a_i k_i, a = softmax or σ of ⟨u, k_i⟩. @param u [rows, size] @param y [rows, size] */
export function attend(
  k: Float32Array,
  u: Float32Array,
  y: Float32Array,
  rows: number,
  length: number,
  weights: Weights,
): void {
  const size = u.length / rows;
  const a = new Float64Array(length);
  for (let row = 0, at = 0; row < rows; row++, at += size) {
    const from = row * length * size;
    shares(k, u, from, at, size, a, weights);
    y.fill(0, at, at + size);
    for (let i = 0, event = from; i < length; i++, event += size) {
      const share = a[i];
      if (share === 0) continue;
      for (let d = 0; d < size; d++) y[at + d] += share * k[event + d];
    }
  }
}

/** a_i of the row whose events begin at `from` and whose u begins at `at`; 0 where there is no event. */
function shares(
  k: Float32Array,
  u: Float32Array,
  from: number,
  at: number,
  size: number,
  a: Float64Array,
  weights: Weights,
): void {
  let largest = Number.NEGATIVE_INFINITY;
  for (let i = 0, event = from; i < a.length; i++, event += size) {
    a[i] = Number.NEGATIVE_INFINITY;
    if (!(k[event + size - 1] > 0)) continue;
    let score = 0;
    for (let d = 0; d < size; d++) score += u[at + d] * k[event + d];
    a[i] = score;
    if (score > largest) largest = score;
  }
  if (weights === 'sigmoid') {
    for (let i = 0; i < a.length; i++) a[i] = a[i] === Number.NEGATIVE_INFINITY ? 0 : sigmoid(a[i]);
    return;
  }
  let total = 0;
  for (let i = 0; i < a.length; i++) {
    a[i] = a[i] === Number.NEGATIVE_INFINITY ? 0 : Math.exp(a[i] - largest);
    total += a[i];
  }
  if (total > 0) for (let i = 0; i < a.length; i++) a[i] /= total;
}

/**
 * dk_i = a_i dy + ds_i u and du = Σ_i ds_i k_i, where da_i = ⟨dy, k_i⟩ and ds_i = a_i (da_i − Σ_j a_j da_j), or a_i (1 − a_i) da_i.
 * Shapes as in `attend`.
 */
export function attendGrad(
  dy: Float32Array,
  k: Float32Array,
  u: Float32Array,
  { dk, du }: { dk: Float32Array; du: Float32Array },
  rows: number,
  length: number,
  weights: Weights,
): void {
  const size = u.length / rows;
  const a = new Float64Array(length);
  const ds = new Float64Array(length);
  for (let row = 0, at = 0; row < rows; row++, at += size) {
    const from = row * length * size;
    shares(k, u, from, at, size, a, weights);
    let mean = 0;
    for (let i = 0, event = from; i < length; i++, event += size) {
      let da = 0;
      if (a[i] !== 0) for (let d = 0; d < size; d++) da += dy[at + d] * k[event + d];
      ds[i] = da;
      mean += a[i] * da;
    }
    du.fill(0, at, at + size);
    for (let i = 0, event = from; i < length; i++, event += size) {
      const share = a[i];
      if (share === 0) {
        dk.fill(0, event, event + size);
        continue;
      }
      const slope = share * (weights === 'sigmoid' ? (1 - share) * ds[i] : ds[i] - mean);
      for (let d = 0; d < size; d++) {
        dk[event + d] = share * dy[at + d] + slope * u[at + d];
        du[at + d] += slope * k[event + d];
      }
    }
  }
}

/** y = Σ_i k_i / n over the n events that are there, or k_0. @param y [rows, size] */
export function pool(k: Float32Array, y: Float32Array, rows: number, length: number, mean: boolean): void {
  const size = y.length / rows;
  for (let row = 0, at = 0; row < rows; row++, at += size) {
    const from = row * length * size;
    const share = poolShare(k, from, length, size, mean);
    y.fill(0, at, at + size);
    for (let i = 0, event = from; i < (mean ? length : 1); i++, event += size) {
      if (!(k[event + size - 1] > 0)) continue;
      for (let d = 0; d < size; d++) y[at + d] += share * k[event + d];
    }
  }
}

/** dk_i = dy / n of the events that are there, or dk_0 = dy. Shapes as in `pool`. */
export function poolGrad(
  dy: Float32Array,
  k: Float32Array,
  dk: Float32Array,
  rows: number,
  length: number,
  mean: boolean,
): void {
  const size = dy.length / rows;
  dk.fill(0);
  for (let row = 0, at = 0; row < rows; row++, at += size) {
    const from = row * length * size;
    const share = poolShare(k, from, length, size, mean);
    for (let i = 0, event = from; i < (mean ? length : 1); i++, event += size) {
      if (!(k[event + size - 1] > 0)) continue;
      for (let d = 0; d < size; d++) dk[event + d] = share * dy[at + d];
    }
  }
}

function poolShare(k: Float32Array, from: number, length: number, size: number, mean: boolean): number {
  if (!mean) return 1;
  let count = 0;
  for (let i = 0, last = from + size - 1; i < length; i++, last += size) if (k[last] > 0) count++;
  return 1 / Math.max(1, count);
}
