import type { CreatePolicy } from '../policy.ts';

/** Every arm alike: what logs for evaluation are best made by. */
export const random: CreatePolicy = () => ({
  epsilon: 1,
  shares: ({ count }, shares) => void shares.fill(1 / count, 0, count),
});
