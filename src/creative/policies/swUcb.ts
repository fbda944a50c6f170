import { type CreatePolicy, FIRST } from '../policy.ts';

/**
 * UCB over the last windows alone, which forgets what is older:
 *
 *   c_τ/n_τ + √(ξ ln min(t, τ) / n_τ)
 *
 * where min(t, τ), the exposures in the windows, is what the ad's arms were shown in them.
 *
 * @see Garivier and Moulines 2011, "On upper-confidence bound policies for switching bandit problems"
 */
export const swUcb: CreatePolicy = ({ epsilon, slidingXi }) => ({
  epsilon,
  recent: true,
  bonuses({ count, recentExposures, recentClicks, means }, bonuses) {
    let shown = 1;
    for (let i = 0; i < count; i++) shown += recentExposures[i];
    const width = slidingXi * Math.log(shown);
    for (let i = 0; i < count; i++) {
      const n = recentExposures[i];
      bonuses[i] = n > 0 ? recentClicks[i] / n - means[i] + Math.sqrt(width / n) : FIRST;
    }
  },
});
