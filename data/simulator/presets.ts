/** How a synthetic market is laid out and how strongly each effect moves a click. */
export interface MarketPreset {
  readonly name: string;
  /** Midnight UTC of the first day, a Monday. */
  readonly startMs: number;
  readonly dayCount: number;
  readonly userCount: number;
  readonly adCount: number;
  readonly advertiserCount: number;
  readonly categoryCount: number;
  readonly topicsPerCategory: number;
  /** Length of the interest vectors of users and ads. */
  readonly latentSize: number;
  /** Share of requests from the feed; the rest are searches. */
  readonly feedShare: number;
  readonly feedSlots: readonly [fewest: number, most: number];
  readonly searchSlots: readonly [fewest: number, most: number];
  /** Share of requests whose slots are filled in random order, so that position bias can be measured without confounding. */
  readonly randomizedShare: number;
  /** Clicks per impression and conversions per click that the intercepts are set to. */
  readonly clickRate: number;
  readonly conversionRate: number;
  readonly effects: ClickEffects;
  /** What changes while the market runs; nothing where absent. */
  readonly drift?: DriftEffects;
  /** What creatives say and when they come; two to five an ad that say nothing, all from the start, where absent. */
  readonly wording?: WordingEffects;
}

/**
 * Sizes of the parts of a click's logit: standard deviations for random effects and tables, slopes for the rest.
 * The `…By…` effects are crosses without main effects of their own: a model that only adds up fields cannot see them.
 */
export interface ClickEffects {
  readonly interestByAd: number;
  readonly queryMatch: number;
  readonly priceBySpend: number;
  readonly ageByCategory: number;
  readonly genderByCategory: number;
  readonly cityByLanding: number;
  readonly languageByCategory: number;
  readonly hourByCategory: number;
  readonly weekendByCategory: number;
  readonly deviceByFormat: number;
  readonly connectionByFormat: number;
  readonly placementByFormat: number;
  readonly ageByHeadline: number;
  readonly genderByColor: number;
  readonly activityByAdAge: number;
  readonly imageQuality: number;
  readonly category: number;
  readonly age: number;
  readonly activity: number;
  readonly format: number;
  readonly headline: number;
  readonly landing: number;
  readonly hour: number;
  readonly user: number;
  readonly ad: number;
  readonly creative: number;
}

/** How far values wander from 0, and how soon: after its half-life half of a value is left, the rest is new. */
export interface Wandering {
  readonly deviation: number;
  readonly halfLifeMs: number;
}

/** What makes the past tell the next click; see `Drift.clickLogit`. */
export interface DriftEffects {
  /** What a user feels like, by topic. */
  readonly mood: Wandering;
  /** What everybody does, by topic. */
  readonly trend: Wandering;
  readonly wear: number;
  readonly wearHalfLifeMs: number;
  readonly fade: number;
  /** Users come in visits: so many are there at a time, each for this many page views on average. */
  readonly visitorCount: number;
  readonly visitRequests: number;
}

/** What makes the choice among an ad's creatives matter, for one user more than for another; see `Wording.clickLogit`. */
export interface WordingEffects {
  readonly creativesPerAd: readonly [fewest: number, most: number];
  /** Share of creatives that come while the market runs, each ad's first apart. */
  readonly lateShare: number;
  /** Terms and entities of a topic, and terms of no topic. */
  readonly topicTerms: number;
  readonly topicEntities: number;
  readonly commonTerms: number;
  /** Terms a user cares about in each topic of interest. */
  readonly interestTerms: number;
  readonly match: number;
  readonly taste: number;
  readonly styleByAge: number;
  readonly appeal: number;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** A market that does not change: the same users, ads and tastes on all 14 days, with daily and weekly rhythm. */
const STATIC: MarketPreset = {
  name: 'static',
  startMs: Date.UTC(2025, 0, 6),
  dayCount: 14,
  userCount: 2000,
  adCount: 800,
  advertiserCount: 150,
  categoryCount: 6,
  topicsPerCategory: 2,
  latentSize: 4,
  feedShare: 0.65,
  feedSlots: [3, 6],
  searchSlots: [2, 4],
  randomizedShare: 0.15,
  clickRate: 0.075,
  conversionRate: 0.08,
  effects: {
    interestByAd: 1.5,
    queryMatch: 1.0,
    priceBySpend: 0.45,
    ageByCategory: 0.7,
    genderByCategory: 0.7,
    cityByLanding: 0.5,
    languageByCategory: 0.1,
    hourByCategory: 0.5,
    weekendByCategory: 0.1,
    deviceByFormat: 0.65,
    connectionByFormat: 0.2,
    placementByFormat: 0.5,
    ageByHeadline: 0.2,
    genderByColor: 0.1,
    activityByAdAge: 0.15,
    imageQuality: 0.4,
    category: 0.5,
    age: 0.3,
    activity: 0.25,
    format: 0.4,
    headline: 0.3,
    landing: 0.3,
    hour: 0.25,
    user: 0.12,
    ad: 0.25,
    creative: 0.05,
  },
};

/** The same market with a memory: moods and fashions come and go within hours, ads wear out, users come in visits. */
const DRIFT: MarketPreset = {
  ...STATIC,
  name: 'drift',
  drift: {
    mood: { deviation: 1.2, halfLifeMs: 8 * HOUR_MS },
    trend: { deviation: 0.5, halfLifeMs: 12 * HOUR_MS },
    wear: 0.8,
    wearHalfLifeMs: 2 * DAY_MS,
    fade: 0.15,
    visitorCount: 10,
    visitRequests: 8,
  },
};

/** The same market, where an ad's creatives differ: in words, which some users care about, in style and in appeal; new ones keep coming. */
const CREATIVES: MarketPreset = {
  ...STATIC,
  name: 'creatives',
  adCount: 400,
  effects: { ...STATIC.effects, creative: 0.3 },
  wording: {
    creativesPerAd: [4, 6],
    lateShare: 0.4,
    topicTerms: 16,
    topicEntities: 6,
    commonTerms: 80,
    interestTerms: 5,
    match: 0.8,
    taste: 0.35,
    styleByAge: 0.4,
    appeal: 0.3,
  },
};

/** Presets by name; `simulate --preset` takes these. */
export const marketPresets: ReadonlyMap<string, MarketPreset> = new Map(
  [STATIC, DRIFT, CREATIVES].map((of) => [of.name, of]),
);

/** The day a preset's log ends, exclusive. */
export function endMsOf(preset: MarketPreset): number {
  return preset.startMs + preset.dayCount * DAY_MS;
}
