import type { CreatePolicy } from '../policy.ts';

/**
 * UCB on the posterior of rates that are alike within an ad, its bonus as wide as a rate's own noise:
 *
 *   m_a + c·√(2 ln(1 + N))·s_a
 *
 * with m_a and s_a the posterior's mean and standard deviation, N the ad's exposures. CTRs are far below ½, where UCB1's bonus, made for
 * any reward in [0, 1], is an order of magnitude too wide.
 *
 * @see Audibert, Munos and Szepesvári 2009, "Exploration–exploitation tradeoff using variance estimates in multi-armed bandits"; Kaufmann,
 *   Cappé and Garivier 2012, "On Bayesian upper confidence bounds for bandit problems"
 */
export const defaultUcb: CreatePolicy = ({ epsilon, confidence }) => ({
  epsilon,
  bonuses({ count, shown, deviations }, bonuses) {
    const width = confidence * Math.sqrt(2 * Math.log1p(shown));
    for (let i = 0; i < count; i++) bonuses[i] = width * deviations[i];
  },
});
