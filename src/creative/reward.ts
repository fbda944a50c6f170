import { clamp } from '../core/numerics.ts';
import type { ArmCounts } from './creative.ts';
import type { AdStatistics } from './policy.ts';
import type { CreativeRecord } from './record.ts';
import type { BanditSettings } from './settings.ts';

/** Views that a creative's mean view time is as good as none below. */
const VIEWS = 20;

/**
 * The quality of experience and its weight λ, a dual variable of "mean view time is at least its target": at each window's end
 *
 *   λ ← clamp(λ + qoeStep·(1 − mean view time told in the window / target), 0, qoeMost)
 *
 * so that it rises while view time is below its target, and goes back to 0 while it is above. Each view counts once, in the window in which
 * it is told, however long ago the impression was: the longest views are told last, and the mean of those that a window's end does not cut
 * off would be too short, always. Told late, they only move λ later. A creative's bonus is its mean view time, standardised over all
 * creatives, and drawn to 0 while views are few.
 */
export class ViewTime {
  lambda = 0;
  /** Number of the last window that λ has followed. */
  window = -1;
  /** Told since. */
  viewMs = 0;
  views = 0;
  #mean = 0;
  #deviation = 0;

  /** Counts that the record has taken in. */
  add({ viewMs = 0, views = 0 }: Pick<ArmCounts, 'viewMs' | 'views'>): void {
    this.viewMs += Math.round(viewMs);
    this.views += views;
  }

  /** After windows have ended, or time has gone back. */
  follow(record: CreativeRecord, { viewMsTarget, qoeStep, qoeMost }: BanditSettings): void {
    const hasEnded = this.window < record.window - 1;
    this.window = record.window - 1;
    if (hasEnded) {
      const shortfall = this.views > 0 ? 1 - this.viewMs / this.views / viewMsTarget : 0;
      if (viewMsTarget > 0) this.lambda += qoeStep * shortfall;
      [this.viewMs, this.views] = [0, 0];
    }
    if (viewMsTarget <= 0) return;
    // Also that of a state whose bound was another.
    this.lambda = clamp(this.lambda, 0, qoeMost);
    this.#standardise(record);
  }

  #standardise({ totals: { viewMs, views }, armCount }: CreativeRecord): void {
    let [allMs, all, squares] = [0, 0, 0];
    for (let arm = 0; arm < armCount; arm++) {
      allMs += viewMs[arm];
      all += views[arm];
    }
    this.#mean = all > 0 ? allMs / all : 0;
    for (let arm = 0; arm < armCount; arm++)
      if (views[arm] > 0) squares += views[arm] * (viewMs[arm] / views[arm] - this.#mean) ** 2;
    this.#deviation = all > 0 ? Math.sqrt(squares / all) : 0;
  }

  /** λ·bonus of a creative. */
  bonus({ totals: { viewMs, views } }: CreativeRecord, arm: number): number {
    if (this.lambda === 0 || this.#deviation === 0 || views[arm] === 0) return 0;
    const standardised = (viewMs[arm] / views[arm] - this.#mean) / this.#deviation;
    return (this.lambda * standardised * views[arm]) / (views[arm] + VIEWS);
  }
}

/**
 * The reward of an impression, by what it is linear in, a CTR:
 *
 *   w1·(ctr/μ − 1) + w2·(ctr·v_a/(μ·v) − 1) + λ·bonus_a = slope_a·ctr + intercept_a − w1 − w2
 *
 * μ is the ad's CTR, v its revenue a click, v_a that of the creative, drawn to the ad's as CTRs are. The constant is left out, since rewards
 * are only compared within an ad.
 */
export function writeRewards(
  record: CreativeRecord,
  ad: number,
  statistics: AdStatistics,
  viewTime: ViewTime,
  { clickWeight, revenueWeight, likenessClicks }: BanditSettings,
): void {
  const { count, rate, slopes, intercepts } = statistics;
  const { clicks, revenueMicros } = record.totals;
  const first = record.arms.offsets[ad];
  let [adClicks, adMicros] = [0, 0];
  for (let arm = first; arm < first + count; arm++) {
    adClicks += clicks[arm];
    adMicros += revenueMicros[arm];
  }
  const clickMicros = adClicks > 0 ? adMicros / adClicks : 0;
  for (let i = 0; i < count; i++) {
    const arm = first + i;
    const drawn = (revenueMicros[arm] + likenessClicks * clickMicros) / (clicks[arm] + likenessClicks);
    const worth = clickMicros > 0 ? drawn / clickMicros : 1;
    slopes[i] = (clickWeight + revenueWeight * worth) / rate;
    intercepts[i] = viewTime.bonus(record, arm);
  }
}
