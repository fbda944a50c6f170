import type { Random } from '../../src/core/random.ts';
import type { Column } from '../../src/schema/columns.ts';
import { integers, numbers, texts, vectors } from './columnBuilders.ts';
import type { MarketPreset } from './presets.ts';
import { pick, standardize } from './sampling.ts';

const CATEGORY_NAMES = [
  'apparel',
  'automotive',
  'beauty',
  'education',
  'electronics',
  'finance',
  'food',
  'games',
  'home',
  'sports',
  'streaming',
  'travel',
];
export const BID_TYPES = ['cpm', 'cpc', 'cpe', 'cpa', 'ocpm'] as const;
export const LANDINGS = ['website', 'app_store', 'lead_form', 'shop', 'chat'] as const;
export const FORMATS = ['image', 'video', 'carousel', 'text'] as const;
export const COLORS = ['red', 'orange', 'yellow', 'green', 'blue', 'purple', 'black', 'white'] as const;
export const HEADLINES = ['question', 'discount', 'testimonial', 'urgency', 'plain'] as const;
export const IMAGE_SIZE = 8;

/** What ad `a` is, one array an attribute; `columns` as log and catalog show it. */
export interface Ads {
  readonly count: number;
  readonly category: Int32Array;
  /** From 0, over all categories. */
  readonly topic: Int32Array;
  readonly landing: Int32Array;
  /** How often an ad is retrieved: Zipf-like, with a long tail. */
  readonly popularity: Float64Array;
  /** Standardised ln(price), ln(ad age) and ln(advertiser age). */
  readonly priceScore: Float64Array;
  readonly ageScore: Float64Array;
  readonly advertiserScore: Float64Array;
  readonly latent: Float64Array;
  readonly effect: Float64Array;
  /** Creatives of ad `a`: `creativeOffsets[a] .. creativeOffsets[a+1]`. */
  readonly creativeOffsets: Int32Array;
  readonly columns: ReadonlyMap<string, Column>;
}

/** What creative `c` is, one array an attribute. */
export interface Creatives {
  readonly count: number;
  readonly ad: Int32Array;
  readonly format: Int32Array;
  readonly color: Int32Array;
  readonly headline: Int32Array;
  /** How appealing the image is, mean 0 and standard deviation 1: a function of its embedding, not linear. */
  readonly imageScore: Float64Array;
  readonly effect: Float64Array;
  readonly columns: ReadonlyMap<string, Column>;
}

/** Names of a preset's categories. */
export function categoryNames(preset: MarketPreset): string[] {
  return Array.from({ length: preset.categoryCount }, (_, c) => CATEGORY_NAMES[c] ?? `category${c + 1}`);
}

interface AdDraft {
  readonly advertiser: Int32Array;
  readonly campaign: Int32Array;
  readonly category: Int32Array;
  readonly topic: Int32Array;
  readonly landing: Int32Array;
  readonly logPrice: Float64Array;
  readonly logAge: Float64Array;
  readonly advertiserLogAge: Float64Array;
}

/** Draws advertisers, their campaigns and ads. An advertiser sells in one category; a campaign has one bid type. */
export function createAds(preset: MarketPreset, topicVectors: Float64Array, random: Random): Ads {
  const draft = draftAds(preset, random.fork('ads'));
  const own = random.fork('own');
  const latent = new Float64Array(preset.adCount * preset.latentSize);
  for (let i = 0; i < latent.length; i++) {
    const ad = Math.floor(i / preset.latentSize);
    const vector = topicVectors[draft.topic[ad] * preset.latentSize + (i % preset.latentSize)];
    latent[i] = vector + (0.1 * own.normal()) / Math.sqrt(preset.latentSize);
  }
  const creativeOffsets = new Int32Array(preset.adCount + 1);
  const popularity = new Float64Array(preset.adCount);
  for (let a = 0; a < preset.adCount; a++) {
    creativeOffsets[a + 1] = creativeOffsets[a] + creativesOfAd(preset, own);
    popularity[a] = Math.exp(-0.8 * Math.log(2 + a));
  }
  return {
    count: preset.adCount,
    category: draft.category,
    topic: draft.topic,
    landing: draft.landing,
    popularity,
    priceScore: standardize(draft.logPrice),
    ageScore: standardize(draft.logAge),
    advertiserScore: standardize(draft.advertiserLogAge),
    latent,
    effect: Float64Array.from({ length: preset.adCount }, () => own.normal()),
    creativeOffsets,
    columns: adColumns(preset, draft, random.fork('bids')),
  };
}

function creativesOfAd({ wording }: MarketPreset, random: Random): number {
  if (wording === undefined) return 2 + pick([0.5, 0.25, 0.15, 0.1], random);
  const [fewest, most] = wording.creativesPerAd;
  return fewest + random.below(most - fewest + 1);
}

function draftAds(preset: MarketPreset, random: Random): AdDraft {
  const { adCount, advertiserCount, categoryCount, topicsPerCategory } = preset;
  const sells = Int32Array.from({ length: advertiserCount }, (_, i) => i % categoryCount);
  const agedBy = Float64Array.from({ length: advertiserCount }, () => 5.8 + 1.2 * random.normal());
  const categoryPrice = Float64Array.from({ length: categoryCount }, () => 3.4 + 0.6 * random.normal());
  const draft: AdDraft = {
    advertiser: new Int32Array(adCount),
    campaign: new Int32Array(adCount),
    category: new Int32Array(adCount),
    topic: new Int32Array(adCount),
    landing: new Int32Array(adCount),
    logPrice: new Float64Array(adCount),
    logAge: new Float64Array(adCount),
    advertiserLogAge: new Float64Array(adCount),
  };
  for (let a = 0; a < adCount; a++) {
    const advertiser = random.below(advertiserCount);
    draft.advertiser[a] = advertiser;
    draft.campaign[a] = advertiser * 3 + random.below(3);
    draft.category[a] = sells[advertiser];
    draft.topic[a] = sells[advertiser] * topicsPerCategory + random.below(topicsPerCategory);
    draft.landing[a] = pick([0.34, 0.2, 0.14, 0.24, 0.08], random);
    draft.logPrice[a] = categoryPrice[sells[advertiser]] + 0.9 * random.normal();
    draft.logAge[a] = 3 + random.normal();
    draft.advertiserLogAge[a] = agedBy[advertiser];
  }
  return draft;
}

/** Typical bids in micros of the account's currency: per mille for cpm, else per charge event. */
const TYPICAL_BID_MICROS = [6_000_000, 120_000, 60_000, 1_500_000, 1_500_000] as const;

function adColumns(preset: MarketPreset, draft: AdDraft, random: Random): Map<string, Column> {
  const { adCount } = preset;
  const bidTypeOf = Int32Array.from({ length: preset.advertiserCount * 3 }, () =>
    pick([0.2, 0.35, 0.1, 0.15, 0.2], random),
  );
  const bidType = draft.campaign.map((campaign) => bidTypeOf[campaign]);
  const bidMicros = BigInt64Array.from({ length: adCount }, (_, a) =>
    BigInt(Math.round(TYPICAL_BID_MICROS[bidType[a]] * Math.exp(0.5 * random.normal()))),
  );
  const whole = (logs: Float64Array) => Int32Array.from(logs, (x) => Math.max(1, Math.round(Math.exp(x))));
  const priceBand = Int32Array.from(standardize(draft.logPrice), (z) =>
    z < -1 ? 1 : z < -0.3 ? 2 : z < 0.4 ? 3 : z < 1.2 ? 4 : 5,
  );
  return new Map<string, Column>([
    ['ad_id', integers(BigInt64Array.from({ length: adCount }, (_, a) => BigInt(50_000_001 + a * 13)))],
    ['campaign_id', integers(BigInt64Array.from(draft.campaign, (c) => BigInt(7_000_001 + c)))],
    ['advertiser_id', integers(BigInt64Array.from(draft.advertiser, (i) => BigInt(900_001 + i)))],
    ['bid_type', texts(BID_TYPES, bidType)],
    ['bid_micros', integers(bidMicros)],
    ['category', texts(categoryNames(preset), draft.category)],
    ['topic', integers(draft.topic.map((topic) => topic + 1))],
    ['landing_type', texts(LANDINGS, draft.landing)],
    ['price', numbers(Float64Array.from(draft.logPrice, (x) => Math.round(Math.exp(x) * 100) / 100))],
    ['price_band', integers(priceBand)],
    ['ad_age_days', integers(whole(draft.logAge))],
    ['advertiser_age_days', integers(whole(draft.advertiserLogAge))],
  ]);
}

/** Draws the creatives of each ad. */
export function createCreatives(ads: Ads, random: Random): Creatives {
  const count = ads.creativeOffsets[ads.count];
  const ad = new Int32Array(count);
  for (let a = 0; a < ads.count; a++) ad.fill(a, ads.creativeOffsets[a], ads.creativeOffsets[a + 1]);
  const format = Int32Array.from({ length: count }, () => pick([0.4, 0.3, 0.2, 0.1], random));
  const color = Int32Array.from({ length: count }, () => random.below(COLORS.length));
  const headline = Int32Array.from({ length: count }, () => random.below(HEADLINES.length));
  const image = new Float32Array(count * IMAGE_SIZE);
  for (let i = 0; i < image.length; i++) image[i] = random.normal();
  // A text creative has no image, and one image in fifty was never embedded.
  const known = Uint8Array.from(format, (f) => (f === 3 || random.next() < 0.02 ? 0 : 1));
  return {
    count,
    ad,
    format,
    color,
    headline,
    imageScore: scoreImages(image, known, random.fork('taste')),
    effect: Float64Array.from({ length: count }, () => random.normal()),
    columns: new Map<string, Column>([
      ['creative_id', integers(BigInt64Array.from(ad, (_, c) => BigInt(300_000_001 + c * 3)))],
      ['format', texts(FORMATS, format)],
      ['dominant_color', texts(COLORS, color)],
      ['headline_style', texts(HEADLINES, headline)],
      ['image_embedding', vectors(image, IMAGE_SIZE, known)],
    ]),
  };
}

/** s(x) = a·x + ½ (b·x)(c·x) with unit vectors a, b, c; 0 where there is no image; then standardised. */
function scoreImages(image: Float32Array, known: Uint8Array, random: Random): Float64Array {
  const taste = Float64Array.from({ length: 3 * IMAGE_SIZE }, () => random.normal() / Math.sqrt(IMAGE_SIZE));
  const score = new Float64Array(known.length);
  for (let c = 0; c < score.length; c++) {
    if (!known[c]) continue;
    let a = 0;
    let b = 0;
    let d = 0;
    for (let k = 0; k < IMAGE_SIZE; k++) {
      const x = image[c * IMAGE_SIZE + k];
      a += taste[k] * x;
      b += taste[IMAGE_SIZE + k] * x;
      d += taste[2 * IMAGE_SIZE + k] * x;
    }
    score[c] = a + 0.5 * b * d;
  }
  return standardize(score);
}
