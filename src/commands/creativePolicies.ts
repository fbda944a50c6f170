import { UserError } from '../core/errors.ts';
import { nearestName } from '../core/nearestName.ts';
import { createBandit } from '../creative/bandit.ts';
import { type PolicyName, policyNames } from '../creative/policyNames.ts';
import { fitRatePrior } from '../creative/ratePrior.ts';
import type { RandomizedTests, ReplayedBandit } from '../creative/replay.ts';
import { readBanditSettings } from '../creative/settings.ts';

/** Ours without its exit, to see what the exit saves. */
const NO_EXIT = 'default-no-exit';

/** What can be replayed: tests have no context, which `linucb` chooses by. */
export const replayedPolicies: readonly string[] = [...policyNames.filter((name) => name !== 'linucb'), NO_EXIT];

/**
 * Policies by name, to be replayed on these tests. Unless the settings say otherwise, the prior of CTRs is fitted to the tests, for all
 * policies alike, and only ours leaves exploration: the others are their textbooks'.
 *
 * @param settings of the bandit, but for its policy, as read from the file `source`
 * @throws UserError for an unknown or repeated name, or wrong settings
 */
export function policiesOf(
  names: readonly string[],
  tests: RandomizedTests,
  settings: unknown = {},
  source = 'bandit settings',
): Map<string, () => ReplayedBandit> {
  const policies = new Map<string, () => ReplayedBandit>();
  for (const name of names) {
    if (!replayedPolicies.includes(name)) throw unknownPolicy(name);
    if (policies.has(name)) throw new UserError(`policy '${name}' is named twice; name each once`);
    const ours = name === 'default' || name === NO_EXIT;
    const policy = (ours ? 'default' : name) as PolicyName;
    // Checked as it is first: a file that holds no object has no keys to spread.
    const given = readable(settings, source);
    if ('policy' in given)
      throw new UserError(
        `${source}: policy is '${given.policy}', but a replay's policies are named by --policy; remove it`,
      );
    const all = { ...priorOf(tests), exit: ours, ...given, ...(name === NO_EXIT && { exit: false }), policy };
    const read = readBanditSettings(all, source);
    policies.set(name, () => createBandit(tests.arms, read));
  }
  return policies;
}

function readable(settings: unknown, source: string): Record<string, unknown> {
  readBanditSettings(settings, source);
  return settings as Record<string, unknown>;
}

function unknownPolicy(name: string): UserError {
  const meant = nearestName(name, replayedPolicies);
  const there = `there are ${replayedPolicies.join(', ')} (linucb chooses by a context, which tests do not have)`;
  return new UserError(
    `there is no policy '${name}' to replay; ${meant ? `did you mean '${meant}'? ` : ''}${there}`,
    'missing',
  );
}

/** The beta distribution of the tests' CTRs, as the clicks and exposures that it counts for: none where they do not differ. */
function priorOf({ clicks, impressions }: RandomizedTests): { priorClicks?: number; priorExposures?: number } {
  const { mean, relativeVariance } = fitRatePrior(clicks, impressions);
  return relativeVariance > 0
    ? { priorClicks: 1 / relativeVariance, priorExposures: 1 / (relativeVariance * mean) }
    : {};
}
