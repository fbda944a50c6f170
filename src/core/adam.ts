/** Adam's decay rates and ε, as in the paper. */
const beta1 = 0.9;
const beta2 = 0.999;
const epsilon = 1e-8;

/** What of a step of Adam is the same for every weight. */
export interface AdamStep {
  /** rate·√(1−β2^t)/(1−β1^t) */
  readonly scale: number;
  /** ε·√(1−β2^t) */
  readonly epsilon: number;
}

/** @param t the step's number, from 1 */
export function adamStep(rate: number, t: number): AdamStep {
  const unbias = Math.sqrt(1 - beta2 ** t);
  return { scale: (rate * unbias) / (1 - beta1 ** t), epsilon: epsilon * unbias };
}

/**
 * One step of Adam on `count` weights from `at`, in place:
 *
 *   m = β1·m + (1−β1)·g      v = β2·v + (1−β2)·g²      w = w − rate·(m/(1−β1^t)) / (√(v/(1−β2^t)) + ε)
 *
 * the last of which is w − scale·m/(√v + ε·√(1−β2^t)).
 *
 * @param g gradients of those weights alone, from `gAt`
 * @see Kingma and Ba 2015, "Adam", algorithm 1 and the remark on its efficiency
 */
export function updateAdam(
  w: Float32Array,
  m: Float32Array,
  v: Float32Array,
  at: number,
  g: Float32Array,
  gAt: number,
  count: number,
  step: AdamStep,
): void {
  const { scale, epsilon } = step;
  const shift = gAt - at;
  for (let i = at; i < at + count; i++) {
    const gradient = g[i + shift];
    const mean = beta1 * m[i] + (1 - beta1) * gradient;
    const square = beta2 * v[i] + (1 - beta2) * gradient * gradient;
    m[i] = mean;
    v[i] = square;
    w[i] -= (scale * mean) / (Math.sqrt(square) + epsilon);
  }
}
