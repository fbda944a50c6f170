/** Adam's constants; β and ε as in the paper. */
export interface AdamOptions {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

export const adamDefaults: AdamOptions = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };

/**
 * One step of Adam on `count` weights from `at`, in place:
 *
 *   m = β1·m + (1−β1)·g      v = β2·v + (1−β2)·g²      w = w − rate·(m/(1−β1^t)) / (√(v/(1−β2^t)) + ε)
 *
 * @param g gradients of those weights alone, from `gAt`
 * @param t the step's number, from 1
 * @see Kingma and Ba 2015, "Adam", algorithm 1
 */
export function adamStep(
  w: Float32Array,
  m: Float32Array,
  v: Float32Array,
  at: number,
  g: Float32Array,
  gAt: number,
  count: number,
  rate: number,
  t: number,
  { beta1, beta2, epsilon }: AdamOptions = adamDefaults,
): void {
  const scale = rate / (1 - beta1 ** t);
  const unbias = 1 / (1 - beta2 ** t);
  for (let i = 0; i < count; i++) {
    const gradient = g[gAt + i];
    const mean = beta1 * m[at + i] + (1 - beta1) * gradient;
    const square = beta2 * v[at + i] + (1 - beta2) * gradient * gradient;
    m[at + i] = mean;
    v[at + i] = square;
    w[at + i] -= (scale * mean) / (Math.sqrt(square * unbias) + epsilon);
  }
}
