import { createRandom } from '../core/random.ts';
import { type RandomizedTests, type Replay, type ReplayedBandit, replay } from '../creative/replay.ts';
import type { RatioOfSums } from '../evaluation/bootstrap.ts';
import { bootstrapRatios, type Interval } from '../evaluation/bootstrapRatio.ts';

/** What a policy made of randomised tests; intervals are 95 %, by bootstrap over tests. */
export interface PolicyResult {
  readonly policy: string;
  readonly impressions: number;
  readonly clicks: number;
  /** Clicks forgone against showing the best arm always. */
  readonly regret: number;
  /** Share of impressions on the best arm. */
  readonly bestArmShare: number;
  /** Share of impressions on another arm than the one whose posterior mean was the highest then. */
  readonly exploredShare: number;
  /** Share of tests that left exploration. */
  readonly exitedShare: number;
  /** Mean impressions until then, of those that did; null where none did. */
  readonly exposuresToExit: number | null;
  readonly interval: {
    readonly clicks: Range;
    readonly regret: Range;
    readonly bestArmShare: Range;
    readonly exploredShare: Range;
    readonly exposuresToExit: Range | null;
  };
  /** Regret and clicks over those of the first policy; null where its own are 0. */
  readonly overFirst: { readonly regret: Interval | null; readonly clicks: Interval | null };
}

export type Range = readonly [low: number, high: number];

export interface PolicyReplay {
  readonly result: PolicyResult;
  readonly replay: Replay;
}

export interface ReplayPoliciesOptions {
  readonly seed: number;
  /** Impressions between two feedbacks; 100 if absent. */
  readonly batch?: number;
  readonly resamples?: number;
  readonly onPolicy?: (policy: string) => void;
  /** Impressions of a policy that have been played, now and then. */
  readonly onProgress?: (policy: string, played: number, total: number) => void;
}

/**
 * Replays policies one after the other on the same tests with the same random numbers.
 *
 * @param policies makes each, by name, anew
 */
export function replayPolicies(
  tests: RandomizedTests,
  policies: ReadonlyMap<string, () => ReplayedBandit>,
  { seed, batch, resamples, onPolicy, onProgress }: ReplayPoliciesOptions,
): PolicyReplay[] {
  const replays: [string, Replay][] = [];
  for (const [policy, create] of policies) {
    onPolicy?.(policy);
    const options = { random: createRandom(seed), batch, onProgress: onProgress?.bind(undefined, policy) };
    replays.push([policy, replay(tests, create(), options)]);
  }
  const [[, first]] = replays;
  return replays.map(([policy, played]) => ({
    result: resultOf(policy, played, first, seed, resamples),
    replay: played,
  }));
}

function resultOf(policy: string, played: Replay, first: Replay, seed: number, resamples?: number): PolicyResult {
  const { impressions, clicks, regret, bestImpressions, exploredImpressions, impressionsToExit } = played;
  const exited = impressionsToExit.map((n) => (Number.isNaN(n) ? 0 : 1));
  const untilExit = impressionsToExit.map((n) => (Number.isNaN(n) ? 0 : n));
  const ratios: RatioOfSums[] = [
    { above: clicks },
    { above: regret },
    { above: bestImpressions, below: impressions },
    { above: exploredImpressions, below: impressions },
    { above: exited, below: exited.map(() => 1) },
    { above: untilExit, below: exited },
    { above: regret, below: first.regret },
    { above: clicks, below: first.clicks },
  ];
  // The same draws of tests for every policy.
  const intervals = bootstrapRatios(ratios, createRandom(seed).fork('bootstrap over tests'), resamples);
  const [ofClicks, ofRegret, ofBest, ofExplored, ofExited] = intervals as Interval[];
  const [, , , , , ofExit, regretRatio, clicksRatio] = intervals;
  return {
    policy,
    impressions: impressions.reduce((sum, n) => sum + n, 0),
    clicks: ofClicks.value,
    regret: ofRegret.value,
    bestArmShare: ofBest.value,
    exploredShare: ofExplored.value,
    exitedShare: ofExited.value,
    exposuresToExit: ofExit?.value ?? null,
    interval: {
      clicks: rangeOf(ofClicks),
      regret: rangeOf(ofRegret),
      bestArmShare: rangeOf(ofBest),
      exploredShare: rangeOf(ofExplored),
      exposuresToExit: ofExit && rangeOf(ofExit),
    },
    overFirst: { regret: regretRatio, clicks: clicksRatio },
  };
}

const rangeOf = ({ low, high }: Interval): Range => [low, high];
