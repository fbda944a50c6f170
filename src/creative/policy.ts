import type { BanditSettings } from './settings.ts';

/**
 * What a policy is told of an ad: its arms' corrected statistics, in arrays that are used again for the next ad and may be longer than
 * `count`. A reward is `slopes[i]` times a CTR in the best position, plus `intercepts[i]`.
 */
export interface AdStatistics {
  count: number;
  /** [count] what is learned from: exposures, and their clicks. */
  readonly exposures: Float64Array;
  readonly clicks: Float64Array;
  /** [count] likewise of the last windows only, for a policy that is `recent`. */
  readonly recentExposures: Float64Array;
  readonly recentClicks: Float64Array;
  /** Σ exposures. */
  shown: number;
  /** The ad's own CTR, which its creatives' are supposed to be like. */
  rate: number;
  /** [count] posterior means and standard deviations of the CTRs. */
  readonly means: Float64Array;
  readonly deviations: Float64Array;
  readonly slopes: Float64Array;
  readonly intercepts: Float64Array;
}

/** A way to explore: the arm of the highest reward is chosen, `bonuses` added where there are any; of one that has `shares` an arm by chance. */
export interface Policy {
  /** The share of choices that is drawn from all arms. */
  readonly epsilon: number;
  /** Writes what is added to each arm's CTR before rewards are compared. */
  bonuses?(ad: AdStatistics, bonuses: Float64Array): void;
  /** Writes how likely each arm is chosen; they sum to 1. */
  shares?(ad: AdStatistics, shares: Float64Array): void;
  /** Looks at the last windows' counts too. */
  readonly recent?: true;
  /** α of a policy that adds what it knows of the question's context. */
  readonly linearConfidence?: number;
}

/** A policy under these settings. */
export type CreatePolicy = (settings: BanditSettings) => Policy;

/** Of an arm that was never shown, where a formula says infinity: any other reward is less. */
export const FIRST = 1e9;
