import { type Catalog, readCatalog } from '../catalog/catalog.ts';
import { bidTypes } from '../core/bids.ts';
import { createRandom } from '../core/random.ts';
import type { Bundle } from '../model/bundle.ts';
import type { ColumnBatch } from '../schema/columns.ts';
import { columnOf, isMade } from '../schema/fields.ts';
import type { ColumnType } from '../schema/fitted.ts';
import { columnFromJson } from '../schema/jsonColumns.ts';
import type { Field, HistoryField, HistorySettings } from '../schema/schema.ts';
import { type RandomBundleOptions, randomBundle, randomColumns } from '../scoring/conformance/randomBundle.ts';

/*
 * A small market for tests: a bundle with every kind of field and cross, ads, a user, and the same request in every form.
 */

export const sampleFields: readonly Field[] = [
  { name: 'userId', column: 'user_id', kind: 'id', scope: 'request', size: 8 },
  { name: 'clickedAds', kind: 'ids', scope: 'request', size: 8, table: 'adId' },
  { name: 'age', kind: 'number', scope: 'request', quantiles: 6, size: 8 },
  { name: 'visits', kind: 'number', scope: 'request', transform: 'log1p' },
  { name: 'hour', kind: 'id', scope: 'request', size: 8 },
  { name: 'adId', kind: 'id', scope: 'ad', size: 8 },
  { name: 'topic', column: 'topic_code', kind: 'id', scope: 'ad', size: 8 },
  { name: 'keywords', kind: 'ids', scope: 'ad', size: 8, buckets: 20 },
  { name: 'image', kind: 'vector', length: 3, scope: 'creative' },
  { name: 'distance', kind: 'number', scope: 'candidate', quantiles: 4, size: 8 },
  { name: 'position', kind: 'id', scope: 'candidate', size: 8, servingValue: 1 },
  { name: 'userHour', kind: 'cross', of: ['userId', 'hour'], size: 8, buckets: 50 },
  { name: 'topicKeyword', kind: 'cross', of: ['topic', 'keywords'], size: 8, buckets: 50 },
  { name: 'userKeyword', kind: 'cross', of: ['userId', 'keywords'], size: 8, buckets: 50 },
  { name: 'clickedTopic', kind: 'cross', of: ['clickedAds', 'topic', 'position'], size: 8, buckets: 50 },
];

export interface SampleMarket {
  readonly bundle: Bundle;
  /** By column name, one value an ad. */
  readonly ads: Readonly<Record<string, unknown[]>>;
  readonly catalog: Catalog;
  readonly user: Record<string, unknown>;
  readonly context: Record<string, unknown>;
  /** The value of `distance`, which no catalog has, by candidate. */
  readonly distances: readonly unknown[];
}

export interface SampleOptions {
  readonly seed: number;
  readonly adCount?: number;
  readonly labels?: readonly string[];
  readonly fields?: readonly (Field | HistoryField)[];
  readonly labelDelay?: string;
  readonly history?: HistorySettings;
  /** As `randomBundle` takes it. */
  readonly model?: RandomBundleOptions['model'];
}

/** Of a market whose model has sequences and counters; labels are known after a minute, the play time after two. */
export const remembering: Omit<SampleOptions, 'seed'> = {
  fields: [
    ...sampleFields.map(({ ...field }) => {
      // The schema's user is this column.
      if (field.name === 'userId' && field.kind === 'id') delete field.column;
      return field;
    }),
    { name: 'placement', kind: 'id', scope: 'request', size: 8 },
    {
      name: 'recent',
      kind: 'sequence',
      by: 'userId',
      length: 4,
      items: ['adId', 'topic'],
      actions: ['click', 'conversion'],
    },
    {
      name: 'userStats',
      kind: 'counter',
      by: ['userId'],
      over: ['lifetime', { halfLife: '1h' }, 'session'],
      values: ['count', { rate: 'click' }, { mean: 'playMs' }],
    },
    {
      name: 'userLast',
      kind: 'counter',
      by: ['userId'],
      values: ['sinceLast', { last: 'click' }, { same: 'placement' }],
    },
    {
      name: 'userTopic',
      kind: 'counter',
      by: ['userId', 'topic'],
      values: ['count', { rate: 'click', prior: { by: ['topic'] } }],
    },
    {
      name: 'adStats',
      kind: 'counter',
      by: ['adId'],
      values: ['count', { rate: 'click', prior: { by: ['placement'] } }],
    },
    {
      name: 'placementStats',
      kind: 'counter',
      by: ['placement'],
      over: ['lifetime', { window: '4h' }],
      values: ['count'],
    },
  ],
  labelDelay: '1m',
  history: { numbers: [{ name: 'playMs', column: 'play_ms', delay: '2m' }] },
};

export async function sampleMarket(options: SampleOptions): Promise<SampleMarket> {
  const {
    seed,
    adCount = 40,
    labels = ['click', 'conversion', 'engagement'],
    fields = sampleFields,
    ...rest
  } = options;
  const random = createRandom(seed);
  const bundle = randomBundle({ random: random.fork('bundle'), fields, labels, ...rest });
  const { schema } = bundle.typed;
  const raw = randomColumns(schema, adCount, random.fork('ads'));
  const ids = Array.from({ length: adCount }, (_, i) => i + 1);
  const ads: Record<string, unknown[]> = {
    adId: ids,
    campaignId: ids.map((id) => (id % 7 === 0 ? null : 1000 + (id % 10))),
    advertiserId: ids.map((id) => `advertiser ${id % 3}`),
    bidType: ids.map((id) => bidTypes[id % bidTypes.length]),
    bidMicros: ids.map(() => random.below(5_000_000)),
  };
  for (const field of schema.fields)
    if (!isMade(field) && (field.scope === 'ad' || field.scope === 'creative'))
      ads[columnOf(field)] ??= raw[columnOf(field)];
  const one = (name: string) => raw[columnOf(schema.fields.find((field) => field.name === name) as never)]?.[0];
  const user = Object.fromEntries(['userId', 'clickedAds', 'age', 'visits'].map((name) => [name, one(name)]));
  return {
    bundle,
    ads,
    catalog: await readCatalog([sampleBatch(ads, bundle)]),
    user: { ...user, userId: 7, clickedAds: [3, 5, 9] },
    context: { hour: one('hour') ?? 3 },
    distances: raw.distance ?? ids.map(() => null),
  };
}

/** Columns as a catalog table has them. */
export function sampleBatch(columns: Readonly<Record<string, unknown[]>>, { fitted }: Bundle): ColumnBatch {
  const types: Record<string, ColumnType> = {
    adId: 'integer',
    creativeId: 'integer',
    campaignId: 'integer',
    advertiserId: 'text',
    bidType: 'text',
    bidMicros: 'integer',
  };
  return {
    rowCount: columns.adId.length,
    columns: new Map(
      Object.entries(columns).map(([name, values]) => [
        name,
        columnFromJson(values, types[name] ?? fitted.columnTypes.get(name) ?? 'integer', `sample column ${name}`),
      ]),
    ),
  };
}

/** Every ad of the market as rows, with or without what a catalog has. */
export function sampleRows({ ads, distances }: SampleMarket, inFull: boolean): Record<string, unknown>[] {
  return ads.adId.map((adId, i) => {
    const row = inFull ? Object.fromEntries(Object.entries(ads).map(([name, values]) => [name, values[i]])) : { adId };
    return { ...row, distance: distances[i] };
  });
}

/** The same as one array a name. */
export function sampleColumns(market: SampleMarket, inFull: boolean): Record<string, unknown[]> {
  return { ...(inFull ? market.ads : { adId: market.ads.adId }), distance: [...market.distances] };
}

/** Fields of creatives, and of what creatives and requests have together, beside those of `sampleFields`. */
export const creativeSampleFields: readonly Field[] = [
  { name: 'creativeId', kind: 'id', scope: 'creative', size: 8 },
  { name: 'format', column: 'format_code', kind: 'id', scope: 'creative', size: 8 },
  { name: 'terms', kind: 'ids', scope: 'creative', size: 8, table: 'keywords', buckets: 20 },
  { name: 'likeness', kind: 'number', scope: 'variant' },
  { name: 'userFormat', kind: 'cross', of: ['userId', 'format'], size: 8, buckets: 50 },
  { name: 'topicFormat', kind: 'cross', of: ['topic', 'format'], size: 8, buckets: 50 },
  { name: 'formatTerm', kind: 'cross', of: ['format', 'terms'], size: 8, buckets: 50 },
  { name: 'clickedThis', kind: 'match', of: ['clickedAds', 'adId'] },
  { name: 'saysKeyword', kind: 'match', of: ['keywords', 'terms'] },
];

/** Creatives of a market's ads as a table has them, by column name: ad `i` (from 0) has `countOf(i)`. */
export function sampleCreatives(
  { ads, bundle }: SampleMarket,
  seed: number,
  countOf: (ad: number) => number,
): Readonly<Record<string, unknown[]>> {
  const { fields } = bundle.typed.schema;
  const ofAds = ads.adId.flatMap((adId, i) => new Array<unknown>(countOf(i)).fill(adId));
  const raw = randomColumns(bundle.typed.schema, ofAds.length, createRandom(seed));
  const columns: Record<string, unknown[]> = { creativeId: ofAds.map((_, i) => 900 + i), adId: ofAds };
  for (const field of fields)
    if (!isMade(field) && field.scope === 'creative') columns[columnOf(field)] ??= raw[columnOf(field)];
  return columns;
}
