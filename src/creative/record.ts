import { counted, UserError } from '../core/errors.ts';
import type { ArmCounts, Arms } from './creative.ts';
import type { BanditSettings } from './settings.ts';

/** What is counted of an arm from its first impression on, in this order; a state holds them so. */
export const totalNames = [
  'impressions',
  'clicks',
  'revenueMicros',
  'viewMs',
  'views',
  'logits',
  'logitImpressions',
] as const;

/** Sums are of whole multiples of this, so that they are exact: the same in whatever order, and however replicas are merged. */
const unit = 2 ** -20;
export const exactly = (value: number) => Math.round(value / unit) * unit;

/**
 * What has been shown of arms and what came of it, in typed arrays by arm: all of it, and what is learned from: exposures in place of
 * impressions, counted since the ad's last change (`since`, the number of a window). The last windows are kept apart as well.
 *
 *   exposures = Σ impressions · examination[position]
 */
export class CreativeRecord {
  readonly arms: Arms;
  readonly armCount: number;
  readonly adCount: number;
  readonly windowMs: number;
  readonly windows: number;
  /** [arms] */
  readonly adOf: Int32Array;
  readonly totals: Readonly<Record<(typeof totalNames)[number], Float64Array>>;
  readonly exposures: Float64Array;
  readonly clicks: Float64Array;
  /** [ads] */
  readonly since: Float64Array;
  /** [windows · arms], a window's arms side by side, in the slot of its number modulo `windows`. */
  readonly windowExposures: Float64Array;
  readonly windowClicks: Float64Array;
  /** Number of the window that time is in: windows since 1970; 0 until it is first told. */
  window = 0;
  readonly #examination: readonly number[];
  /** So many windows surely hold the settings' `goneDays`, wherever in its window a creative was last seen. */
  readonly #goneWindows: number;

  constructor(arms: Arms, { windowMs, windows, examination, goneDays }: BanditSettings) {
    const [adCount, armCount] = [arms.adKeys.length, arms.creativeKeys.length];
    this.arms = arms;
    [this.adCount, this.armCount, this.windowMs, this.windows] = [adCount, armCount, windowMs, windows];
    this.#examination = examination.map(exactly);
    this.#goneWindows = 1 + Math.ceil((goneDays * dayMs) / windowMs);
    this.adOf = new Int32Array(armCount);
    for (let ad = 0; ad < adCount; ad++) this.adOf.fill(ad, arms.offsets[ad], arms.offsets[ad + 1]);
    const column = () => new Float64Array(armCount);
    this.totals = {
      impressions: column(),
      clicks: column(),
      revenueMicros: column(),
      viewMs: column(),
      views: column(),
      logits: column(),
      logitImpressions: column(),
    };
    this.exposures = column();
    this.clicks = column();
    this.since = new Float64Array(adCount);
    this.windowExposures = new Float64Array(windows * armCount);
    this.windowClicks = new Float64Array(windows * armCount);
  }

  /** Where a window's arms begin, or −1 where it is not among those kept. */
  windowAt(window: number): number {
    const isKept = window <= this.window && window > this.window - this.windows && window >= 0;
    return isKept ? (window % this.windows) * this.armCount : -1;
  }

  /** Whether a creative that was last among the arms in this window is to be forgotten. */
  isLongGone(seen: number): boolean {
    return this.window - seen >= this.#goneWindows;
  }

  /** Of the model, over an arm's impressions; 0 where it is not known. */
  meanLogit(arm: number): number {
    const { logits, logitImpressions } = this.totals;
    return logitImpressions[arm] === 0 ? 0 : logits[arm] / logitImpressions[arm];
  }

  /** Adds counts that `check` has let pass. @returns their exposures */
  add(counts: ArmCounts): number {
    const { arm, timeMs, position = 1, impressions = 0, clicks = 0, revenueMicros = 0 } = counts;
    const { viewMs = 0, views = 0, logits } = counts;
    const { totals } = this;
    totals.impressions[arm] += impressions;
    totals.clicks[arm] += clicks;
    totals.revenueMicros[arm] += Math.round(revenueMicros);
    totals.viewMs[arm] += Math.round(viewMs);
    totals.views[arm] += views;
    if (logits !== undefined) {
      totals.logits[arm] += exactly(logits);
      totals.logitImpressions[arm] += impressions;
    }
    // What is later than the window that was last told counts in it, so that no clock ahead of ours throws windows out.
    const window = Math.min(Math.floor(timeMs / this.windowMs), this.window);
    const exposures = impressions * this.#examination[Math.min(position, this.#examination.length) - 1];
    if (window >= this.since[this.adOf[arm]]) {
      this.exposures[arm] += exposures;
      this.clicks[arm] += clicks;
    }
    const at = this.windowAt(window);
    if (at < 0) return exposures;
    this.windowExposures[at + arm] += exposures;
    this.windowClicks[at + arm] += clicks;
    return exposures;
  }

  /**
   * Whether these may be added, in whatever order.
   *
   * @throws UserError for an unknown arm, for what is no count, and where an arm would have more clicks or views than impressions
   */
  check(counts: readonly ArmCounts[]): void {
    const { totals } = this;
    const sums = new Map<number, Record<'impressions' | 'clicks' | 'views', number>>();
    for (const one of counts) {
      const { arm, impressions = 0, clicks = 0, views = 0 } = one;
      this.#checkOne(one);
      const sum = sums.get(arm) ?? {
        impressions: totals.impressions[arm],
        clicks: totals.clicks[arm],
        views: totals.views[arm],
      };
      sum.impressions += impressions;
      sum.clicks += clicks;
      sum.views += views;
      sums.set(arm, sum);
    }
    for (const [arm, sum] of sums)
      for (const name of ['clicks', 'views'] as const)
        if (sum[name] > sum.impressions)
          this.#refuse(
            arm,
            `would have ${counted(sum[name], name.slice(0, -1))} in ${counted(sum.impressions, 'impression')}; tell each impression with or before what came of it, and that once`,
          );
  }

  #checkOne(counts: ArmCounts): void {
    const { arm, timeMs, position = 1, logits = 0 } = counts;
    if (!(Number.isInteger(arm) && arm >= 0 && arm < this.armCount))
      throw new UserError(
        `bandit: there is no arm ${arm} of ${this.armCount}; give a creative of the catalog`,
        'missing',
      );
    const fail = (what: string) => this.#refuse(arm, `cannot be told of: ${what}`);
    for (const name of ['impressions', 'clicks', 'views'] as const) {
      const value = counts[name] ?? 0;
      if (!(Number.isInteger(value) && value >= 0 && value < mostCount))
        fail(`${name} is ${value}, expected a whole number from 0`);
    }
    for (const name of ['revenueMicros', 'viewMs'] as const) {
      const value = counts[name] ?? 0;
      if (!(value >= 0 && value <= Number.MAX_SAFE_INTEGER)) fail(`${name} is ${value}, expected 0 or more`);
    }
    if (!(timeMs >= 0 && Number.isFinite(timeMs))) fail(`timeMs is ${timeMs}, expected milliseconds since 1970`);
    if (!(Number.isInteger(position) && position >= 1)) fail(`position is ${position}, expected 1, the best, or more`);
    if (!(Math.abs(logits) < mostCount)) fail(`logits are ${logits}, expected a finite sum`);
    const { views = 0, viewMs = 0 } = counts;
    if (viewMs > 0 && views === 0) fail(`viewMs is ${viewMs} of no views, expected their number in views`);
  }

  #refuse(arm: number, what: string): never {
    throw new UserError(`bandit: creative '${this.arms.creativeKeys[arm]}' ${what}; none of these counts is taken in`);
  }

  /**
   * Goes to the window of this time. One before is waited for; where the clock was ahead by more, time goes back, and what has been counted in
   * windows that are yet to come counts in that of now.
   *
   * @returns whether it is another window
   */
  advance(nowMs: number): boolean {
    const next = Math.floor(nowMs / this.windowMs);
    if (next > this.window) this.#begin(next);
    else if (next >= 0 && next < this.window - 1) this.#goBack(next);
    else return false;
    return true;
  }

  #begin(next: number): void {
    const { windows } = this;
    for (let begun = Math.max(this.window + 1, next - windows + 1); begun <= next; begun++)
      this.#empty(begun % windows);
    this.window = next;
  }

  #goBack(next: number): void {
    const { armCount, adCount, windows } = this;
    const to = next % windows;
    for (let ahead = Math.max(next + 1, this.window - windows + 1); ahead <= this.window; ahead++) {
      const from = ahead % windows;
      if (from === to) continue;
      for (let arm = 0; arm < armCount; arm++) {
        this.windowExposures[to * armCount + arm] += this.windowExposures[from * armCount + arm];
        this.windowClicks[to * armCount + arm] += this.windowClicks[from * armCount + arm];
      }
      this.#empty(from);
    }
    this.window = next;
    for (let ad = 0; ad < adCount; ad++) if (this.since[ad] > next) this.forgetBefore(ad, next);
  }

  #empty(slot: number): void {
    const { armCount } = this;
    this.windowExposures.fill(0, slot * armCount, (slot + 1) * armCount);
    this.windowClicks.fill(0, slot * armCount, (slot + 1) * armCount);
  }

  /** Forgets, for what is learned, what was before this window, one of those kept. */
  forgetBefore(ad: number, since: number): void {
    const { offsets } = this.arms;
    this.since[ad] = since;
    for (let arm = offsets[ad]; arm < offsets[ad + 1]; arm++) {
      this.exposures[arm] = 0;
      this.clicks[arm] = 0;
      for (let window = since; window <= this.window; window++) {
        const at = this.windowAt(window);
        this.exposures[arm] += this.windowExposures[at + arm];
        this.clicks[arm] += this.windowClicks[at + arm];
      }
    }
  }
}

const dayMs = 86_400_000;
/** Sums beyond this would no longer be exact. */
const mostCount = 2 ** 53 * unit;
