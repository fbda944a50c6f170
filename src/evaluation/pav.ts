/** Runs of neighbouring points pooled into one level. */
export interface IsotonicBlocks {
  /** First point of each block; block b holds points `starts[b] .. starts[b + 1]` (the last one: to the end). */
  starts: number[];
  /** Weighted mean of each block's values, strictly increasing. */
  levels: number[];
}

/**
 * The non-decreasing step function nearest to `values` in weighted squares, by pool-adjacent-violators, in linear time:
 * while a block's level is not above its predecessor's, the two become one with their common mean.
 *
 * @param weights above 0, one a value
 * @see Ayer et al. 1955, "An empirical distribution function for sampling with incomplete information"
 */
export function poolAdjacentViolators(values: readonly number[], weights: readonly number[]): IsotonicBlocks {
  const starts: number[] = [];
  const levels: number[] = [];
  const blockWeights: number[] = [];
  for (let i = 0; i < values.length; i++) {
    let start = i;
    let level = values[i];
    let weight = weights[i];
    while (levels.length > 0 && levels[levels.length - 1] >= level) {
      const pooledWeight = blockWeights.pop()!;
      level = (levels.pop()! * pooledWeight + level * weight) / (pooledWeight + weight);
      weight += pooledWeight;
      start = starts.pop()!;
    }
    starts.push(start);
    levels.push(level);
    blockWeights.push(weight);
  }
  return { starts, levels };
}
