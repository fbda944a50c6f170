import { findChange } from './change.ts';
import { Choosing, HAS_EXITED } from './choosing.ts';
import { Contexts } from './contexts.ts';
import type { ArmCounts, Arms, Bandit, CreativeChoices, CreativeQuestion } from './creative.ts';
import { policies } from './policies.ts';
import { CreativeRecord } from './record.ts';
import { ViewTime } from './reward.ts';
import { type KeptAside, restoreState, type StateInParts, saveState } from './savedState.ts';
import type { BanditSettings } from './settings.ts';
import { Settling } from './settling.ts';
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
  /** The same with its ads made as they are asked for, between which the bandit may go on; each is as of then. */
  saveInParts(): StateInParts;
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

/** Ads whose window's end one `settle` sees to, some 20 ms of work: those beyond wait for the next, so that no request waits long. */
const ENDED_MOST = 4096;

class PlayingBandit implements CreativeBandit {
  readonly arms: Arms;
  readonly settings: BanditSettings;
  readonly record: CreativeRecord;
  readonly #choosing: Choosing;
  readonly #settling: Settling;
  readonly #contexts: Contexts | undefined;
  readonly #viewTime = new ViewTime();
  readonly #keptAside: KeptAside;
  #reopened = 0;
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
    const policy = policies[settings.policy](settings);
    let most = 0;
    for (let ad = 0; ad < adCount; ad++) most = Math.max(most, arms.offsets[ad + 1] - arms.offsets[ad]);
    const width = policy.linearConfidence;
    const epsilon = { exploring: policy.epsilon, exited: settings.epsilon };
    if (width === undefined) this.#choosing = new Choosing(arms, epsilon);
    else {
      this.#contexts = new Contexts(armCount, settings.contextSize);
      this.#choosing = new Choosing(arms, epsilon, { learned: this.#contexts, width });
    }
    const [record, viewTime, contexts, choosing] = [this.record, this.#viewTime, this.#contexts, this.#choosing];
    this.#settling = new Settling({ record, settings, policy, viewTime, contexts, choosing }, most);
    this.#isChanged = new Uint8Array(adCount);
    this.#changed = new Int32Array(adCount);
    this.#keptAside = restoreState(state, this.record, this.#viewTime, this.#contexts, source);
    this.#viewTime.follow(this.record, settings);
    for (let ad = 0; ad < adCount; ad++) this.#settling.settle(ad);
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
      const meanLogit = logits !== undefined && impressions > 0 ? logits / impressions : this.record.meanLogit(arm);
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
      this.#settling.settle(this.#changed[i]);
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
    const rate = this.#settling.rateOf(ad);
    let since = -1;
    for (let arm = this.arms.offsets[ad]; arm < this.arms.offsets[ad + 1]; arm++)
      since = Math.max(since, findChange(record, arm, rate, settings));
    if (since < 0) return;
    record.forgetBefore(ad, since);
    // Contexts have no windows: what they hold is all from before.
    for (let arm = this.arms.offsets[ad]; arm < this.arms.offsets[ad + 1]; arm++) this.#contexts?.clear(arm);
    this.#reopened++;
  }

  hasExited(ad: number): boolean {
    return this.#choosing.modes[ad] === HAS_EXITED;
  }

  standing(ad: number): AdStanding {
    const { record } = this;
    const { arm, loss, ctrs } = this.#settling.leaderOf(ad);
    return {
      hasExited: this.hasExited(ad),
      sinceMs: record.since[ad] * record.windowMs,
      expectedLoss: loss,
      leader: this.arms.offsets[ad] + arm,
      ctrs,
    };
  }

  stats() {
    let exited = 0;
    for (const mode of this.#choosing.modes) if (mode === HAS_EXITED) exited++;
    return { exploring: this.record.adCount - exited, exited, reopened: this.#reopened, lambda: this.#viewTime.lambda };
  }

  save(): BanditState {
    const { head, ads } = this.saveInParts();
    return { ...head, ads: [...ads] };
  }

  saveInParts(): StateInParts {
    return saveState(this.record, this.#viewTime, this.#contexts, this.#keptAside);
  }
}
