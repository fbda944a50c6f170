import { betaCdf } from '../core/beta.ts';

/** Clicks among (corrected) exposures. */
export interface RateCounts {
  readonly clicks: number;
  readonly exposures: number;
}

/**
 * How likely as few clicks now, or fewer, would be if now's rate were `ratio` of then's. Given both counts' sum, now's is binomial:
 *
 *   P(X ≤ c_now),  X ~ Binomial(c_now + c_then, ratio·E_now / (ratio·E_now + E_then))
 *
 * so that no rate needs to be known; exact for Poisson counts of any size.
 *
 * @see Przyborowski and Wilenski 1940, "Homogeneity of results in testing samples from Poisson series"
 */
export function chanceOfFewer(now: RateCounts, before: RateCounts, ratio: number): number {
  if (before.clicks === 0) return 1;
  const weighted = ratio * now.exposures;
  return betaCdf(before.exposures / (weighted + before.exposures), before.clicks, now.clicks + 1);
}

/** How likely as many clicks now, or more, would be: P(X ≥ c_now). */
export function chanceOfMore(now: RateCounts, before: RateCounts, ratio: number): number {
  if (now.clicks === 0) return 1;
  const weighted = ratio * now.exposures;
  return betaCdf(weighted / (weighted + before.exposures), now.clicks, before.clicks + 1);
}

/** The ratio, from e^−20 to e^20, at which one of the chances above crosses `level`; that of more rises with it, that of fewer falls. */
export function ratioAt(level: number, trend: 'rises' | 'falls', chance: (ratio: number) => number): number {
  let [low, high] = [-20, 20];
  while (high - low > 1e-7) {
    const middle = (low + high) / 2;
    if (chance(Math.exp(middle)) > level === (trend === 'rises')) high = middle;
    else low = middle;
  }
  return Math.exp((low + high) / 2);
}
