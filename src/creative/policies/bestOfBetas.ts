import { sigmoid } from '../../core/numerics.ts';

const NODES = 40;
/** Densities this much below their peak, as a logarithm, are left out; so are rates below σ(LOWEST). */
const DEPTH = 18;
const LOWEST = -30;
/** Of the two points of Gauss's rule in an interval of length 1. */
const GAUSS = [0.5 - Math.sqrt(1 / 12), 0.5 + Math.sqrt(1 / 12)];

/**
 * How likely each of several rewards s_i·θ_i + t_i, θ_i ~ Beta(a_i, b_i), is the highest:
 *
 *   P_i = ∫ f_i(v) Π_{j≠i} F_j(v) dv
 *
 * f and F are tabulated over x = logit θ, where the density a·x − (a+b)·ln(1+eˣ) is smooth, and are cubics between nodes. The integral takes
 * the steps of the narrowest density at each v, two points in each, which is good to 1e-4.
 */
export class BestOfBetas {
  #count = 0;
  #slopes = new Float64Array(0);
  #intercepts = new Float64Array(0);
  /** [arms]: x of the first node, and between nodes; the rewards at both ends. */
  #firsts = new Float64Array(0);
  #steps = new Float64Array(0);
  #lows = new Float64Array(0);
  #highs = new Float64Array(0);
  /** [arms · NODES] of x; the density's slope as well. */
  #densities = new Float64Array(0);
  #densitySlopes = new Float64Array(0);
  #cumulated = new Float64Array(0);
  /** [arms], at one reward. */
  #density = new Float64Array(0);
  #below = new Float64Array(0);
  #product = new Float64Array(0);

  begin(count: number): void {
    this.#count = count;
    if (this.#slopes.length >= count) return;
    const column = () => new Float64Array(count);
    [this.#slopes, this.#intercepts, this.#firsts, this.#steps] = [column(), column(), column(), column()];
    [this.#lows, this.#highs, this.#density, this.#below, this.#product] = [
      column(),
      column(),
      column(),
      column(),
      column(),
    ];
    const table = () => new Float64Array(count * NODES);
    [this.#densities, this.#densitySlopes, this.#cumulated] = [table(), table(), table()];
  }

  /** @param slope above 0 */
  set(i: number, a: number, b: number, slope: number, intercept: number): void {
    const peak = Math.log(a / b);
    const top = logDensity(a, b, peak);
    const deviation = Math.sqrt(1 / a + 1 / b);
    let [left, right] = [6 * deviation, 6 * deviation];
    while (peak - left > LOWEST && top - logDensity(a, b, peak - left) < DEPTH) left *= 1.2;
    while (peak + right < -LOWEST && top - logDensity(a, b, peak + right) < DEPTH) right *= 1.2;
    const first = Math.max(peak - left, LOWEST);
    const last = Math.min(peak + right, -LOWEST);
    this.#firsts[i] = first;
    this.#steps[i] = (last - first) / (NODES - 1);
    this.#slopes[i] = slope;
    this.#intercepts[i] = intercept;
    this.#lows[i] = slope * sigmoid(first) + intercept;
    this.#highs[i] = slope * sigmoid(last) + intercept;
    this.#tabulate(i, a, b, top);
  }

  #tabulate(i: number, a: number, b: number, top: number): void {
    const [densities, slopes, cumulated] = [this.#densities, this.#densitySlopes, this.#cumulated];
    const [first, step] = [this.#firsts[i], this.#steps[i]];
    const [from, to] = [i * NODES, (i + 1) * NODES];
    let sum = 0;
    for (let k = from; k < to; k++) {
      const x = first + (k - from) * step;
      densities[k] = Math.exp(logDensity(a, b, x) - top);
      slopes[k] = densities[k] * (a - (a + b) * sigmoid(x));
      // The trapezoid rule with its correction, exact for cubics.
      if (k > from)
        sum += (step / 2) * (densities[k - 1] + densities[k]) + ((step * step) / 12) * (slopes[k - 1] - slopes[k]);
      cumulated[k] = sum;
    }
    for (let k = from; k < to; k++) {
      densities[k] /= sum;
      slopes[k] /= sum;
      cumulated[k] /= sum;
    }
  }

  write(shares: Float64Array): void {
    const count = this.#count;
    // Below the highest of the lows some F is 0.
    let [v, end] = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (let i = 0; i < count; i++) {
      v = Math.max(v, this.#lows[i]);
      end = Math.max(end, this.#highs[i]);
    }
    // Steps below what v can tell apart would never end.
    const least = 1e-14 * Math.max(Math.abs(v), Math.abs(end), end - v);
    shares.fill(0, 0, count);
    while (v < end) {
      const step = Math.max(this.#stepAt(v), least);
      for (const place of GAUSS) this.#add(v + place * step, step / 2, shares);
      v += step;
    }
    let sum = 0;
    for (let i = 0; i < count; i++) sum += shares[i];
    for (let i = 0; i < count; i++) shares[i] /= sum;
  }

  /** The shortest step of the densities at this reward, which is above all lows. */
  #stepAt(v: number): number {
    let step = Number.POSITIVE_INFINITY;
    for (let i = 0; i < this.#count; i++) {
      if (v >= this.#highs[i]) continue;
      const reward = v - this.#intercepts[i];
      step = Math.min(step, this.#steps[i] * reward * (1 - reward / this.#slopes[i]));
    }
    return step;
  }

  /** Adds weight·f_i·Π_{j≠i} F_j at this reward to each share. */
  #add(v: number, weight: number, shares: Float64Array): void {
    const [density, below, product] = [this.#density, this.#below, this.#product];
    let all = weight;
    for (let i = 0; i < this.#count; i++) {
      this.#look(i, v);
      product[i] = all;
      all *= below[i];
    }
    all = 1;
    for (let i = this.#count - 1; i >= 0; i--) {
      shares[i] += density[i] * product[i] * all;
      all *= below[i];
    }
  }

  /** Writes f_i and F_i at this reward. */
  #look(i: number, v: number): void {
    if (v <= this.#lows[i] || v >= this.#highs[i]) {
      this.#density[i] = 0;
      this.#below[i] = v <= this.#lows[i] ? 0 : 1;
      return;
    }
    const rate = (v - this.#intercepts[i]) / this.#slopes[i];
    const step = this.#steps[i];
    const place = (Math.log(rate / (1 - rate)) - this.#firsts[i]) / step;
    const node = Math.min(NODES - 2, Math.max(0, Math.floor(place)));
    const k = i * NODES + node;
    const [f, F] = [this.#densities, this.#cumulated];
    const u = place - node;
    this.#below[i] = cubic(F[k], F[k + 1], step * f[k], step * f[k + 1], u);
    const slopes = this.#densitySlopes;
    const ofX = cubic(f[k], f[k + 1], step * slopes[k], step * slopes[k + 1], u);
    this.#density[i] = ofX / (this.#slopes[i] * rate * (1 - rate));
  }
}

/** The cubic through two values with these slopes, u from 0 to 1 between them. */
function cubic(from: number, to: number, rise: number, nextRise: number, u: number): number {
  const gain = to - from;
  return from + u * (rise + u * (3 * gain - 2 * rise - nextRise + u * (rise + nextRise - 2 * gain)));
}

/** ln of the density of logit θ, less a constant. */
function logDensity(a: number, b: number, x: number): number {
  const softplus = x > 0 ? x + Math.log1p(Math.exp(-x)) : Math.log1p(Math.exp(x));
  return a * x - (a + b) * softplus;
}
