import { type CreatePolicy, FIRST } from '../policy.ts';

/**
 * The textbook's, over exposures: c_a/n_a + √(2 ln N / n_a); what was never shown comes first.
 *
 * @see Auer, Cesa-Bianchi and Fischer 2002, "Finite-time analysis of the multiarmed bandit problem"
 */
export const ucb1: CreatePolicy = ({ epsilon }) => ({
  epsilon,
  bonuses({ count, shown, exposures, clicks, means }, bonuses) {
    const width = 2 * Math.log(Math.max(1, shown));
    for (let i = 0; i < count; i++) {
      const n = exposures[i];
      // Bonuses are added to the posterior's mean, the index is about the plain rate.
      bonuses[i] = n > 0 ? clicks[i] / n - means[i] + Math.sqrt(width / n) : FIRST;
    }
  },
});
