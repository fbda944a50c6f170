import { sigmoid } from '../src/core/numerics.ts';
import { createRandom } from '../src/core/random.ts';
import type { Column, ColumnBatch } from '../src/schema/columns.ts';
import { columnFromJson } from '../src/schema/jsonColumns.ts';
import { writeTypeOf } from '../src/tables/arrowBatches.ts';
import { createTableWriter } from '../src/tables/parquetWriter.ts';

/* A small impression log with something to learn, and its schema: for tests. */

const dayMs = 86_400_000;
/** 2026-03-01. */
export const firstMs = Date.UTC(2026, 2, 1);
/** A day's midnight, 0 the first of the log's ten. */
export const dayOf = (day: number) => firstMs + day * dayMs;

export const tinySchema = {
  name: 'tiny',
  labels: [
    { name: 'click', column: 'click', truth: 'true_p' },
    { name: 'conversion', column: 'conversion', after: 'click' },
  ],
  time: 'time_ms',
  user: 'user_id',
  slices: ['placement'],
  fields: [
    { name: 'userId', column: 'user_id', kind: 'id', scope: 'request', size: 4, minCount: 2 },
    { name: 'placement', kind: 'id', scope: 'request', size: 4 },
    { name: 'tags', kind: 'ids', scope: 'ad', size: 4 },
    { name: 'adId', column: 'ad_id', kind: 'id', scope: 'ad', size: 4 },
    { name: 'price', kind: 'number', scope: 'ad', transform: 'log1p' },
    { name: 'image', kind: 'vector', scope: 'creative', length: 2 },
    { name: 'placementAd', kind: 'cross', of: ['placement', 'adId'], size: 4, buckets: 50 },
  ],
};

/** The same with what its log remembers: of users, ads and both, and each user's last ads; clicks are known after a minute. */
export const tinyHistorySchema = {
  ...tinySchema,
  labels: [{ ...tinySchema.labels[0], delay: '1m' }, tinySchema.labels[1]],
  history: { numbers: [{ name: 'weight', column: 'weight', delay: '2m' }], expected: { by: ['placement'] } },
  fields: [
    ...tinySchema.fields,
    {
      name: 'user_stats',
      kind: 'counter',
      by: ['userId'],
      over: ['lifetime', { halfLife: '1d' }, { window: '8h' }, 'session'],
      values: ['count', { rate: 'click' }, { mean: 'weight' }],
    },
    { name: 'user_last', kind: 'counter', by: ['userId'], values: ['sinceLast', { last: 'click' }, { run: 'click' }] },
    {
      name: 'ad_stats',
      kind: 'counter',
      by: ['adId'],
      over: ['lifetime', { halfLife: '2d' }],
      values: ['count', { rate: 'click', prior: { by: ['placement'] } }, { coec: 'click' }],
    },
    { name: 'user_placement', kind: 'counter', by: ['userId', 'placement'], values: ['count', { rate: 'click' }] },
    {
      name: 'recent',
      kind: 'sequence',
      by: 'userId',
      length: 5,
      items: ['adId', 'placement'],
      actions: ['click', 'conversion'],
    },
  ],
};

/**
 * Rows of ten days in order of time: clicks follow the ad, the placement and the price, conversions the ad; users have
 * ids beyond 2^53, one price and one list of tags in twenty is missing.
 */
export function tinyLog(rowCount: number, seed = 1): ColumnBatch {
  const random = createRandom(seed);
  const rows = Array.from({ length: rowCount }, (_, row) => {
    const ad = Math.floor(30 * random.next() ** 2);
    const placement = random.below(3);
    const price = Math.round(Math.exp(random.normal() + 3) * 100) / 100;
    const trueP = sigmoid(-1.5 + 1.2 * Math.sin(ad) + 0.8 * (placement - 1) - 0.3 * (Math.log(price) - 3));
    const click = random.next() < trueP ? 1 : 0;
    return {
      time_ms: firstMs + Math.floor((row * 10 * dayMs) / rowCount),
      user_id: String(9_007_199_254_740_993n + BigInt(Math.floor(200 * random.next() ** 2))),
      placement: ['feed', 'search', 'story'][placement],
      ad_id: ad,
      tags: random.next() < 0.05 ? null : Array.from({ length: random.below(4) }, () => `tag${random.below(12)}`),
      price: random.next() < 0.05 ? null : price,
      image: [Math.cos(ad), random.normal()],
      click,
      conversion: click === 1 && random.next() < sigmoid(Math.cos(ad) - 0.5) ? 1 : 0,
      weight: 1 + random.below(2),
      true_p: trueP,
    };
  });
  const types = {
    time_ms: 'integer',
    user_id: 'integer',
    placement: 'text',
    ad_id: 'integer',
    tags: 'list of text',
    price: 'number',
    image: 'list of number',
    click: 'integer',
    conversion: 'integer',
    weight: 'number',
    true_p: 'number',
  } as const;
  return {
    rowCount,
    columns: new Map(
      Object.entries(types).map(([name, type]) => [
        name,
        columnFromJson(
          rows.map((row) => row[name as keyof typeof types]),
          type,
          name,
        ),
      ]),
    ),
  };
}

/** Writes a batch as one Parquet file, some of its columns in place of others. */
export async function writeLog(
  path: string,
  batch: ColumnBatch,
  {
    columns = {},
    without = [],
    rowGroupRows = 1000,
  }: { columns?: Record<string, Column>; without?: string[]; rowGroupRows?: number } = {},
): Promise<string> {
  const all = new Map([...batch.columns, ...Object.entries(columns)]);
  for (const name of without) all.delete(name);
  const writer = await createTableWriter(path, {
    columns: [...all].map(([name, column]) => ({ name, type: writeTypeOf(column) })),
    rowGroupRows,
  });
  await writer.append({ rowCount: batch.rowCount, columns: all });
  await writer.close();
  return path;
}
