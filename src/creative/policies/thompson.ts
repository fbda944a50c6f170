import type { AdStatistics, CreatePolicy } from '../policy.ts';
import { BestOfBetas } from './bestOfBetas.ts';

/**
 * Thompson sampling with a Beta prior: an arm's share is its probability of the highest reward under the posterior
 *
 *   θ_a ~ Beta(c_a + a₀, n_a − c_a + b₀)
 *
 * computed rather than drawn, so that the propensity is known. Empirical Bayes: the prior is the settings', which a replay fits to
 * the CTRs of its tests.
 *
 * @see Chapelle and Li 2011, "An empirical evaluation of Thompson sampling"
 */
export const thompson: CreatePolicy = ({ epsilon, priorClicks, priorExposures }) =>
  sampling(epsilon, priorClicks, Math.max(priorExposures - priorClicks, 1e-6));

/** Thompson sampling that knows nothing of CTRs before: all are as likely. */
export const thompsonFlat: CreatePolicy = ({ epsilon }) => sampling(epsilon, 1, 1);

function sampling(epsilon: number, priorClicks: number, priorOthers: number) {
  const best = new BestOfBetas();
  return {
    epsilon,
    shares({ count, exposures, clicks, slopes, intercepts }: AdStatistics, shares: Float64Array) {
      best.begin(count);
      for (let i = 0; i < count; i++) {
        // Position correction may leave fewer exposures than clicks.
        const others = Math.max(0, exposures[i] - clicks[i]);
        best.set(i, clicks[i] + priorClicks, others + priorOthers, slopes[i], intercepts[i]);
      }
      best.write(shares);
    },
  };
}
