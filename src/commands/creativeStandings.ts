import { createBandit } from '../creative/bandit.ts';
import type { Arms } from '../creative/creative.ts';
import { totalNames } from '../creative/record.ts';
import type { BanditSettings } from '../creative/settings.ts';
import type { AdState, BanditStateHead, CreativeState } from '../creative/state.ts';
import type { OpenState } from './creativeStates.ts';

/** What a saved bandit knows of a creative. */
export interface CreativeStanding {
  readonly creative: string;
  readonly impressions: number;
  readonly clicks: number;
  /** Clicks over exposures since the ad's last change: in the best position; null without any. */
  readonly correctedCtr: number | null;
  readonly revenueMicros: number;
  /** Mean; null of no views. */
  readonly viewMs: number | null;
  /** The window that it was last in the catalog in; null where it was when the state was saved. */
  readonly lastSeen: string | null;
}

export interface AdStanding {
  readonly ad: string;
  readonly impressions: number;
  readonly clicks: number;
  readonly correctedCtr: number | null;
  /** Whether its creatives are explored; null where all of them are gone. */
  readonly explores: boolean | null;
  /** Share of the reward that showing the leader alone is expected to lose. */
  readonly expectedLoss: number | null;
  /** The creative of the highest expected reward. */
  readonly leader: string | null;
  /** When what is learned from begins; null where nothing has changed yet. */
  readonly since: string | null;
  readonly lastSeen: string | null;
  readonly creatives: readonly CreativeStanding[];
}

export interface StateStandings {
  /** The window that time was in when it was saved. */
  readonly at: string;
  readonly windowMs: number;
  readonly policy: string;
  readonly lambda: number;
  readonly adCount: number;
  readonly creativeCount: number;
  readonly goneCreatives: number;
  readonly impressions: number;
  readonly clicks: number;
  readonly revenueMicros: number;
  readonly exploringAds: number;
  readonly exitedAds: number;
  /** Those shown most, or the one asked for. */
  readonly ads: readonly AdStanding[];
}

/** Ads whose standing is computed at a time; with a target of view time, creatives are compared with those of so many. */
const batchAds = 10_000;

/**
 * What a state holds, and where its ads stand under these settings: what a server that begins with it makes of them, but where the catalog
 * has further creatives of an ad. A creative that was never shown is in no state.
 *
 * @param listed how many ads to list, those with most impressions first
 * @param only   the ad to list in their place
 */
export async function standingsOf(
  { head, ads }: OpenState,
  settings: BanditSettings,
  listed: number,
  only?: string,
): Promise<StateStandings> {
  const counts = { adCount: 0, creativeCount: 0, goneCreatives: 0, impressions: 0, clicks: 0, revenueMicros: 0 };
  const modes = { exploringAds: 0, exitedAds: 0 };
  let shown: AdStanding[] = [];
  const take = (batch: readonly AdState[]) => {
    for (const ad of adStandings(head, batch, settings)) {
      counts.adCount++;
      counts.creativeCount += ad.creatives.length;
      counts.goneCreatives += ad.creatives.filter(({ lastSeen }) => lastSeen !== null).length;
      for (const name of ['impressions', 'clicks'] as const) counts[name] += ad[name];
      for (const { revenueMicros } of ad.creatives) counts.revenueMicros += revenueMicros;
      if (ad.explores !== null) modes[ad.explores ? 'exploringAds' : 'exitedAds']++;
      if (only === undefined || ad.ad === only) shown.push(ad);
    }
    if (only === undefined) shown = shown.sort((a, b) => b.impressions - a.impressions).slice(0, listed);
  };
  let batch: AdState[] = [];
  for await (const some of ads) {
    for (const ad of some) batch.push(ad);
    if (batch.length < batchAds) continue;
    take(batch);
    batch = [];
  }
  take(batch);
  const { lambda, windowMs } = head;
  const at = timeOf(head.window, head);
  return { at, windowMs, policy: settings.policy, lambda, ...counts, ...modes, ads: shown };
}

function* adStandings(head: BanditStateHead, ads: readonly AdState[], settings: BanditSettings): Generator<AdStanding> {
  const here = ads.map(({ creatives }) => creatives.filter((one) => !isGone(one, head)).map((one) => one.creative));
  const kept = [...ads.keys()].filter((i) => here[i].length > 0);
  const offsets = Int32Array.from([0, ...kept]);
  for (const [k, i] of kept.entries()) offsets[k + 1] = offsets[k] + here[i].length;
  const arms: Arms = { offsets, adKeys: kept.map((i) => ads[i].ad), creativeKeys: kept.flatMap((i) => here[i]) };
  const bandit = createBandit(arms, settings, { ...head, ads });
  let k = 0;
  for (const [i, ad] of ads.entries()) {
    const creatives = ad.creatives.map((one) => creativeStanding(one, head));
    const sum = (name: 'impressions' | 'clicks') => creatives.reduce((all, one) => all + one[name], 0);
    const standing = here[i].length > 0 ? bandit.standing(k++) : undefined;
    yield {
      ad: ad.ad,
      impressions: sum('impressions'),
      clicks: sum('clicks'),
      correctedCtr: ctrOf(ad.creatives),
      explores: standing === undefined ? null : !standing.hasExited,
      expectedLoss: standing?.expectedLoss ?? null,
      leader: standing === undefined ? null : arms.creativeKeys[standing.leader],
      since: ad.since === 0 ? null : timeOf(ad.since, head),
      lastSeen: here[i].length > 0 ? null : timeOf(Math.max(...ad.creatives.map(({ seen = 0 }) => seen)), head),
      creatives,
    };
  }
}

function creativeStanding(one: CreativeState, head: BanditStateHead): CreativeStanding {
  const total = (name: (typeof totalNames)[number]) => one.totals[totalNames.indexOf(name)];
  return {
    creative: one.creative,
    impressions: total('impressions'),
    clicks: total('clicks'),
    correctedCtr: ctrOf([one]),
    revenueMicros: total('revenueMicros'),
    viewMs: total('views') > 0 ? total('viewMs') / total('views') : null,
    lastSeen: isGone(one, head) ? timeOf(one.seen as number, head) : null,
  };
}

function ctrOf(creatives: readonly CreativeState[]): number | null {
  const sum = (which: 0 | 1) => creatives.reduce((all, { learned }) => all + learned[which], 0);
  return sum(0) > 0 ? sum(1) / sum(0) : null;
}

/** Whether it was no arm any more when the state was saved. */
const isGone = ({ seen }: CreativeState, { window }: BanditStateHead) => seen !== undefined && seen < window;

const timeOf = (window: number, { windowMs }: BanditStateHead) => new Date(window * windowMs).toISOString();
