import { UserError } from '../core/errors.ts';
import {
  type AdState,
  type BanditState,
  type CountedWindow,
  type CreativeState,
  readBanditState,
  stateVersion,
} from './state.ts';

/**
 * The state of all impressions of two replicas that have served side by side: counts add up; where a change was found in an ad, what counts
 * is from the later one on. Merging is associative and commutative, to the bit. It forgets nothing: a bandit that begins from the merged
 * state does, of creatives that neither replica has had among its arms for long.
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
  const ads = mergedBy(seenAds(first), seenAds(second), ({ ad }) => ad, mergeAds);
  const viewTimes = mergedBy(first.viewTimes, second.viewTimes, ([window]) => window, addWindows);
  const window = Math.max(one.window, other.window);
  return { version: stateVersion, windowMs: one.windowMs, window, lambda, lambdaWindow, viewTimes, ads };
}

/** Ads whose creatives all say when they were last arms: what has long been gone in one replica stays so, however new the other's state is. */
function seenAds({ ads, window }: BanditState): AdState[] {
  return ads.map((ad) => ({ ...ad, creatives: ad.creatives.map((one) => ({ ...one, seen: one.seen ?? window })) }));
}

function mergeAds(a: AdState, b: AdState): AdState {
  const since = Math.max(a.since, b.since);
  const creatives = mergedBy(learnedFrom(a, since), learnedFrom(b, since), ({ creative }) => creative, mergeCreatives);
  return { ad: a.ad, since, creatives };
}

/** An ad's creatives, where what is learned begins with a later change: that of contexts, which have no windows, is all from before. */
export function learnedFrom({ since: own, creatives }: AdState, since: number): readonly CreativeState[] {
  if (own >= since) return creatives;
  return creatives.map(({ contexts, ...creative }) => ({ ...creative, learned: learnedSince(creative, since) }));
}

function learnedSince({ windows }: Pick<CreativeState, 'windows'>, since: number): [exposures: number, clicks: number] {
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
      `bandit state: contexts of creative '${a.creative}' are of different length; give all replicas the same segments`,
    );
  return {
    creative: a.creative,
    totals: sums(a.totals, b.totals),
    learned: [a.learned[0] + b.learned[0], a.learned[1] + b.learned[1]],
    windows: mergedBy(a.windows, b.windows, ([window]) => window, addWindows),
    seen: Math.max(a.seen as number, b.seen as number),
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
