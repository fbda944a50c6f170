import { UserError } from '../core/errors.ts';
import type { Contexts } from './contexts.ts';
import { type CreativeRecord, totalNames } from './record.ts';
import type { ViewTime } from './reward.ts';

/** Of the layout below; a state of another version is refused. */
export const stateVersion = 1;

/** All that a bandit holds, as plain JSON. Windows are numbered from 1970 on. Sums are exact, so that they merge in any order. */
export interface BanditState {
  readonly version: number;
  readonly windowMs: number;
  /** The window that time was in. */
  readonly window: number;
  /** λ of the reward, and the last window that it has followed. */
  readonly lambda: number;
  readonly lambdaWindow: number;
  readonly viewTimes: readonly (readonly [window: number, viewMs: number, views: number])[];
  readonly ads: readonly AdState[];
}

export interface AdState {
  readonly ad: string;
  /** The window from which on is learned. */
  readonly since: number;
  readonly creatives: readonly CreativeState[];
}

export interface CreativeState {
  readonly creative: string;
  /** As `totalNames`. */
  readonly totals: readonly number[];
  readonly learned: readonly [exposures: number, clicks: number];
  readonly windows: readonly CountedWindow[];
  /** A contextual policy's moments and clicks. */
  readonly contexts?: readonly number[];
}

type CountedWindow = readonly [window: number, exposures: number, clicks: number];

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

/**
 * The state of all impressions of two replicas that have served side by side: counts add up; where a change was found in an ad, what counts
 * is from the later one on. Merging is associative and commutative, to the bit.
 *
 * @throws UserError for a state that `readBanditState` refuses, and for windows or contexts of different length
 */
export function mergeBanditStates(a: unknown, b: unknown): BanditState {
  const [one, other] = [readBanditState(a), readBanditState(b)];
  if (one.windowMs !== other.windowMs)
    throw new UserError(
      `bandit state: windows of ${one.windowMs} and of ${other.windowMs} ms do not add up; give all replicas the same windowMs`,
    );
  // λ follows what each replica sees; that which has followed longest speaks for all.
  const [first, second] = [one, other].sort((x, y) => y.lambdaWindow - x.lambdaWindow || y.lambda - x.lambda);
  const { lambda, lambdaWindow } = first;
  const ads = mergedBy(first.ads, second.ads, ({ ad }) => ad, mergeAds);
  const viewTimes = mergedBy(first.viewTimes, second.viewTimes, ([window]) => window, addWindows);
  const window = Math.max(one.window, other.window);
  return { version: stateVersion, windowMs: one.windowMs, window, lambda, lambdaWindow, viewTimes, ads };
}

function mergeAds(a: AdState, b: AdState): AdState {
  const since = Math.max(a.since, b.since);
  const learnedFrom = ({ since: own, creatives }: AdState) =>
    own === since ? creatives : creatives.map((creative) => ({ ...creative, learned: learnedSince(creative, since) }));
  const creatives = mergedBy(learnedFrom(a), learnedFrom(b), ({ creative }) => creative, mergeCreatives);
  return { ad: a.ad, since, creatives };
}

function learnedSince({ windows }: CreativeState, since: number): [exposures: number, clicks: number] {
  let [exposures, clicks] = [0, 0];
  for (const [window, shown, clicked] of windows) {
    if (window < since) continue;
    exposures += shown;
    clicks += clicked;
  }
  return [exposures, clicks];
}

function mergeCreatives(a: CreativeState, b: CreativeState): CreativeState {
  const contexts = a.contexts && b.contexts ? sums(a.contexts, b.contexts) : (a.contexts ?? b.contexts);
  if (contexts && a.contexts && b.contexts && a.contexts.length !== b.contexts.length)
    throw new UserError(
      `bandit state: contexts of creative '${a.creative}' are of different length; give all replicas the same contextSize`,
    );
  return {
    creative: a.creative,
    totals: sums(a.totals, b.totals),
    learned: [a.learned[0] + b.learned[0], a.learned[1] + b.learned[1]],
    windows: mergedBy(a.windows, b.windows, ([window]) => window, addWindows),
    ...(contexts && { contexts }),
  };
}

const sums = (a: readonly number[], b: readonly number[]) => a.map((value, i) => value + b[i]);

function addWindows(a: CountedWindow, b: CountedWindow): CountedWindow {
  return [a[0], a[1] + b[1], a[2] + b[2]];
}

/** Both lists' items, those of the same key made one, in order of their keys. */
function mergedBy<Item>(
  a: readonly Item[],
  b: readonly Item[],
  keyOf: (item: Item) => string | number,
  merge: (a: Item, b: Item) => Item,
): Item[] {
  const items = new Map(a.map((item) => [keyOf(item), item]));
  for (const item of b) {
    const same = items.get(keyOf(item));
    items.set(keyOf(item), same === undefined ? item : merge(same, item));
  }
  return [...items].sort(([x], [y]) => (x < y ? -1 : x > y ? 1 : 0)).map(([, item]) => item);
}

/**
 * A state that was read from outside.
 *
 * @param source how messages name it, e.g. the file's path
 * @throws UserError if it is of another version or damaged: what is missing, no number or negative, counted twice, or more clicks than impressions
 */
export function readBanditState(json: unknown, source = 'bandit state'): BanditState {
  const state = json as BanditState;
  if (typeof json !== 'object' || json === null || !('version' in json))
    throw new UserError(`${source}: expected a saved bandit with its version; give the file that was saved`);
  if (state.version !== stateVersion)
    throw new UserError(
      `${source}: a bandit of version ${state.version}, where ${stateVersion} is read; use the program that saved it, or begin anew without it`,
    );
  const check = (isRight: boolean, where: string) => {
    if (!isRight) throw new UserError(`${source}: damaged at ${where}; take a copy of an earlier time`);
  };
  check(Number.isInteger(state.windowMs) && state.windowMs > 0, 'windowMs');
  check(isWindow(state.window), 'window');
  check(isCount(state.lambda), 'lambda');
  check(state.lambdaWindow === -1 || isWindow(state.lambdaWindow, state.window), 'lambdaWindow');
  check(areWindows(state.viewTimes, state.window), 'viewTimes');
  check(Array.isArray(state.ads) && areDistinct(state.ads.map((ad) => ad?.ad)), 'ads');
  for (const { ad, since, creatives } of state.ads) {
    check(typeof ad === 'string' && isWindow(since, state.window), `ad '${ad}'`);
    check(Array.isArray(creatives) && areDistinct(creatives.map((creative) => creative?.creative)), `ad '${ad}'`);
    for (const creative of creatives)
      check(isCreative(creative, state.window), `creative '${creative.creative}' of ad '${ad}'`);
  }
  return state;
}

function isCreative({ creative, totals, learned, windows, contexts }: CreativeState, window: number): boolean {
  const areTotals =
    areNumbers(totals, totalNames.length) &&
    totals.every((value, i) => totalNames[i] === 'logits' || value >= 0) &&
    totals[totalNames.indexOf('clicks')] <= totals[totalNames.indexOf('impressions')] &&
    totals[totalNames.indexOf('views')] <= totals[totalNames.indexOf('impressions')];
  const areLearned = areNumbers(learned, 2) && learned.every(isCount);
  const areContexts = contexts === undefined || areNumbers(contexts, contexts.length);
  return typeof creative === 'string' && areTotals && areLearned && areContexts && areWindows(windows, window);
}

const isWindow = (value: unknown, latest = Number.MAX_SAFE_INTEGER) =>
  Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= latest;
const isCount = (value: unknown) => typeof value === 'number' && value >= 0 && Number.isFinite(value);
const areDistinct = (keys: readonly unknown[]) =>
  keys.every((key) => typeof key === 'string') && new Set(keys).size === keys.length;

function areNumbers(values: unknown, length: number): values is readonly number[] {
  return Array.isArray(values) && values.length === length && values.every(Number.isFinite);
}

function areWindows(windows: unknown, latest: number): boolean {
  if (!Array.isArray(windows)) return false;
  const areCounts = windows.every((window) => areNumbers(window, 3) && isWindow(window[0]) && window.every(isCount));
  return areCounts && windows.every(([window], i) => window <= latest && (i === 0 || window > windows[i - 1][0]));
}
