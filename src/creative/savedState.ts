import { UserError } from '../core/errors.ts';
import type { Contexts } from './contexts.ts';
import { type CreativeRecord, totalNames } from './record.ts';
import type { ViewTime } from './reward.ts';
import {
  type AdState,
  type BanditState,
  type CountedWindow,
  type CreativeState,
  readBanditState,
  stateVersion,
} from './state.ts';

/** What a state holds that these arms and settings have no place for. */
export interface KeptAside {
  readonly ads: Map<string, { readonly since: number; readonly creatives: CreativeState[] }>;
  /** Contexts by arm, where the policy is not contextual. */
  readonly contexts: Map<number, readonly number[]>;
}

export function saveState(
  record: CreativeRecord,
  viewTime: ViewTime,
  contexts: Contexts | undefined,
  kept: KeptAside,
): BanditState {
  const { arms, windowMs, window } = record;
  const ads: AdState[] = [];
  for (let ad = 0; ad < record.adCount; ad++) {
    const creatives = [...(kept.ads.get(arms.adKeys[ad])?.creatives ?? [])];
    for (let arm = arms.offsets[ad]; arm < arms.offsets[ad + 1]; arm++)
      if (record.totals.impressions[arm] > 0)
        creatives.push(creativeOf(record, arm, contexts?.read(arm) ?? kept.contexts.get(arm)));
    if (creatives.length > 0) ads.push({ ad: arms.adKeys[ad], since: record.since[ad], creatives });
  }
  const known = new Set(arms.adKeys);
  for (const [ad, { since, creatives }] of kept.ads) if (!known.has(ad)) ads.push({ ad, since, creatives });
  const viewTimes: [number, number, number][] = [];
  for (const kept of keptWindows(record)) {
    const at = kept % record.windows;
    if (record.windowViews[at] > 0) viewTimes.push([kept, record.windowViewMs[at], record.windowViews[at]]);
  }
  const { lambda, window: lambdaWindow } = viewTime;
  return { version: stateVersion, windowMs, window, lambda, lambdaWindow, viewTimes, ads };
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

function keptWindows({ window, windows }: CreativeRecord): number[] {
  const first = Math.max(0, window - windows + 1);
  return Array.from({ length: window - first + 1 }, (_, i) => first + i);
}

/** @throws UserError as `readBanditState` */
export function restoreState(
  json: unknown,
  record: CreativeRecord,
  viewTime: ViewTime,
  contexts: Contexts | undefined,
): KeptAside {
  const kept: KeptAside = { ads: new Map(), contexts: new Map() };
  if (json === undefined) return kept;
  const state = readBanditState(json);
  const { arms } = record;
  // Windows of another length become those that they begin in.
  const renumbered = (window: number) =>
    record.windowMs === state.windowMs ? window : Math.floor((window * state.windowMs) / record.windowMs);
  record.window = renumbered(state.window);
  viewTime.lambda = state.lambda;
  viewTime.window = state.lambdaWindow < 0 ? -1 : renumbered(state.lambdaWindow);
  for (const [window, viewMs, views] of state.viewTimes) {
    const at = record.windowAt(renumbered(window));
    if (at < 0) continue;
    record.windowViewMs[renumbered(window) % record.windows] += viewMs;
    record.windowViews[renumbered(window) % record.windows] += views;
  }
  const adOf = new Map(arms.adKeys.map((key, ad) => [key, ad]));
  for (const { ad: key, since, creatives } of state.ads) {
    const ad = adOf.get(key);
    const [from, to] = ad === undefined ? [0, 0] : [arms.offsets[ad], arms.offsets[ad + 1]];
    const armOf = new Map(arms.creativeKeys.slice(from, to).map((creative, i) => [creative, from + i]));
    if (ad !== undefined) record.since[ad] = renumbered(since);
    const gone: CreativeState[] = [];
    for (const creative of creatives) {
      const arm = armOf.get(creative.creative);
      if (arm === undefined) gone.push(creative);
      else restoreCreative(creative, arm, record, renumbered, contexts, kept);
    }
    if (gone.length > 0) kept.ads.set(key, { since, creatives: gone });
  }
  return kept;
}

function restoreCreative(
  { creative, totals, learned, windows, contexts: given }: CreativeState,
  arm: number,
  record: CreativeRecord,
  renumbered: (window: number) => number,
  contexts: Contexts | undefined,
  kept: KeptAside,
): void {
  for (const [i, name] of totalNames.entries()) record.totals[name][arm] = totals[i];
  [record.exposures[arm], record.clicks[arm]] = learned;
  for (const [window, exposures, clicks] of windows) {
    const at = record.windowAt(renumbered(window));
    if (at < 0) continue;
    record.windowExposures[at + arm] += exposures;
    record.windowClicks[at + arm] += clicks;
  }
  if (given === undefined) return;
  if (contexts === undefined) kept.contexts.set(arm, given);
  else if (!contexts.write(arm, given))
    throw new UserError(
      `bandit state: creative '${creative}' has ${given.length} numbers of contexts, which is not what a context of ${contexts.size} has; give the contextSize that they were learned with`,
    );
}
