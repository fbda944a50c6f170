import { UserError } from '../core/errors.ts';
import type { RateCounts } from './rateRatio.ts';

/** One creative's windows in order of time, a value each. */
export interface Windows {
  readonly startMs: Float64Array;
  /** Σ impressions · examination, above 0. */
  readonly exposures: Float64Array;
  readonly clicks: Float64Array;
  /**
   * How often the viewers had seen the creative before, on average over the impressions. NaN in rows where it is not known: a creative with
   * such a window has none.
   */
  readonly frequency?: Float64Array;
}

/** What was shown of creatives by window, a row each; rows in any order. */
export interface CreativeWindows extends Windows {
  /** [rows] index of the creative. */
  readonly creatives: Int32Array;
}

/** Windows one after the other, taken together. */
export interface Run extends RateCounts {
  /** Index of the first, and how many. */
  readonly first: number;
  readonly length: number;
  /** Starts of the first and the last window. */
  readonly fromMs: number;
  readonly toMs: number;
  /** Clicks per exposure: the CTR in the best position. The peak's is shrunken to the creative's mean. */
  readonly rate: number;
}

/**
 * Each creative's windows in order of time, in order of creative. Windows without exposures are left out: they tell nothing.
 *
 * @throws UserError naming the row whose exposures, clicks or frequency are negative, that has clicks without exposures, or whose creative
 *   and start another row has
 */
export function windowsByCreative(rows: CreativeWindows): Map<number, Windows> {
  checkRows(rows);
  const { creatives, startMs, exposures } = rows;
  const order = [...creatives.keys()].filter((row) => exposures[row] > 0);
  order.sort((a, b) => creatives[a] - creatives[b] || startMs[a] - startMs[b]);
  const found = new Map<number, Windows>();
  for (let from = 0, to = 0; from < order.length; from = to) {
    const creative = creatives[order[from]];
    for (to = from + 1; to < order.length && creatives[order[to]] === creative; to++) {
      if (startMs[order[to]] !== startMs[order[to - 1]]) continue;
      throw new UserError(
        `decay: rows ${order[to - 1]} and ${order[to]} both have creative ${creative} from ${startMs[order[to]]}; add them up`,
      );
    }
    const take = (column: Float64Array) => Float64Array.from(order.slice(from, to), (row) => column[row]);
    const frequency = rows.frequency && take(rows.frequency);
    found.set(creative, {
      startMs: take(startMs),
      exposures: take(exposures),
      clicks: take(rows.clicks),
      ...(frequency && !frequency.some(Number.isNaN) && { frequency }),
    });
  }
  return found;
}

function checkRows({ creatives, startMs, exposures, clicks, frequency }: CreativeWindows): void {
  const lengths = [startMs, exposures, clicks, frequency ?? clicks].map(({ length }) => length);
  if (lengths.some((length) => length !== creatives.length)) {
    throw new UserError(
      `decay: columns have ${creatives.length}, ${lengths.join(', ')} rows; expected as many in each`,
    );
  }
  const isAmount = (value: number) => value >= 0 && value < Number.POSITIVE_INFINITY;
  for (let row = 0; row < creatives.length; row++) {
    if (!Number.isFinite(startMs[row]))
      throw new UserError(`decay: row ${row} starts at ${startMs[row]}; expected a time`);
    // Clicks may outnumber exposures, which count an impression in a lower position as less than one.
    if (!isAmount(exposures[row]) || !isAmount(clicks[row]) || (exposures[row] === 0 && clicks[row] > 0)) {
      throw new UserError(
        `decay: row ${row} has ${clicks[row]} clicks of ${exposures[row]} exposures; expected 0 or more, and exposures where there are clicks`,
      );
    }
    if (frequency && !Number.isNaN(frequency[row]) && !isAmount(frequency[row])) {
      throw new UserError(`decay: row ${row} has a frequency of ${frequency[row]}; expected 0 or more`);
    }
  }
}

export function runOf({ startMs, clicks, exposures }: Windows, first: number, length: number): Run {
  const end = first + length;
  const counts = { clicks: sum(clicks.subarray(first, end)), exposures: sum(exposures.subarray(first, end)) };
  const rate = counts.clicks / counts.exposures;
  return { first, length, fromMs: startMs[first], toMs: startMs[end - 1], ...counts, rate };
}

/** The runs of `length` windows that end with window `end` or so many before it: one after the other, the latest first. */
export function runsBefore(windows: Windows, end: number, length: number, step = length): Run[] {
  const runs: Run[] = [];
  for (let first = end - length; first >= 0; first -= step) runs.push(runOf(windows, first, length));
  return runs;
}

/**
 * σ², the variance of what windows of themselves do to the logarithm of a rate, the same for creatives of any size. Of two neighbouring
 * windows of one creative the split of their clicks has
 *
 *   X² = (c − Nπ)² / (Nπ(1 − π)),  N their clicks, π the first one's share of their exposures        E X² = 1 + σ²·2Nπ(1 − π)
 *
 * so that X² over that has the median of χ² of one degree, 0.455, and σ² is the median of (X²/0.455 − 1) / (2Nπ(1 − π)), 0 at least. A
 * trend moves neighbours little, a sudden fall only one pair.
 */
export function windowVariance(creatives: readonly Windows[]): number {
  const variances: number[] = [];
  for (const { clicks, exposures } of creatives) {
    for (let w = 1; w < clicks.length; w++) {
      const both = clicks[w - 1] + clicks[w];
      const share = exposures[w - 1] / (exposures[w - 1] + exposures[w]);
      // With fewer clicks it takes too few values for a median.
      if (both >= 20 && share > 0.05 && share < 0.95) {
        const poisson = both * share * (1 - share);
        variances.push(((clicks[w - 1] - both * share) ** 2 / poisson / 0.455 - 1) / (2 * poisson));
      }
    }
  }
  if (variances.length < 10) return 0;
  variances.sort((a, b) => a - b);
  return Math.max(0, variances[variances.length >> 1]);
}

/**
 * How much more than Poisson's a creative's clicks vary over its windows, as a ratio of variances: that of Σ c is Σ c + σ²·Σ c².
 *
 * @param variance σ², of `windowVariance`
 */
export function dispersionOf({ clicks }: Windows, variance: number): number {
  const total = sum(clicks);
  return total === 0 ? 1 : 1 + (variance * sum(clicks.map((count) => count ** 2))) / total;
}

/**
 * Page's cumulative sum of the evidence, window by window, that the rate is `share` of `rate` rather than all of it:
 *
 *   S = max(0, S + clicks·ln share + exposures·rate·(1 − share))
 *
 * @see Page 1954, "Continuous inspection schemes"
 */
export function cusumOfFall({ clicks, exposures }: Windows, rate: number, share: number): Float64Array {
  let total = 0;
  return clicks.map((clicks, w) => {
    total = Math.max(0, total + clicks * Math.log(share) + exposures[w] * rate * (1 - share));
    return total;
  });
}

export function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0);
}
