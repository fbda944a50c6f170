import type { Random } from '../../src/core/random.ts';
import type { Column } from '../../src/schema/columns.ts';
import { integers, numbers, texts } from './columnBuilders.ts';
import type { MarketPreset } from './presets.ts';
import { pick, standardize } from './sampling.ts';

export const AGE_BANDS = ['18-24', '25-34', '35-44', '45-54', '55-64', '65+'] as const;
export const GENDERS = ['female', 'male', 'other'] as const;
export const CITY_TIERS = ['tier1', 'tier2', 'tier3', 'rural'] as const;
export const LANGUAGES = ['en', 'es', 'zh', 'hi', 'pt', 'fr'] as const;
export const DEVICES = ['phone', 'tablet', 'desktop'] as const;
export const SYSTEMS = ['android', 'ios', 'windows', 'macos'] as const;
export const CONNECTIONS = ['wifi', '5g', '4g'] as const;

/** What user `u` is, one array an attribute: `columns` as the log shows it, the rest as the truth uses it. */
export interface Population {
  readonly count: number;
  /** How often a user comes: the weight of the draw. */
  readonly activity: Float64Array;
  readonly activityLevel: Int32Array;
  readonly ageBand: Int32Array;
  readonly gender: Int32Array;
  readonly cityTier: Int32Array;
  readonly language: Int32Array;
  /** Standardised ln(past spend). */
  readonly spendScore: Float64Array;
  /** True interests: topic numbers from 0, strongest first; user `u` has `interestOffsets[u] .. interestOffsets[u+1]`. */
  readonly interests: Int32Array;
  readonly interestOffsets: Int32Array;
  /** Interest vectors, [users, latentSize]. */
  readonly latent: Float64Array;
  /** Unobserved click-proneness, standard normal. */
  readonly effect: Float64Array;
  /** Standard normal, for conversions. */
  readonly buyEffect: Float64Array;
  readonly columns: ReadonlyMap<string, Column>;
}

/** Draws the users. What a user is and what the log shows of it differ: missing values, and a noisy view of interests. */
export function createPopulation(preset: MarketPreset, topicVectors: Float64Array, random: Random): Population {
  const count = preset.userCount;
  const attributes = random.fork('attributes');
  const activity = new Float64Array(count);
  const draw = (shares: readonly number[], label: string) => {
    const source = random.fork(label);
    return Int32Array.from({ length: count }, () => pick(shares, source));
  };
  const ageBand = draw([0.2, 0.27, 0.21, 0.15, 0.1, 0.07], 'age');
  const gender = draw([0.5, 0.47, 0.03], 'gender');
  const cityTier = draw([0.3, 0.32, 0.25, 0.13], 'city');
  const language = draw([0.46, 0.18, 0.14, 0.1, 0.07, 0.05], 'language');
  const logSpend = new Float64Array(count);
  const accountAgeDays = new Int32Array(count);
  for (let u = 0; u < count; u++) {
    activity[u] = Math.exp(0.9 * attributes.normal());
    // Older users in larger cities have spent more; the tail is heavy (σ of the logarithm 1.3).
    logSpend[u] = 3.5 + 0.2 * ageBand[u] - 0.25 * cityTier[u] + 1.3 * attributes.normal();
    accountAgeDays[u] = Math.min(5000, Math.ceil(Math.exp(5.5 + 1.1 * attributes.normal())));
  }
  const interests = drawInterests(preset, topicVectors, random.fork('interests'));
  const effects = random.fork('effects');
  const activityLevel = levelsOf(activity);
  const observed = { activityLevel, ageBand, gender, cityTier, language, logSpend, accountAgeDays };
  return {
    count,
    activity,
    activityLevel,
    ageBand,
    gender,
    cityTier,
    language,
    spendScore: standardize(logSpend),
    ...interests,
    effect: Float64Array.from({ length: count }, () => effects.normal()),
    buyEffect: Float64Array.from({ length: count }, () => effects.normal()),
    columns: userColumns(preset, observed, interests, random.fork('columns')),
  };
}

/** Five equal groups by activity, 1 the least active. */
function levelsOf(activity: Float64Array): Int32Array {
  const sorted = activity.toSorted();
  const cuts = [0.2, 0.4, 0.6, 0.8].map((q) => sorted[Math.floor(q * sorted.length)]);
  return Int32Array.from(activity, (a) => 1 + cuts.filter((cut) => a >= cut).length);
}

interface Interests {
  readonly interests: Int32Array;
  readonly interestOffsets: Int32Array;
  readonly latent: Float64Array;
}

/** Two to four topics a user, weights falling slowly; the vector is their weighted sum with a little of the user's own. */
function drawInterests(preset: MarketPreset, topicVectors: Float64Array, random: Random): Interests {
  const size = preset.latentSize;
  const topicCount = preset.categoryCount * preset.topicsPerCategory;
  const latent = new Float64Array(preset.userCount * size);
  const offsets = new Int32Array(preset.userCount + 1);
  const all: number[] = [];
  for (let u = 0; u < preset.userCount; u++) {
    const chosen: number[] = [];
    const wanted = 2 + random.below(3);
    while (chosen.length < wanted) {
      const topic = random.below(topicCount);
      if (!chosen.includes(topic)) chosen.push(topic);
    }
    const weights = chosen.map((_, rank) => 1.2 - 0.1 * rank);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    for (let k = 0; k < size; k++) {
      let value = (0.06 * random.normal()) / Math.sqrt(size);
      for (let i = 0; i < wanted; i++) value += (weights[i] / total) * topicVectors[chosen[i] * size + k];
      latent[u * size + k] = value;
    }
    all.push(...chosen);
    offsets[u + 1] = all.length;
  }
  return { interests: Int32Array.from(all), interestOffsets: offsets, latent };
}

interface Observed {
  readonly activityLevel: Int32Array;
  readonly ageBand: Int32Array;
  readonly gender: Int32Array;
  readonly cityTier: Int32Array;
  readonly language: Int32Array;
  readonly logSpend: Float64Array;
  readonly accountAgeDays: Int32Array;
}

function userColumns(preset: MarketPreset, user: Observed, interests: Interests, random: Random): Map<string, Column> {
  const count = preset.userCount;
  const known = (missingShare: number) =>
    Uint8Array.from({ length: count }, () => (random.next() < missingShare ? 0 : 1));
  return new Map<string, Column>([
    ['user_id', integers(userIds(count))],
    ['age_band', texts(AGE_BANDS, user.ageBand, known(0.02))],
    ['gender', texts(GENDERS, user.gender, known(0.03))],
    ['city_tier', texts(CITY_TIERS, user.cityTier, known(0.01))],
    ['language', texts(LANGUAGES, user.language)],
    ['activity_level', integers(user.activityLevel)],
    ['account_age_days', integers(user.accountAgeDays)],
    [
      'past_spend',
      numbers(
        Float64Array.from(user.logSpend, (x) => Math.round(Math.exp(x) * 100) / 100),
        known(0.02),
      ),
    ],
    ['interest_topics', observedInterests(preset, interests, random)],
  ]);
}

/**
 * Distinct 64-bit ids. Three in four are small; every fourth lies just above 2^62, one apart, so that a reader which
 * passes ids through a double merges users and is found out.
 */
function userIds(count: number): BigInt64Array {
  return BigInt64Array.from({ length: count }, (_, u) =>
    u % 4 === 3 ? (1n << 62n) + BigInt(u >> 2) : BigInt(1_000_003 + u * 37),
  );
}

/** The interests as a profile would list them: each is missed with 3 %, and a stray one is added with 5 %. Ids from 1. */
function observedInterests(preset: MarketPreset, truth: Interests, random: Random): Column {
  const topicCount = preset.categoryCount * preset.topicsPerCategory;
  const offsets = new Int32Array(preset.userCount + 1);
  const items: number[] = [];
  for (let u = 0; u < preset.userCount; u++) {
    const listed: number[] = [];
    for (let i = truth.interestOffsets[u]; i < truth.interestOffsets[u + 1]; i++) {
      if (random.next() >= 0.03) listed.push(truth.interests[i] + 1);
    }
    const stray = 1 + random.below(topicCount);
    if (random.next() < 0.05 && !listed.includes(stray)) listed.push(stray);
    items.push(...listed);
    offsets[u + 1] = items.length;
  }
  return { type: 'list', rowCount: preset.userCount, offsets, items: integers(Int32Array.from(items)) };
}
