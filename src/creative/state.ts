import { UserError } from '../core/errors.ts';
import { totalNames } from './record.ts';
import { lambdaMost } from './settings.ts';

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
 * @throws UserError if it is of another version or damaged: what is missing, no number or negative, counted twice, no whole number of
 *   impressions, clicks or views, or more of these than of impressions
 */
export function readBanditState(json: unknown, source = 'bandit state'): BanditState {
  readStateHead(json, source).readAds((json as BanditState).ads);
  return json as BanditState;
}

/**
 * The same of a state whose ads are read in parts.
 *
 * @returns `readAds` checks some of them, which are distinct from all before
 */
export function readStateHead(json: unknown, source = 'bandit state') {
  const head = json as BanditStateHead;
  if (typeof json !== 'object' || json === null || !('version' in json))
    throw new UserError(`${source}: expected a saved bandit with its version; give the file that was saved`);
  if (head.version !== stateVersion)
    throw new UserError(
      `${source}: a bandit of version ${JSON.stringify(head.version)}, where ${stateVersion} is read; use the program that saved it, or begin anew without it`,
    );
  const check = (isRight: boolean, where: string) => {
    if (!isRight) throw new UserError(`${source}: damaged at ${where}; take a copy of an earlier time`);
  };
  check(Number.isInteger(head.windowMs) && head.windowMs > 0, 'windowMs');
  check(isWindow(head.window), 'window');
  check(isCount(head.lambda) && head.lambda <= lambdaMost, 'lambda');
  check(head.lambdaWindow === -1 || isWindow(head.lambdaWindow, head.window), 'lambdaWindow');
  check(areWindows(head.viewTimes, head.window), 'viewTimes');
  const met = new Set<string>();
  const readAds = (given: unknown): readonly AdState[] => {
    const ads = given as readonly AdState[];
    check(Array.isArray(ads) && areDistinct(ads.map((ad) => ad?.ad)), 'ads');
    for (const { ad, since, creatives } of ads) {
      check(!met.has(ad), 'ads');
      met.add(ad);
      check(isWindow(since, head.window), `ad '${ad}'`);
      check(Array.isArray(creatives) && areDistinct(creatives.map((one) => one?.creative)), `ad '${ad}'`);
      for (const one of creatives) check(isCreative(one, head.window), `creative '${one.creative}' of ad '${ad}'`);
    }
    return ads;
  };
  return { head, readAds };
}

function isCreative({ totals, learned, windows, seen, contexts }: CreativeState, window: number): boolean {
  if (!areNumbers(totals, totalNames.length)) return false;
  const [impressions, clicks, revenueMicros, viewMs, views, , logitImpressions] = totals;
  const areTotals =
    [impressions, clicks, revenueMicros, viewMs, views, logitImpressions].every(isWhole) &&
    Math.max(clicks, views, logitImpressions) <= impressions &&
    (viewMs === 0 || views > 0);
  const areLearned =
    areNumbers(learned, 2) && learned.every(isCount) && learned[0] <= impressions && learned[1] <= clicks;
  const isSeen = seen === undefined || isWindow(seen, window);
  const areContexts = contexts === undefined || (Array.isArray(contexts) && contexts.every(Number.isFinite));
  return areTotals && areLearned && isSeen && areContexts && areWindows(windows, window);
}

const isWindow = (value: unknown, latest = Number.MAX_SAFE_INTEGER) =>
  Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= latest;
const isCount = (value: unknown) => typeof value === 'number' && value >= 0 && Number.isFinite(value);
const isWhole = (value: unknown) => Number.isInteger(value) && (value as number) >= 0;
const areDistinct = (keys: readonly unknown[]) =>
  keys.every((key) => typeof key === 'string') && new Set(keys).size === keys.length;

function areNumbers(values: unknown, length: number): values is readonly number[] {
  return Array.isArray(values) && values.length === length && values.every(Number.isFinite);
}

/** Of exposures and clicks, or of view time and views. */
function areWindows(windows: unknown, latest: number): boolean {
  if (!Array.isArray(windows)) return false;
  const areCounts = windows.every(
    (one) => areNumbers(one, 3) && isWindow(one[0]) && isCount(one[1]) && isWhole(one[2]),
  );
  return areCounts && windows.every(([window], i) => window <= latest && (i === 0 || window > windows[i - 1][0]));
}
