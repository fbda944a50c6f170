import { clamp, sigmoid } from '../core/numerics.ts';
import { findChange } from './change.ts';
import { Choosing, correction, EXPLORES, HAS_EXITED, HAS_SHARES } from './choosing.ts';
import { Contexts } from './contexts.ts';
import type { ArmCounts, Arms, Bandit, CreativeChoices, CreativeQuestion } from './creative.ts';
import { findLeader, isStable, type Leader } from './exit.ts';
import { policies } from './policies.ts';
import type { AdStatistics, Policy } from './policy.ts';
import { createStatistics, fitPosterior, readCounts, readRecentCounts } from './posterior.ts';
import { CreativeRecord } from './record.ts';
import { ViewTime, writeRewards } from './reward.ts';
import { type KeptAside, restoreState, saveState } from './savedState.ts';
import type { BanditSettings } from './settings.ts';
import type { BanditState } from './state.ts';

/** What a bandit knows of an ad, as of the last `settle`. */
export interface AdStanding {
  readonly hasExited: boolean;
  /** When what is learned from begins: the window of the last change. */
  readonly sinceMs: number;
  /** Share of the reward that showing the leader alone is expected to lose. */
  readonly expectedLoss: number;
  /** Arm of the highest expected reward. */
  readonly leader: number;
  /** [arms of the ad] corrected CTRs, shrunken. */
  readonly ctrs: Float64Array;
}

/** A bandit that can be saved, and asked where its ads stand. */
export interface CreativeBandit extends Bandit {
  readonly settings: BanditSettings;
  readonly record: CreativeRecord;
  /** Adds all of them or none, in whatever order: a click may stand before its impression. @throws UserError as `add` */
  addAll(counts: readonly ArmCounts[]): void;
  /** Throws what `addAll` would, and changes nothing. */
  check(counts: readonly ArmCounts[]): void;
  /** Whether the best alone is shown, but for ε, as of the last `settle`. */
  hasExited(ad: number): boolean;
  standing(ad: number): AdStanding;
  /** Ads that explore and have exited, and how often a change has reopened one. */
  stats(): { exploring: number; exited: number; reopened: number; lambda: number };
  /** All that it holds, as a plain value; see `mergeBanditStates`. */
  save(): BanditState;
}

/**
 * A bandit over these arms that has seen nothing, or goes on where a state was saved: what that holds of other arms is kept aside and saved
 * again, until they have been gone for the settings' `goneDays`.
 *
 * @param source how messages name the state, e.g. the file's path
 * @throws UserError for a state that `readBanditState` refuses
 */
export function createBandit(
  arms: Arms,
  settings: BanditSettings,
  state?: unknown,
  source = 'bandit state',
): CreativeBandit {
  return new PlayingBandit(arms, settings, state, source);
}

const SHARPNESS_MOST = 6;
/** Ads whose window's end one `settle` sees to, some 20 ms of work: those beyond wait for the next, so that no request waits long. */
const ENDED_MOST = 4096;

class PlayingBandit implements CreativeBandit {
  readonly arms: Arms;
  readonly settings: BanditSettings;
  readonly record: CreativeRecord;
  readonly #policy: Policy;
  readonly #choosing: Choosing;
  readonly #contexts: Contexts | undefined;
  readonly #viewTime = new ViewTime();
  readonly #keptAside: KeptAside;
  #reopened = 0;
  readonly #statistics: AdStatistics;
  readonly #leader: Leader = { arm: 0, loss: 0 };
  readonly #scratch: Float64Array;
  /** Ads whose record has changed since they were settled. */
  readonly #isChanged: Uint8Array;
  readonly #changed: Int32Array;
  #changedCount = 0;
  /** Ads whose window has ended and that wait for it, from `#endedNext` on. */
  #endedCount = 0;
  #endedNext = 0;

  constructor(arms: Arms, settings: BanditSettings, state: unknown, source: string) {
    this.arms = arms;
    this.settings = settings;
    this.record = new CreativeRecord(arms, settings);
    const { adCount, armCount } = this.record;
    this.#policy = policies[settings.policy](settings);
    let most = 0;
    for (let ad = 0; ad < adCount; ad++) most = Math.max(most, arms.offsets[ad + 1] - arms.offsets[ad]);
    const width = this.#policy.linearConfidence;
    const epsilon = { exploring: this.#policy.epsilon, exited: settings.epsilon };
    if (width === undefined) this.#choosing = new Choosing(arms, most, epsilon);
    else {
      this.#contexts = new Contexts(armCount, settings.contextSize);
      this.#choosing = new Choosing(arms, most, epsilon, { learned: this.#contexts, width });
    }
    this.#statistics = createStatistics(most);
    this.#scratch = new Float64Array(most);
    this.#isChanged = new Uint8Array(adCount);
    this.#changed = new Int32Array(adCount);
    this.#keptAside = restoreState(state, this.record, this.#viewTime, this.#contexts, source);
    this.#viewTime.follow(this.record, settings);
    for (let ad = 0; ad < adCount; ad++) this.#settleAd(ad);
  }

  choose(question: CreativeQuestion, choices: CreativeChoices): void {
    this.#choosing.choose(question, choices);
  }

  check(counts: readonly ArmCounts[]): void {
    this.record.check(counts);
    for (const { context } of counts) if (context !== undefined) this.#contexts?.check(context);
  }

  addAll(counts: readonly ArmCounts[]): void {
    this.check(counts);
    for (const one of counts) this.#add(one);
  }

  add(counts: ArmCounts): void {
    this.addAll([counts]);
  }

  #add(counts: ArmCounts): void {
    const { arm, context, clicks = 0 } = counts;
    const exposures = this.record.add(counts);
    this.#viewTime.add(counts);
    if (context !== undefined) {
      const { logits, impressions = 0 } = counts;
      const meanLogit = logits !== undefined && impressions > 0 ? logits / impressions : this.#meanLogit(arm);
      this.#contexts?.add(arm, context, exposures, clicks, meanLogit);
    }
    this.#change(this.record.adOf[arm]);
  }

  #change(ad: number): void {
    if (this.#isChanged[ad] === 1) return;
    this.#isChanged[ad] = 1;
    this.#changed[this.#changedCount++] = ad;
  }

  settle(nowMs: number): void {
    const { record, settings } = this;
    if (record.advance(nowMs)) {
      this.#viewTime.follow(record, settings);
      this.#endedCount = record.adCount;
    }
    this.#endWindows();
    for (let i = 0; i < this.#changedCount; i++) {
      this.#settleAd(this.#changed[i]);
      this.#isChanged[this.#changed[i]] = 0;
    }
    this.#changedCount = 0;
  }

  /** Goes on with the ads, round and round, whose window has ended. */
  #endWindows(): void {
    const { adCount } = this.record;
    for (let left = ENDED_MOST; this.#endedCount > 0 && left > 0; this.#endedCount--) {
      const ad = this.#endedNext;
      this.#endedNext = (ad + 1) % adCount;
      if (!this.#hasBeenShown(ad)) continue;
      this.#reopenIfChanged(ad);
      this.#change(ad);
      left--;
    }
  }

  #hasBeenShown(ad: number): boolean {
    for (let arm = this.arms.offsets[ad]; arm < this.arms.offsets[ad + 1]; arm++)
      if (this.record.totals.impressions[arm] > 0) return true;
    return false;
  }

  /** Forgets what was before a change in one of the creatives of an ad that has exited. */
  #reopenIfChanged(ad: number): void {
    const { record, settings } = this;
    if (!this.hasExited(ad)) return;
    readCounts(record, ad, this.#statistics);
    fitPosterior(this.#statistics, settings);
    let since = -1;
    for (let arm = this.arms.offsets[ad]; arm < this.arms.offsets[ad + 1]; arm++)
      since = Math.max(since, findChange(record, arm, this.#statistics.rate, settings));
    if (since < 0) return;
    record.forgetBefore(ad, since);
    // Contexts have no windows: what they hold is all from before.
    for (let arm = this.arms.offsets[ad]; arm < this.arms.offsets[ad + 1]; arm++) this.#contexts?.clear(arm);
    this.#reopened++;
  }

  #settleAd(ad: number): void {
    const { record, settings } = this;
    const statistics = this.#statistics;
    readCounts(record, ad, statistics);
    if (this.#policy.recent) readRecentCounts(record, ad, statistics);
    fitPosterior(statistics, settings);
    writeRewards(record, ad, statistics, this.#viewTime, settings);
    findLeader(statistics, this.#leader);
    const hasExited =
      settings.exit && this.#leader.loss < settings.exitLoss && isStable(record, ad, statistics, settings);
    this.#writePolicy(ad, hasExited);
    this.#writeExplore(ad);
  }

  #writePolicy(ad: number, hasExited: boolean): void {
    const policy = this.#policy;
    const choosing = this.#choosing;
    const statistics = this.#statistics;
    const { count, means, slopes, intercepts } = statistics;
    const first = this.arms.offsets[ad];
    const bonuses = this.#scratch.fill(0);
    choosing.modes[ad] = hasExited ? HAS_EXITED : policy.shares ? HAS_SHARES : EXPLORES;
    if (!hasExited && policy.shares) {
      policy.shares(statistics, choosing.shares.subarray(first, first + count));
      choosing.sharpness[ad] = sharpnessOf(statistics);
    } else if (!hasExited) policy.bonuses?.(statistics, bonuses);
    for (let i = 0; i < count; i++) {
      const arm = first + i;
      const odds = this.#contexts ? this.#provenOf(arm) : this.#oddsOf(arm, means[i]);
      choosing.setReward(arm, odds, slopes[i], intercepts[i], means[i], bonuses[i]);
      this.#contexts?.settle(arm, means[i], this.settings.likenessClicks / statistics.rate, this.#meanLogit(arm));
    }
  }

  /** e^(α·(logit of the record − mean logit of the model)), α rising with views. */
  #oddsOf(arm: number, mean: number): number {
    return Math.exp(this.#provenOf(arm) * correction(mean, this.#meanLogit(arm)));
  }

  /** α; 0 where it is not known what the model said. */
  #provenOf(arm: number): number {
    const { impressions, logitImpressions } = this.record.totals;
    const { longTailViews, longTailScale } = this.settings;
    return logitImpressions[arm] === 0 ? 0 : sigmoid((impressions[arm] - longTailViews) / longTailScale);
  }

  #meanLogit(arm: number): number {
    const { logits, logitImpressions } = this.record.totals;
    return logitImpressions[arm] === 0 ? 0 : logits[arm] / logitImpressions[arm];
  }

  /** Half of ε goes to all arms alike, so that every choice can be evaluated; half to what they lack of the window's floor. */
  #writeExplore(ad: number): void {
    const { record, settings } = this;
    const first = this.arms.offsets[ad];
    const { count } = this.#statistics;
    const at = record.windowAt(record.window) + first;
    const scratch = this.#scratch;
    let lacking = 0;
    for (let i = 0; i < count; i++) {
      scratch[i] = Math.max(0, settings.windowFloor - record.windowExposures[at + i]);
      lacking += scratch[i];
    }
    for (let i = 0; i < count; i++)
      this.#choosing.setExplore(first + i, lacking > 0 ? (1 / count + scratch[i] / lacking) / 2 : 1 / count);
  }

  hasExited(ad: number): boolean {
    return this.#choosing.modes[ad] === HAS_EXITED;
  }

  standing(ad: number): AdStanding {
    const { record, settings } = this;
    const statistics = this.#statistics;
    readCounts(record, ad, statistics);
    fitPosterior(statistics, settings);
    writeRewards(record, ad, statistics, this.#viewTime, settings);
    findLeader(statistics, this.#leader);
    return {
      hasExited: this.hasExited(ad),
      sinceMs: record.since[ad] * record.windowMs,
      expectedLoss: this.#leader.loss,
      leader: this.arms.offsets[ad] + this.#leader.arm,
      ctrs: statistics.means.slice(0, statistics.count),
    };
  }

  stats() {
    let exited = 0;
    for (const mode of this.#choosing.modes) if (mode === HAS_EXITED) exited++;
    return { exploring: this.record.adCount - exited, exited, reopened: this.#reopened, lambda: this.#viewTime.lambda };
  }

  save(): BanditState {
    return saveState(this.record, this.#viewTime, this.#contexts, this.#keptAside);
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
