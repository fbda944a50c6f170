import { UserError } from '../core/errors.ts';
import type { Contexts } from './contexts.ts';
import { learnedFrom } from './mergeStates.ts';
import { type CreativeRecord, totalNames } from './record.ts';
import type { ViewTime } from './reward.ts';
import {
  type AdState,
  type BanditState,
  type BanditStateHead,
  type CountedWindow,
  type CreativeState,
  readBanditState,
  stateVersion,
} from './state.ts';

/** What a state holds that these arms and settings have no place for. */
export interface KeptAside {
  /** Creatives that are not among the arms, by ad, each with the window that it was last seen in. */
  readonly ads: Map<string, AdState>;
  /** Contexts by arm, where the policy is not contextual. */
  readonly contexts: Map<number, readonly number[]>;
}

/** A state whose ads are made one by one, as they are asked for. */
export interface StateInParts {
  readonly head: BanditStateHead;
  readonly ads: Iterable<AdState>;
}

/**
 * What a bandit holds. Between two ads it may go on: each is saved as it is when it is asked for, and what is later than the window that
 * time was in at the beginning counts in that.
 */
export function saveState(
  record: CreativeRecord,
  { lambda, window: lambdaWindow, viewMs, views }: ViewTime,
  contexts: Contexts | undefined,
  kept: KeptAside,
): StateInParts {
  const { windowMs, window } = record;
  const viewTimes: CountedWindow[] = views > 0 ? [[window, viewMs, views]] : [];
  const head = { version: stateVersion, windowMs, window, lambda, lambdaWindow, viewTimes };
  return { head, ads: savedAds(record, contexts, kept, window) };
}

function* savedAds(
  record: CreativeRecord,
  contexts: Contexts | undefined,
  kept: KeptAside,
  window: number,
): Generator<AdState> {
  const { arms } = record;
  const asOf = (ad: AdState) => (record.window > window ? renumberAd(ad, (number) => Math.min(number, window)) : ad);
  const met = new Set<string>();
  for (let ad = 0; ad < record.adCount; ad++) {
    const key = arms.adKeys[ad];
    const gone = kept.ads.get(key);
    if (gone !== undefined) met.add(key);
    const creatives = gone === undefined ? [] : rememberedOf(gone, record, record.since[ad]);
    for (let arm = arms.offsets[ad]; arm < arms.offsets[ad + 1]; arm++)
      if (record.totals.impressions[arm] > 0)
        creatives.push(creativeOf(record, arm, contexts?.read(arm) ?? kept.contexts.get(arm)));
    if (creatives.length > 0) yield asOf({ ad: key, since: record.since[ad], creatives });
  }
  for (const [key, gone] of kept.ads) {
    const creatives = met.has(key) ? [] : rememberedOf(gone, record);
    if (creatives.length > 0) yield asOf({ ad: key, since: Math.min(gone.since, record.window), creatives });
  }
}

function creativeOf(record: CreativeRecord, arm: number, contexts: readonly number[] | undefined): CreativeState {
  const windows: CountedWindow[] = [];
  for (const window of keptWindows(record)) {
    const at = record.windowAt(window) + arm;
    const [exposures, clicks] = [record.windowExposures[at], record.windowClicks[at]];
    if (exposures > 0 || clicks > 0) windows.push([window, exposures, clicks]);
  }
  return {
    creative: record.arms.creativeKeys[arm],
    totals: totalNames.map((name) => record.totals[name][arm]),
    learned: [record.exposures[arm], record.clicks[arm]],
    windows,
    ...(contexts && { contexts }),
  };
}

/**
 * An ad's creatives that are gone, as they are saved: without those that have been for too long, and, as arms are, without what is older
 * than the windows kept.
 *
 * @param since where what is learned begins, if later than the ad's own
 */
function rememberedOf(gone: AdState, record: CreativeRecord, since = 0): CreativeState[] {
  const { window, windows } = record;
  // No window of theirs is later than time is, which may have gone back.
  const ad = renumberAd(gone, (number) => Math.min(number, window));
  return learnedFrom(ad, since)
    .filter(({ seen = window }) => !record.isLongGone(seen))
    .map((one) => ({ ...one, windows: one.windows.filter(([number]) => number > window - windows) }));
}

function keptWindows({ window, windows }: CreativeRecord): number[] {
  const first = Math.max(0, window - windows + 1);
  return Array.from({ length: window - first + 1 }, (_, i) => first + i);
}

/** The state with windows of another length: each counts in that which it begins in. */
function withWindowsOf(state: BanditState, windowMs: number): BanditState {
  if (state.windowMs === windowMs) return state;
  const renumber = (window: number) => Math.floor((window * state.windowMs) / windowMs);
  return {
    ...state,
    windowMs,
    window: renumber(state.window),
    lambdaWindow: state.lambdaWindow < 0 ? -1 : renumber(state.lambdaWindow),
    viewTimes: renumberWindows(state.viewTimes, renumber),
    ads: state.ads.map((ad) => renumberAd(ad, renumber)),
  };
}

function renumberAd({ ad, since, creatives }: AdState, renumber: (window: number) => number): AdState {
  const renumbered = creatives.map((one) => ({
    ...one,
    windows: renumberWindows(one.windows, renumber),
    ...(one.seen !== undefined && { seen: renumber(one.seen) }),
  }));
  return { ad, since: renumber(since), creatives: renumbered };
}

/** @param renumber keeps the order; windows that become one add up */
function renumberWindows(windows: readonly CountedWindow[], renumber: (window: number) => number): CountedWindow[] {
  const counted = new Map<number, CountedWindow>();
  for (const [window, one, other] of windows) {
    const number = renumber(window);
    const [, ones, others] = counted.get(number) ?? [number, 0, 0];
    counted.set(number, [number, ones + one, others + other]);
  }
  return [...counted.values()];
}

/**
 * @param source how messages name the state, e.g. the file's path
 * @throws UserError as `readBanditState`
 */
export function restoreState(
  json: unknown,
  record: CreativeRecord,
  viewTime: ViewTime,
  contexts: Contexts | undefined,
  source: string,
): KeptAside {
  const kept: KeptAside = { ads: new Map(), contexts: new Map() };
  if (json === undefined) return kept;
  const state = withWindowsOf(readBanditState(json, source), record.windowMs);
  const { arms } = record;
  record.window = state.window;
  viewTime.lambda = state.lambda;
  viewTime.window = state.lambdaWindow;
  for (const [window, viewMs, views] of state.viewTimes)
    if (window > state.lambdaWindow) viewTime.add({ viewMs, views });
  const adOf = new Map(arms.adKeys.map((key, ad) => [key, ad]));
  for (const { ad: key, since, creatives } of state.ads) {
    const ad = adOf.get(key);
    const [from, to] = ad === undefined ? [0, 0] : [arms.offsets[ad], arms.offsets[ad + 1]];
    const armOf = new Map(arms.creativeKeys.slice(from, to).map((creative, i) => [creative, from + i]));
    if (ad !== undefined) record.since[ad] = since;
    const gone: CreativeState[] = [];
    for (const creative of creatives) {
      const arm = armOf.get(creative.creative);
      const { seen = state.window } = creative;
      if (arm !== undefined) restoreCreative(creative, arm, record, contexts, kept, source);
      else if (!record.isLongGone(seen)) gone.push({ ...creative, seen });
    }
    if (gone.length > 0) kept.ads.set(key, { ad: key, since, creatives: gone });
  }
  return kept;
}

function restoreCreative(
  { creative, totals, learned, windows, contexts: given }: CreativeState,
  arm: number,
  record: CreativeRecord,
  contexts: Contexts | undefined,
  kept: KeptAside,
  source: string,
): void {
  for (const [i, name] of totalNames.entries()) record.totals[name][arm] = totals[i];
  [record.exposures[arm], record.clicks[arm]] = learned;
  for (const [window, exposures, clicks] of windows) {
    const at = record.windowAt(window);
    if (at < 0) continue;
    record.windowExposures[at + arm] += exposures;
    record.windowClicks[at + arm] += clicks;
  }
  if (given === undefined) return;
  if (contexts === undefined) kept.contexts.set(arm, given);
  else if (!contexts.write(arm, given))
    throw new UserError(
      `${source}: creative '${creative}' has ${given.length} numbers of contexts, which is not what a context of ${contexts.size} has; give the segments that they were learned with`,
    );
}
