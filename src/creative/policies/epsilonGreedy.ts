import type { CreatePolicy } from '../policy.ts';

/** The highest posterior mean, but for a larger ε. */
export const epsilonGreedy: CreatePolicy = ({ greedyEpsilon }) => ({ epsilon: greedyEpsilon });
