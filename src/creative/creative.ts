import type { Random } from '../core/random.ts';

/*
 * The words of this folder. An *arm* is a creative of an ad; ads are played apart from each other: each is a bandit whose arms are its
 * creatives. What has been shown and what came of it is the bandit's *record*, in typed arrays by arm, which its owner saves as a plain
 * value. Choosing reads what the last `settle` made of the record, so that it costs nothing but a few multiplications an arm.
 */

/** Which creatives there are: ad `a` has arms `offsets[a]` to `offsets[a + 1]`. In service a catalog's, in a replay those of tests. */
export interface Arms {
  /** [ads + 1]. */
  readonly offsets: Int32Array;
  /** What the record is kept under, so that it outlives a catalog: ids as text, [ads] and [arms]. */
  readonly adKeys: readonly string[];
  readonly creativeKeys: readonly string[];
}

/** What one request asks: a creative for each of its candidate ads. */
export interface CreativeQuestion {
  /** Candidates. */
  readonly count: number;
  /** [count]: the ad of each, −1 for one that the bandit does not know, whose variants are compared by the model alone. */
  readonly ads: Int32Array;
  /** [count + 1]: where each candidate's variants begin; as many as its ad has arms, in their order. */
  readonly variantOffsets: Int32Array;
  /** [variants] the model's calibrated p(click) of each; absent where there is no model. */
  readonly p?: Float32Array | Float64Array;
  /** [contextSize] of a contextual policy. */
  readonly context?: Float64Array;
  readonly random: Random;
}

/** What is answered, in arrays of the caller that are at least as long. */
export interface CreativeChoices {
  /** [count]: the chosen variant, counted over all candidates. */
  readonly variants: Int32Array;
  /** [count]: how likely this choice was; above 0. */
  readonly propensities: Float64Array;
  /** [variants]: how likely each would have been chosen, a candidate's sum to 1; where absent nobody asks. */
  readonly shares?: Float64Array;
}

/** What was shown of an arm and what came of it, added up over any number of impressions; what is known later comes later. */
export interface ArmCounts {
  readonly arm: number;
  /** When the impressions were: they and what came of them count in that time's window. */
  readonly timeMs: number;
  /** The slot, 1 the best; where absent the impressions count as of the best. */
  readonly position?: number;
  readonly impressions?: number;
  readonly clicks?: number;
  readonly revenueMicros?: number;
  /** View time of `views` impressions. */
  readonly viewMs?: number;
  readonly views?: number;
  /** Σ of the model's logits of these impressions. */
  readonly logits?: number;
  /** [contextSize] that these impressions had in common, for a contextual policy. */
  readonly context?: Float64Array;
}

/** Chooses creatives and learns from what came of it; one request at a time. */
export interface Bandit {
  readonly arms: Arms;
  /** @throws RangeError for arrays that do not fit each other: our own bug */
  choose(question: CreativeQuestion, choices: CreativeChoices): void;
  /**
   * Adds to the record; choices follow it from the next `settle` on.
   *
   * @throws UserError for an unknown arm, negative numbers, more clicks than impressions; the record is then as it was
   */
  add(counts: ArmCounts): void;
  /** Makes ready what `choose` reads, of the ads whose record has changed or whose window has ended. */
  settle(nowMs: number): void;
}
