import { sigmoid } from '../../core/numerics.ts';

const NODES = 64;
/** Densities this much below their peak, as a logarithm, are left out. */
const DEPTH = 25;

/**
 * How likely each of several rewards s_i·θ_i + t_i, θ_i ~ Beta(a_i, b_i), is the highest:
 *
 *   P_i = ∫ f_i(θ) Π_{j≠i} F_j((s_i·θ + t_i − t_j)/s_j) dθ
 *
 * by the trapezoid rule over x = logit θ, where the density a·x − (a+b)·ln(1+eˣ) is smooth and falls off to both sides, so that the rule is
 * good to about 1e-6; F between nodes is the cubic of its values and densities there.
 */
export class BestOfBetas {
  #count = 0;
  #sameScale = true;
  #slopes = new Float64Array(0);
  #intercepts = new Float64Array(0);
  /** [arms]: x of the first node, and between nodes. */
  #firsts = new Float64Array(0);
  #steps = new Float64Array(0);
  /** [arms · NODES] of x. */
  #densities = new Float64Array(0);
  #cumulated = new Float64Array(0);

  begin(count: number): void {
    this.#count = count;
    this.#sameScale = true;
    if (this.#slopes.length >= count) return;
    [this.#slopes, this.#intercepts] = [new Float64Array(count), new Float64Array(count)];
    [this.#firsts, this.#steps] = [new Float64Array(count), new Float64Array(count)];
    [this.#densities, this.#cumulated] = [new Float64Array(count * NODES), new Float64Array(count * NODES)];
  }

  /** @param slope above 0 */
  set(i: number, a: number, b: number, slope: number, intercept: number): void {
    this.#slopes[i] = slope;
    this.#intercepts[i] = intercept;
    if (slope !== this.#slopes[0] || intercept !== this.#intercepts[0]) this.#sameScale = false;
    const peak = Math.log(a / b);
    const top = logDensity(a, b, peak);
    const deviation = Math.sqrt(1 / a + 1 / b);
    let [left, right] = [6 * deviation, 6 * deviation];
    while (top - logDensity(a, b, peak - left) < DEPTH) left *= 1.2;
    while (top - logDensity(a, b, peak + right) < DEPTH) right *= 1.2;
    const first = peak - left;
    const step = (left + right) / (NODES - 1);
    this.#firsts[i] = first;
    this.#steps[i] = step;
    const [densities, cumulated] = [this.#densities, this.#cumulated];
    const at = i * NODES;
    let [sum, density, slopeHere] = [0, 0, 0];
    for (let k = 0; k < NODES; k++) {
      const x = first + k * step;
      const next = Math.exp(logDensity(a, b, x) - top);
      const nextSlope = next * (a - (a + b) * sigmoid(x));
      // The corrected trapezoid rule: exact for cubics, which Simpson's is only for every other node.
      if (k > 0) sum += (step / 2) * (density + next) + ((step * step) / 12) * (slopeHere - nextSlope);
      [density, slopeHere] = [next, nextSlope];
      densities[at + k] = density;
      cumulated[at + k] = sum;
    }
    for (let k = at; k < at + NODES; k++) {
      densities[k] /= sum;
      cumulated[k] /= sum;
    }
  }

  write(shares: Float64Array): void {
    let sum = 0;
    for (let i = 0; i < this.#count; i++) {
      shares[i] = this.#best(i);
      sum += shares[i];
    }
    for (let i = 0; i < this.#count; i++) shares[i] /= sum;
  }

  #best(i: number): number {
    let best = 0;
    for (let k = 0; k < NODES; k++) {
      const x = this.#firsts[i] + k * this.#steps[i];
      let highest = this.#densities[i * NODES + k];
      for (let j = 0; j < this.#count && highest > 0; j++)
        if (j !== i) highest *= this.#below(j, this.#onScaleOf(j, i, x));
      best += highest;
    }
    return best * this.#steps[i];
  }

  /** The x at which arm j's reward is arm i's at this one; infinite beyond its ends. */
  #onScaleOf(j: number, i: number, x: number): number {
    if (this.#sameScale) return x;
    const reward = this.#slopes[i] * sigmoid(x) + this.#intercepts[i];
    const rate = (reward - this.#intercepts[j]) / this.#slopes[j];
    return rate <= 0 ? Number.NEGATIVE_INFINITY : rate >= 1 ? Number.POSITIVE_INFINITY : Math.log(rate / (1 - rate));
  }

  /** F_j at x. */
  #below(j: number, x: number): number {
    const step = this.#steps[j];
    const place = (x - this.#firsts[j]) / step;
    if (!(place > 0)) return 0;
    if (place >= NODES - 1) return 1;
    const node = Math.floor(place);
    const u = place - node;
    const k = j * NODES + node;
    const [from, to] = [this.#cumulated[k], this.#cumulated[k + 1]];
    const [rise, nextRise] = [step * this.#densities[k], step * this.#densities[k + 1]];
    const gain = to - from;
    return from + u * (rise + u * (3 * gain - 2 * rise - nextRise + u * (rise + nextRise - 2 * gain)));
  }
}

/** ln of the density of logit θ, less a constant. */
function logDensity(a: number, b: number, x: number): number {
  const softplus = x > 0 ? x + Math.log1p(Math.exp(-x)) : Math.log1p(Math.exp(x));
  return a * x - (a + b) * softplus;
}
