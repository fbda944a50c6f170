import type { Random } from '../../src/core/random.ts';
import type { Drift } from './drift.ts';
import type { Ads } from './inventory.ts';
import type { Population } from './population.ts';
import type { DriftEffects, MarketPreset } from './presets.ts';
import { pick, type Sampler, weightedSampler } from './sampling.ts';
import { FEED, SEARCH, type Truth } from './truth.ts';
import type { Wording } from './wording.ts';

const MOST_CANDIDATES = 12;
/** Candidates beyond the slots, which the logging policy leaves out. */
const EXTRA_CANDIDATES = 4;

/** One page view: who asks, from where, and the ads shown, top slot first. Reused from request to request. */
export interface PageView {
  user: number;
  placement: number;
  queryTopic: number;
  device: number;
  system: number;
  connection: number;
  /** 1 where the slots were filled in random order. */
  randomized: number;
  slotCount: number;
  readonly ads: Int32Array;
  readonly creatives: Int32Array;
}

export function emptyPageView(): PageView {
  return {
    user: 0,
    placement: FEED,
    queryTopic: -1,
    device: 0,
    system: 0,
    connection: 0,
    randomized: 0,
    slotCount: 0,
    ads: new Int32Array(MOST_CANDIDATES),
    creatives: new Int32Array(MOST_CANDIDATES),
  };
}

/**
 * Draws page views as an ad server's logging policy would make them: retrieve ads by interest or query and by popularity,
 * rank them by a noisy guess of their appeal to the user, show the best. In some requests the order is random.
 *
 * @param changing `drift` where interests change: users then come in visits, and what they look for follows their mood; `wording` where
 *   creatives are added
 */
export function createRequests(
  preset: MarketPreset,
  users: Population,
  ads: Ads,
  truth: Truth,
  changing: { readonly drift?: Drift; readonly wording?: Wording } = {},
) {
  const { drift, wording } = changing;
  const drawUser = preset.drift && drift ? visits(users, preset.drift) : weightedSampler(users.activity);
  const drawAd = weightedSampler(ads.popularity);
  const drawAdOfTopic = samplersByTopic(preset, ads);
  const homeDevice = users.ageBand.map((band, u) => (mixed(u) % 100 < 74 - 6 * band ? 0 : mixed(u) % 7 === 0 ? 1 : 2));
  const homeSystem = users.ageBand.map((_, u) => (mixed(u + 7919) % 100 < 62 ? 0 : 1));
  const score = new Float64Array(MOST_CANDIDATES);
  const topicCount = preset.categoryCount * preset.topicsPerCategory;

  function anInterest(user: number, random: Random): number {
    const from = users.interestOffsets[user];
    const to = users.interestOffsets[user + 1];
    if (drift) return strongest(users.interests.subarray(from, to), (topic) => drift.mood(user, topic), random);
    return users.interests[from + random.below(to - from)];
  }

  function retrieve(view: PageView, random: Random): number {
    const u = random.next();
    if (view.placement === FEED) return u < 0.3 ? drawAdOfTopic[anInterest(view.user, random)](random) : drawAd(random);
    if (u < 0.55) return drawAdOfTopic[view.queryTopic](random);
    if (u < 0.7) {
      const first = view.queryTopic - (view.queryTopic % preset.topicsPerCategory);
      return drawAdOfTopic[first + random.below(preset.topicsPerCategory)](random);
    }
    return drawAd(random);
  }

  /** Fills `view.ads` with distinct candidates and gives their number. */
  function retrieveAll(view: PageView, wanted: number, random: Random): number {
    let count = 0;
    for (let attempt = 0; attempt < 5 * wanted && count < wanted; attempt++) {
      const ad = retrieve(view, random);
      let seen = false;
      for (let i = 0; i < count; i++) seen ||= view.ads[i] === ad;
      if (!seen) view.ads[count++] = ad;
    }
    return count;
  }

  /** Insertion sort by a noisy guess of each ad's appeal, best first. */
  function rank(view: PageView, count: number, random: Random): void {
    for (let i = 0; i < count; i++) {
      const ad = view.ads[i];
      const guess = truth.adAppeal(ad) + 0.8 * truth.affinity(view.user, ad) + 0.6 * random.normal();
      let j = i;
      for (; j > 0 && score[j - 1] < guess; j--) {
        score[j] = score[j - 1];
        view.ads[j] = view.ads[j - 1];
      }
      score[j] = guess;
      view.ads[j] = ad;
    }
  }

  /** How many creatives an ad has by now. */
  function creativesBy(ad: number, timeMs: number): number {
    const from = ads.creativeOffsets[ad];
    let to = ads.creativeOffsets[ad + 1];
    if (wording) while (wording.fromMs[to - 1] > timeMs) to--;
    return to - from;
  }

  return {
    creativesBy,

    /** @param timeMs when it is, for what has drifted by then */
    next(view: PageView, timeMs: number, random: Random): void {
      const user = drawUser(random);
      view.user = user;
      drift?.enter(user, timeMs);
      view.placement = random.next() < preset.feedShare ? FEED : SEARCH;
      const searching = view.placement === SEARCH;
      view.queryTopic = !searching ? -1 : random.next() < 0.6 ? anInterest(user, random) : random.below(topicCount);
      view.device = random.next() < 0.85 ? homeDevice[user] : random.below(3);
      // Systems are android and ios on phones and tablets, windows and macos on desktops.
      view.system = homeSystem[user] + (view.device === 2 ? 2 : 0);
      view.connection = view.device === 2 ? 0 : pick(MOBILE_CONNECTIONS, random);
      const [fewest, most] = searching ? preset.searchSlots : preset.feedSlots;
      const slots = fewest + random.below(most - fewest + 1);
      const count = retrieveAll(view, Math.min(slots + EXTRA_CANDIDATES, MOST_CANDIDATES), random);
      view.randomized = random.next() < preset.randomizedShare ? 1 : 0;
      // Retrieval is in random order already.
      if (!view.randomized) rank(view, count, random);
      view.slotCount = Math.min(slots, count);
      for (let i = 0; i < view.slotCount; i++) {
        const from = ads.creativeOffsets[view.ads[i]];
        view.creatives[i] = from + random.below(creativesBy(view.ads[i], timeMs));
      }
    },
  };
}

/** Draws a user among those who visit just now; who leaves makes room for another, by activity. */
function visits(users: Population, { visitorCount, visitRequests }: DriftEffects): Sampler {
  const drawVisitor = weightedSampler(users.activity);
  const visitors: number[] = [];
  return (random) => {
    while (visitors.length < visitorCount) visitors.push(drawVisitor(random));
    const place = random.below(visitorCount);
    if (random.next() < 1 / visitRequests) visitors[place] = drawVisitor(random);
    return visitors[place];
  };
}

/** Draws one of `topics` with probability proportional to e^strength: the largest of strength + Gumbel noise. */
function strongest(topics: Int32Array, strength: (topic: number) => number, random: Random): number {
  let chosen = topics[0];
  let best = Number.NEGATIVE_INFINITY;
  for (const topic of topics) {
    const score = strength(topic) - Math.log(-Math.log(1 - random.next()));
    if (score <= best) continue;
    best = score;
    chosen = topic;
  }
  return chosen;
}

const MOBILE_CONNECTIONS = [0.5, 0.28, 0.22] as const;

/** A fixed pseudo-random number of a user, so that habits need no stream of their own. */
function mixed(user: number): number {
  return (Math.imul(user + 1, 0x9e3779b1) ^ (Math.imul(user + 1, 0x85ebca6b) >>> 13)) >>> 8;
}

/** One sampler a topic, by popularity among its ads; a topic without ads falls back on all ads. */
function samplersByTopic(preset: MarketPreset, ads: Ads): Sampler[] {
  const everything = weightedSampler(ads.popularity);
  return Array.from({ length: preset.categoryCount * preset.topicsPerCategory }, (_, topic) => {
    const members: number[] = [];
    for (let a = 0; a < ads.count; a++) if (ads.topic[a] === topic) members.push(a);
    if (members.length === 0) return everything;
    const draw = weightedSampler(members.map((a) => ads.popularity[a]));
    return (random: Random) => members[draw(random)];
  });
}
