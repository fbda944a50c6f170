import { sigmoid } from '../../src/core/numerics.ts';
import type { Random } from '../../src/core/random.ts';
import { type Ads, COLORS, type Creatives, FORMATS, HEADLINES, LANDINGS } from './inventory.ts';
import { AGE_BANDS, CITY_TIERS, CONNECTIONS, DEVICES, GENDERS, LANGUAGES, type Population } from './population.ts';
import type { MarketPreset } from './presets.ts';
import { crossTable } from './sampling.ts';

export const FEED = 0;
export const SEARCH = 1;

/** One shown ad, as indices; `position` counts from 1, `queryTopic` from 0 and is −1 in the feed. */
export interface Exposure {
  user: number;
  ad: number;
  creative: number;
  placement: number;
  position: number;
  queryTopic: number;
  device: number;
  connection: number;
  hour: number;
  weekend: number;
}

/**
 * The law of the market. With s the position and x everything else:
 *
 *   P(examined) = e(s, placement, device)      P(click | examined) = σ(clickLogit(x))
 *   P(conversion | click) = σ(buyLogit(x))     P(engaged | examined) = σ(engageLogit(x))
 */
export interface Truth {
  /** ⟨user's interests, ad⟩ with both as vectors of about unit length; 0.6 and more where a main interest is met. */
  affinity(user: number, ad: number): number;
  /** What draws anyone to the ad itself, apart from who looks: the logging policy knows it. */
  adAppeal(ad: number): number;
  examination(exposure: Exposure): number;
  /** The logit of a click when examined, without the market's intercept. */
  clickLogit(exposure: Exposure): number;
  /** The logit of a conversion after a click, without the market's intercept. */
  buyLogit(exposure: Exposure): number;
  /** Mean delay of a conversion after its click, in ms. */
  delayMsMean(ad: number): number;
}

const HOUR_MS = 3_600_000;
const TAU = 2 * Math.PI;

/** Draws the tables of tastes and closes over them. */
export function createTruth(
  preset: MarketPreset,
  users: Population,
  ads: Ads,
  creatives: Creatives,
  random: Random,
): Truth {
  const size = preset.latentSize;
  const affinity = (user: number, ad: number) => {
    let dot = 0;
    for (let k = 0; k < size; k++) dot += users.latent[user * size + k] * ads.latent[ad * size + k];
    return dot;
  };
  const effects = preset.effects;
  const categoryEffect = normals(preset.categoryCount, effects.category, random.fork('category'));
  const adAppeal = (ad: number) => categoryEffect[ads.category[ad]] + effects.ad * ads.effect[ad];
  return {
    affinity,
    adAppeal,
    examination,
    clickLogit: clickLaw(preset, users, ads, creatives, affinity, adAppeal, random.fork('click')),
    ...buyLaw(preset, users, ads, affinity, random.fork('buy')),
  };
}

/**
 * How likely a position is looked at: e^(−0.16·d·(s−1)) · 0.95 in the feed, 0.92 · s^−0.75·d in search, where d is 0.8 on a
 * phone (scrolling is easy), 1 on a tablet and 1.25 on a desktop. Falls with the position everywhere.
 */
export function examination({ placement, position, device }: Exposure): number {
  const steepness = DEVICE_STEEPNESS[device];
  return placement === FEED
    ? 0.95 * Math.exp(-0.16 * steepness * (position - 1))
    : 0.92 * Math.exp(-0.75 * steepness * Math.log(position));
}
const DEVICE_STEEPNESS = [0.8, 1, 1.25] as const;

function clickLaw(
  preset: MarketPreset,
  users: Population,
  ads: Ads,
  creatives: Creatives,
  affinity: Truth['affinity'],
  adAppeal: Truth['adAppeal'],
  random: Random,
): Truth['clickLogit'] {
  const effects = preset.effects;
  const categories = preset.categoryCount;
  const table = (rows: number, columns: number, of: keyof MarketPreset['effects']) =>
    crossTable(rows, columns, effects[of], random.fork(of));
  const ageByCategory = table(AGE_BANDS.length, categories, 'ageByCategory');
  const genderByCategory = table(GENDERS.length, categories, 'genderByCategory');
  const languageByCategory = table(LANGUAGES.length, categories, 'languageByCategory');
  const weekendByCategory = table(2, categories, 'weekendByCategory');
  const cityByLanding = table(CITY_TIERS.length, LANDINGS.length, 'cityByLanding');
  const deviceByFormat = table(DEVICES.length, FORMATS.length, 'deviceByFormat');
  const connectionByFormat = table(CONNECTIONS.length, FORMATS.length, 'connectionByFormat');
  const placementByFormat = table(2, FORMATS.length, 'placementByFormat');
  const ageByHeadline = table(AGE_BANDS.length, HEADLINES.length, 'ageByHeadline');
  const genderByColor = table(GENDERS.length, COLORS.length, 'genderByColor');
  const byAge = normals(AGE_BANDS.length, effects.age, random.fork('age'));
  const byFormat = normals(FORMATS.length, effects.format, random.fork('format'));
  const byHeadline = normals(HEADLINES.length, effects.headline, random.fork('headline'));
  const byLanding = normals(LANDINGS.length, effects.landing, random.fork('landing'));
  const peaks = random.fork('peaks');
  const peakHour = Float64Array.from({ length: categories }, () => 24 * peaks.next());
  return (x) => {
    const { user, ad, creative } = x;
    const category = ads.category[ad];
    const format = creatives.format[creative];
    const age = users.ageBand[user];
    const gender = users.gender[user];
    let logit = adAppeal(ad) + effects.interestByAd * affinity(user, ad) + effects.user * users.effect[user];
    logit += byAge[age] + byFormat[format] + byHeadline[creatives.headline[creative]] + byLanding[ads.landing[ad]];
    logit += effects.hour * Math.cos((TAU * (x.hour - 21)) / 24);
    // Those who come most often click less, and tire of old ads.
    logit -= 0.7 * (users.activityLevel[user] - 3) * (effects.activity + effects.activityByAdAge * ads.ageScore[ad]);
    // −(price − what this user tends to spend)²: no price is good in itself.
    const mismatch = ads.priceScore[ad] - 0.8 * users.spendScore[user];
    logit -= effects.priceBySpend * Math.min(mismatch * mismatch, 6);
    logit += ageByCategory[age * categories + category] + genderByCategory[gender * categories + category];
    logit += languageByCategory[users.language[user] * categories + category];
    logit += weekendByCategory[x.weekend * categories + category];
    logit += effects.hourByCategory * Math.cos((TAU * (x.hour - peakHour[category])) / 24);
    logit += cityByLanding[users.cityTier[user] * LANDINGS.length + ads.landing[ad]];
    logit += deviceByFormat[x.device * FORMATS.length + format];
    logit += connectionByFormat[x.connection * FORMATS.length + format];
    logit += placementByFormat[x.placement * FORMATS.length + format];
    logit += ageByHeadline[age * HEADLINES.length + creatives.headline[creative]];
    logit += genderByColor[gender * COLORS.length + creatives.color[creative]];
    logit += effects.imageQuality * creatives.imageScore[creative] + effects.creative * creatives.effect[creative];
    if (x.placement === SEARCH) logit += effects.queryMatch * queryFit(preset, ads, ad, x.queryTopic);
    return logit;
  };
}

/** How well a search's topic fits an ad: same topic, same category, or neither. */
function queryFit(preset: MarketPreset, ads: Ads, ad: number, queryTopic: number): number {
  if (ads.topic[ad] === queryTopic) return 1;
  return ads.category[ad] === Math.floor(queryTopic / preset.topicsPerCategory) ? 0.2 : -0.6;
}

function buyLaw(preset: MarketPreset, users: Population, ads: Ads, affinity: Truth['affinity'], random: Random) {
  const categoryEffect = normals(preset.categoryCount, 0.45, random.fork('category'));
  const deviceByLanding = crossTable(DEVICES.length, LANDINGS.length, 0.4, random.fork('deviceByLanding'));
  const ageByLanding = crossTable(AGE_BANDS.length, LANDINGS.length, 0.3, random.fork('ageByLanding'));
  const delays = random.fork('delay');
  // From about one hour to about two days, by category.
  const delayMs = Float64Array.from({ length: preset.categoryCount }, () => HOUR_MS * Math.exp(3.9 * delays.next()));
  const buyLogit = (x: Exposure) => {
    const { user, ad } = x;
    const landing = ads.landing[ad];
    const mismatch = ads.priceScore[ad] - 0.8 * users.spendScore[user];
    let logit = categoryEffect[ads.category[ad]] + 1.2 * affinity(user, ad) + 0.2 * users.buyEffect[user];
    logit += deviceByLanding[x.device * LANDINGS.length + landing];
    logit += ageByLanding[users.ageBand[user] * LANDINGS.length + landing];
    logit += 0.35 * users.spendScore[user] + 0.25 * ads.advertiserScore[ad] - 0.3 * ads.priceScore[ad];
    logit -= 0.3 * Math.min(mismatch * mismatch, 6);
    if (x.placement === SEARCH) logit += 0.5 * queryFit(preset, ads, ad, x.queryTopic);
    return logit;
  };
  return { buyLogit, delayMsMean: (ad: number) => delayMs[ads.category[ad]] };
}

function normals(count: number, size: number, random: Random): Float64Array {
  return Float64Array.from({ length: count }, () => size * random.normal());
}

/**
 * The intercept at which the mean of weight · σ(intercept + logit) is `rate`, by bisection to 1e-9.
 */
export function fitIntercept(logits: Float64Array, weights: Float64Array, weightTotal: number, rate: number): number {
  let low = -30;
  let high = 30;
  while (high - low > 1e-9) {
    const middle = (low + high) / 2;
    let sum = 0;
    for (let i = 0; i < logits.length; i++) sum += weights[i] * sigmoid(middle + logits[i]);
    if (sum / weightTotal < rate) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
