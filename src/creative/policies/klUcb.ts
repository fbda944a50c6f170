import { type CreatePolicy, FIRST } from '../policy.ts';

/**
 * The highest rate that an arm's clicks do not speak against:
 *
 *   max { q : n·kl(c/n, q) ≤ ln N }
 *
 * @see Garivier and Cappé 2011, "The KL-UCB algorithm for bounded stochastic bandits and beyond", with its c = 0 as recommended there
 */
export const klUcb: CreatePolicy = ({ epsilon }) => ({
  epsilon,
  bonuses({ count, shown, exposures, clicks, means }, bonuses) {
    const evidence = Math.log(Math.max(1, shown));
    for (let i = 0; i < count; i++) {
      const n = exposures[i];
      bonuses[i] = n > 0 ? klUpperBound(Math.min(1, clicks[i] / n), evidence / n) - means[i] : FIRST;
    }
  },
});

/** max { q ≥ p : kl(p, q) ≤ most }, by halving, to the last bits that matter. */
export function klUpperBound(p: number, most: number): number {
  let low = p;
  // Pinsker: kl(p, q) ≥ 2(q − p)².
  let high = Math.min(1, p + Math.sqrt(most / 2));
  for (let step = 0; step < 60 && high - low > 1e-12; step++) {
    const middle = (low + high) / 2;
    if (kl(p, middle) > most) high = middle;
    else low = middle;
  }
  return low;
}

/** Of Bernoulli(p) from Bernoulli(q). */
function kl(p: number, q: number): number {
  const ofClick = p > 0 ? p * Math.log(p / q) : 0;
  return p < 1 ? ofClick + (1 - p) * Math.log((1 - p) / (1 - q)) : ofClick;
}
