import type { Column, ColumnBatch } from '../../src/schema/columns.ts';
import { gather } from './columnBuilders.ts';
import type { Market } from './market.ts';

/** The names a server's catalog has for what a log calls otherwise. */
const SERVER_NAMES: readonly (readonly [string, string])[] = [
  ['adId', 'ad_id'],
  ['campaignId', 'campaign_id'],
  ['advertiserId', 'advertiser_id'],
  ['bidType', 'bid_type'],
  ['bidMicros', 'bid_micros'],
];

/**
 * One row an ad: `adId`, `campaignId`, `advertiserId`, `bidType`, `bidMicros`, the ad columns of the log under the log's
 * names, and those of the ad's first creative, so that a bare ad id is a complete candidate.
 */
export function adCatalog({ ads, creatives }: Market): ColumnBatch {
  const columns = new Map<string, Column>();
  for (const [name, column] of SERVER_NAMES) columns.set(name, ads.columns.get(column)!);
  for (const [name, column] of ads.columns) {
    if (name !== 'bid_type' && name !== 'bid_micros') columns.set(name, column);
  }
  const first = ads.creativeOffsets.subarray(0, ads.count);
  for (const [name, column] of creatives.columns) columns.set(name, gather(column, first));
  return { rowCount: ads.count, columns };
}

/** One row a creative: `creativeId`, its `adId`, and the creative columns of the log. */
export function creativeCatalog({ ads, creatives }: Market): ColumnBatch {
  const columns = new Map<string, Column>([
    ['creativeId', creatives.columns.get('creative_id')!],
    ['adId', gather(ads.columns.get('ad_id')!, creatives.ad)],
    ...creatives.columns,
  ]);
  return { rowCount: creatives.count, columns };
}
