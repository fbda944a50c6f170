import { defaultUcb } from './policies/defaultUcb.ts';
import { epsilonGreedy } from './policies/epsilonGreedy.ts';
import { klUcb } from './policies/klUcb.ts';
import { linUcb } from './policies/linUcb.ts';
import { random } from './policies/random.ts';
import { swUcb } from './policies/swUcb.ts';
import { thompson, thompsonFlat } from './policies/thompson.ts';
import { ucb1 } from './policies/ucb1.ts';
import type { CreatePolicy } from './policy.ts';
import type { PolicyName } from './policyNames.ts';

export const policies: Readonly<Record<PolicyName, CreatePolicy>> = {
  default: defaultUcb,
  ucb1,
  'kl-ucb': klUcb,
  thompson,
  'thompson-flat': thompsonFlat,
  'sw-ucb': swUcb,
  'epsilon-greedy': epsilonGreedy,
  random,
  linucb: linUcb,
};
