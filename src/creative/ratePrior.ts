/** What rates are like before their counts are seen: Gamma with this mean, and variance relativeVariance · mean². */
export interface RatePrior {
  readonly mean: number;
  /** 0 where the counts vary no more than chance makes them. */
  readonly relativeVariance: number;
}

/** Rounds of reweighting; the estimate settles in fewer. */
const ROUNDS = 20;

/**
 * The prior under which counts are as spread as they are, by weighted moments. With c_i ~ Poisson(r_i·E_i), r_i of mean m and variance τm²:
 *
 *   μ_i = m·E_i       E[(c_i − μ_i)² − μ_i] = τ·μ_i²       var ≈ v_i = μ_i + 2·(μ_i + τμ_i²)²
 *   m = Σ w_i c_i / Σ w_i E_i,  w_i = 1/(1 + τμ_i)       τ = Σ (μ_i²/v_i)·((c_i − μ_i)² − μ_i) / Σ μ_i⁴/v_i
 *
 * in turn until both settle; each item weighs by what it tells, so that neither many small nor a few large ones drown the rest.
 *
 * @param clicks    [items]
 * @param exposures [items] E; items without any are left out
 * @see Breslow 1984, "Extra-Poisson variation in log-linear models", for moments of this kind
 */
export function fitRatePrior(clicks: Float64Array, exposures: Float64Array): RatePrior {
  let [mean, variance] = [0, 0];
  for (let round = 0; round < ROUNDS; round++) {
    let [top, bottom] = [0, 0];
    for (let i = 0; i < clicks.length; i++) {
      if (exposures[i] === 0) continue;
      const weight = 1 / (1 + variance * mean * exposures[i]);
      top += weight * clicks[i];
      bottom += weight * exposures[i];
    }
    if (top === 0) return { mean: 0, relativeVariance: 0 };
    mean = top / bottom;
    [top, bottom] = [0, 0];
    for (let i = 0; i < clicks.length; i++) {
      const expected = mean * exposures[i];
      if (expected === 0) continue;
      const excess = (clicks[i] - expected) ** 2 - expected;
      const share = expected ** 2 / (expected + 2 * (expected + variance * expected ** 2) ** 2);
      top += share * excess;
      bottom += share * expected ** 2;
    }
    variance = Math.max(0, top / bottom);
  }
  return { mean, relativeVariance: variance };
}

/**
 * A rate after its counts: with the Gamma prior of shape 1/τ, (c + 1/τ) / (E + 1/(τm)), which is
 *
 *   m·(1 + τc) / (1 + τmE)
 */
export function shrunkenRate({ mean, relativeVariance }: RatePrior, clicks: number, exposures: number): number {
  return (mean * (1 + relativeVariance * clicks)) / (1 + relativeVariance * mean * exposures);
}
