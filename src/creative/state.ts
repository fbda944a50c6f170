import { UserError } from '../core/errors.ts';
import { totalNames } from './record.ts';

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
  /** What λ is yet to follow. */
  readonly viewTimes: readonly (readonly [window: number, viewMs: number, views: number])[];
  readonly ads: readonly AdState[];
}

/** All but the ads, which may be many. */
export type BanditStateHead = Omit<BanditState, 'ads'>;

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
  /** The last window in which it was an arm; that of the state where absent. */
  readonly seen?: number;
  /** A contextual policy's moments, clicks and logits. */
  readonly contexts?: readonly number[];
}

export type CountedWindow = readonly [window: number, exposures: number, clicks: number];

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

function isCreative({ creative, totals, learned, windows, seen, contexts }: CreativeState, window: number): boolean {
  const areTotals =
    areNumbers(totals, totalNames.length) &&
    totals.every((value, i) => totalNames[i] === 'logits' || value >= 0) &&
    totals[totalNames.indexOf('clicks')] <= totals[totalNames.indexOf('impressions')] &&
    totals[totalNames.indexOf('views')] <= totals[totalNames.indexOf('impressions')];
  const areLearned = areNumbers(learned, 2) && learned.every(isCount);
  const isSeen = seen === undefined || isWindow(seen, window);
  const areContexts = contexts === undefined || (Array.isArray(contexts) && contexts.every(Number.isFinite));
  return (
    typeof creative === 'string' && areTotals && areLearned && isSeen && areContexts && areWindows(windows, window)
  );
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
