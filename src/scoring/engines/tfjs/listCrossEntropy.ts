/**
 * What is left to learn of a teacher's order within lists, in float64. Over the rows i of each list, the teacher's logits t and the
 * student's z:
 *
 *   P = softmax(t / T)      Q = softmax(z / T)      L = scale · Σ_lists T² Σ_i P_i (ln P_i − ln Q_i)      ∂L/∂z_i = scale · T (Q_i − P_i)
 *
 * It is the cross entropy less the teacher's own entropy, so that it is 0 where both agree; T² keeps gradients of one size whatever T is.
 *
 * @param logits z, [rows] @param teacher t, [rows]
 * @param offsets [lists + 1]: list l has the rows from `offsets[l]` to `offsets[l + 1]`
 * @param grad [rows], out: ∂L/∂logits
 * @returns L
 * @see Hinton et al. 2015, "Distilling the Knowledge in a Neural Network", section 2
 */
export function listCrossEntropy(
  logits: Float32Array,
  teacher: Float32Array,
  offsets: Int32Array,
  temperature: number,
  scale: number,
  grad: Float32Array,
): number {
  let loss = 0;
  for (let list = 0; list + 1 < offsets.length; list++) {
    const from = offsets[list];
    const to = offsets[list + 1];
    const lnSumZ = logSumExp(logits, from, to, temperature);
    const lnSumT = logSumExp(teacher, from, to, temperature);
    for (let i = from; i < to; i++) {
      const lnP = teacher[i] / temperature - lnSumT;
      const lnQ = logits[i] / temperature - lnSumZ;
      const p = Math.exp(lnP);
      loss += p * (lnP - lnQ);
      grad[i] = scale * temperature * (Math.exp(lnQ) - p);
    }
  }
  return scale * temperature * temperature * loss;
}

/** ln Σ e^(x_i / temperature), without overflow. */
function logSumExp(x: Float32Array, from: number, to: number, temperature: number): number {
  let most = Number.NEGATIVE_INFINITY;
  for (let i = from; i < to; i++) most = Math.max(most, x[i]);
  let sum = 0;
  for (let i = from; i < to; i++) sum += Math.exp((x[i] - most) / temperature);
  return most / temperature + Math.log(sum);
}
