/**
 * Binary cross-entropy of a product of probabilities, in float64:
 *
 *   p = Π_k σ(z_k)      L = scale · Σ_i w_i [−y_i ln p_i − (1 − y_i) ln(1 − p_i)]
 *   ∂L/∂z_k = scale · w (1 − σ_k) (p − y) / (1 − p)
 *
 * With one factor it is the log loss of σ(z); with click and conversion logits it is ESMM's loss of pCTCVR.
 * It works with s = −ln p = Σ_k softplus(−z_k), so that 1 − p = −expm1(−s) keeps its digits where p rounds to 1.
 *
 * @param logits [rows, factors] @param labels [rows] in [0, 1] @param weights [rows], or null for 1
 * @param grad [rows, factors], out: ∂L/∂logits
 * @returns L
 * @see Ma et al. 2018, "Entire Space Multi-Task Model", equation 2
 */
export function productBce(
  logits: Float32Array,
  factors: number,
  labels: Float32Array,
  weights: Float32Array | null,
  scale: number,
  grad: Float32Array,
): number {
  const rows = labels.length;
  let loss = 0;
  for (let row = 0, start = 0; row < rows; row++, start += factors) {
    const weight = (weights === null ? 1 : weights[row]) * scale;
    if (weight === 0) {
      grad.fill(0, start, start + factors);
      continue;
    }
    const y = labels[row];
    let surprise = 0;
    for (let at = start; at < start + factors; at++) surprise += softplus(-bounded(logits[at]));
    const odds = 1 / Math.expm1(surprise); // p / (1 − p)
    if (y > 0) loss += weight * y * surprise;
    if (y < 1) loss -= weight * (1 - y) * Math.log(-Math.expm1(-surprise));
    // (p − y)/(1 − p) = (1 − y) p/(1 − p) − y
    const slope = weight * ((1 - y) * odds - y);
    for (let at = start; at < start + factors; at++) grad[at] = slope / (1 + Math.exp(bounded(logits[at])));
  }
  return loss;
}

/** Beyond ±500 a logit changes no gradient that float32 can hold; within, nothing under- or overflows float64. */
function bounded(z: number): number {
  return z > 500 ? 500 : z < -500 ? -500 : z;
}

/** ln(1 + e^x) */
function softplus(x: number): number {
  return x > 0 ? x + Math.log1p(Math.exp(-x)) : Math.log1p(Math.exp(x));
}
