/** The policies there are; `default` is ours. */
export const policyNames = [
  'default',
  'ucb1',
  'kl-ucb',
  'thompson',
  'thompson-flat',
  'sw-ucb',
  'epsilon-greedy',
  'random',
  'linucb',
] as const;

export type PolicyName = (typeof policyNames)[number];
