import { clamp, sigmoid } from '../core/numerics.ts';
import { type Choosing, correction, EXPLORES, HAS_EXITED, HAS_SHARES } from './choosing.ts';
import type { Contexts } from './contexts.ts';
import { findLeader, isStable, type Leader } from './exit.ts';
import type { AdStatistics, Policy } from './policy.ts';
import { createStatistics, fitPosterior, readCounts, readRecentCounts } from './posterior.ts';
import type { CreativeRecord } from './record.ts';
import { type ViewTime, writeRewards } from './reward.ts';
import type { BanditSettings } from './settings.ts';

const SHARPNESS_MOST = 6;

/** What an ad is settled from, and what for. */
export interface SettlingParts {
  readonly record: CreativeRecord;
  readonly settings: BanditSettings;
  readonly policy: Policy;
  readonly viewTime: ViewTime;
  readonly contexts: Contexts | undefined;
  readonly choosing: Choosing;
}

/** Makes of an ad's record what `Choosing` reads: rewards and bonuses or shares, how ε is drawn, and whether exploration has ended. */
export class Settling {
  readonly #parts: SettlingParts;
  readonly #statistics: AdStatistics;
  readonly #leader: Leader = { arm: 0, loss: 0 };
  /** [arms of an ad] */
  readonly #scratch: Float64Array;

  /** @param most the arms of the ad that has most */
  constructor(parts: SettlingParts, most: number) {
    this.#parts = parts;
    this.#statistics = createStatistics(most);
    this.#scratch = new Float64Array(most);
  }

  /** The ad's own CTR, which its creatives' are supposed to be like. */
  rateOf(ad: number): number {
    const { record, settings } = this.#parts;
    readCounts(record, ad, this.#statistics);
    fitPosterior(this.#statistics, settings);
    return this.#statistics.rate;
  }

  /** The creative of the highest expected reward, by its number in the ad, what showing it alone is expected to lose, and all their CTRs. */
  leaderOf(ad: number): Leader & { readonly ctrs: Float64Array } {
    this.#fit(ad);
    const { means, count } = this.#statistics;
    return { ...this.#leader, ctrs: means.slice(0, count) };
  }

  #fit(ad: number): void {
    const { record, settings, viewTime } = this.#parts;
    this.rateOf(ad);
    writeRewards(record, ad, this.#statistics, viewTime, settings);
    findLeader(this.#statistics, this.#leader);
  }

  settle(ad: number): void {
    const { record, settings, policy } = this.#parts;
    this.#fit(ad);
    if (policy.recent) readRecentCounts(record, ad, this.#statistics);
    const hasExited =
      settings.exit && this.#leader.loss < settings.exitLoss && isStable(record, ad, this.#statistics, settings);
    this.#writePolicy(ad, hasExited);
    this.#writeExplore(ad);
  }

  #writePolicy(ad: number, hasExited: boolean): void {
    const { record, settings, policy, contexts, choosing } = this.#parts;
    const statistics = this.#statistics;
    const { count, means, slopes, intercepts } = statistics;
    const first = record.arms.offsets[ad];
    const bonuses = this.#scratch.fill(0);
    choosing.modes[ad] = hasExited ? HAS_EXITED : policy.shares ? HAS_SHARES : EXPLORES;
    if (!hasExited && policy.shares) {
      policy.shares(statistics, choosing.shares.subarray(first, first + count));
      choosing.sharpness[ad] = sharpnessOf(statistics);
    } else if (!hasExited) policy.bonuses?.(statistics, bonuses);
    for (let i = 0; i < count; i++) {
      const arm = first + i;
      const odds = contexts ? this.#provenOf(arm) : this.#oddsOf(arm, means[i]);
      choosing.setReward(arm, odds, slopes[i], intercepts[i], means[i], bonuses[i]);
      contexts?.settle(arm, means[i], settings.likenessClicks / statistics.rate, record.meanLogit(arm));
    }
  }

  /** e^(α·(logit of the record − mean logit of the model)), α rising with views. */
  #oddsOf(arm: number, mean: number): number {
    return Math.exp(this.#provenOf(arm) * correction(mean, this.#parts.record.meanLogit(arm)));
  }

  /** α; 0 where it is not known what the model said. */
  #provenOf(arm: number): number {
    const { record, settings } = this.#parts;
    const { impressions, logitImpressions } = record.totals;
    const { longTailViews, longTailScale } = settings;
    return logitImpressions[arm] === 0 ? 0 : sigmoid((impressions[arm] - longTailViews) / longTailScale);
  }

  /** Half of ε goes to all arms alike, so that every choice can be evaluated; half to what they lack of the window's floor. */
  #writeExplore(ad: number): void {
    const { record, settings, choosing } = this.#parts;
    const first = record.arms.offsets[ad];
    const { count } = this.#statistics;
    const at = record.windowAt(record.window) + first;
    const scratch = this.#scratch;
    let lacking = 0;
    for (let i = 0; i < count; i++) {
      scratch[i] = Math.max(0, settings.windowFloor - record.windowExposures[at + i]);
      lacking += scratch[i];
    }
    for (let i = 0; i < count; i++)
      choosing.setExplore(first + i, lacking > 0 ? (1 / count + scratch[i] / lacking) / 2 : 1 / count);
  }
}

/**
 * How steeply an arm's chance to be best rises with its reward, as a power of two: of normal rewards that are s apart from chance, by about
 * e^(difference/(0.78 s)), which for small differences is (ratio)^(reward/(0.78 s)).
 */
function sharpnessOf({ count, means, deviations, slopes, intercepts }: AdStatistics): number {
  let [rewards, squares] = [0, 0];
  for (let i = 0; i < count; i++) {
    rewards += slopes[i] * means[i] + intercepts[i];
    squares += (slopes[i] * deviations[i]) ** 2;
  }
  const steepness = rewards / count / (0.78 * Math.sqrt(squares / count));
  return clamp(Math.round(Math.log2(Math.max(1, steepness))), 0, SHARPNESS_MOST);
}
