import { beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../core/random.ts';
import type { ColumnBatch } from '../schema/columns.ts';
import { createEncoder } from '../schema/encoder.ts';
import type { ColumnType } from '../schema/fitted.ts';
import { columnFromJson } from '../schema/jsonColumns.ts';
import type { Field } from '../schema/schema.ts';
import { randomBundle } from '../scoring/conformance/randomBundle.ts';
import { type Catalog, readCatalog } from './catalog.ts';
import { readCreatives } from './creatives.ts';
import { encodeCatalog } from './encodeCatalog.ts';

const types: Record<string, ColumnType> = { bidType: 'text', advertiserId: 'text', name: 'text' };

function batch(columns: Record<string, unknown[]>): ColumnBatch {
  const entries = Object.entries(columns);
  return {
    rowCount: entries[0][1].length,
    columns: new Map(entries.map(([name, values]) => [name, columnFromJson(values, types[name] ?? 'integer', name)])),
  };
}

const adsFrom = (adId: unknown[], more: Record<string, unknown[]> = {}) => ({
  adId,
  campaignId: adId.map(() => 1),
  advertiserId: adId.map(() => 'acme'),
  bidType: adId.map(() => 'cpm'),
  bidMicros: adId.map(() => 5),
  ...more,
});

let catalog: Catalog;

beforeAll(async () => {
  catalog = await readCatalog([batch(adsFrom([10, 11])), batch(adsFrom([12, 13]))]);
});

describe('a table of creatives', () => {
  it('lists each ad’s in the order of the file, over all batches', async () => {
    const creatives = await readCreatives(
      [batch({ creativeId: [5, 6, 7], adId: [12, 10, 12] }), batch({ creativeId: [8, 9], adId: [11, 12] })],
      catalog,
    );
    expect([...creatives.offsets]).toEqual([0, 1, 2, 5, 6]);
    const idsOf = (ad: number) =>
      [...creatives.rows.subarray(creatives.offsets[ad], creatives.offsets[ad + 1])].map(creatives.idOf);
    expect([0, 1, 2, 3].map(idsOf)).toEqual([[6], [8], [5, 7, 9], [null]]);
    expect([creatives.count, creatives.namedCount]).toEqual([6, 5]);
    expect([5, '9', 4].map(creatives.rowOf)).toEqual([0, 4, -1]);
    expect([...creatives.ads]).toEqual([2, 0, 2, 1, 2, 3]);
    expect([...creatives.places]).toEqual([2, 0, 3, 1, 4, 5]);
  });

  it.each<[string, Record<string, unknown[]>, RegExp]>([
    ['without ads', { creativeId: [1] }, /c\.parquet: lacks column 'adId'; a table of creatives has creativeId, adId/],
    ['without ids', { adId: [10] }, /lacks column 'creativeId'/],
    [
      'with one twice',
      { creativeId: [1, 1], adId: [10, 11] },
      /creative 1 is in rows 0 and 1; keep one row a creative/,
    ],
    [
      'with one of no id',
      { creativeId: [1, null], adId: [10, 11] },
      /row 1 has no creativeId; give every creative its/,
    ],
    ['with one of no ad', { creativeId: [1, 2], adId: [10, null] }, /row 1 has no adId; say which ad/],
    [
      'of an unknown ad',
      { creativeId: [1, 2], adId: [10, 99] },
      /row 1 is of ad 99, which the catalog lacks; add the ad/,
    ],
    ['that is empty', { creativeId: [], adId: [] }, /has no creatives; write one row a creative/],
  ])('%s is refused', async (_, columns, message) => {
    await expect(readCreatives([batch(columns)], catalog, 'c.parquet')).rejects.toThrow(message);
  });

  it('of ads by another type of id is refused', async () => {
    const wrong = {
      rowCount: 1,
      columns: new Map([
        ['creativeId', columnFromJson([1], 'integer', '')],
        ['adId', columnFromJson(['a'], 'text', '')],
      ]),
    };
    await expect(readCreatives([wrong], catalog, 'c.parquet')).rejects.toThrow(
      /c\.parquet: row 0: ad id "a": expected a whole number/,
    );
  });
});

describe('encoded for a model', () => {
  const fields: readonly Field[] = [
    { name: 'userId', kind: 'id', scope: 'request', size: 8 },
    { name: 'topic', kind: 'id', scope: 'ad', size: 8 },
    { name: 'format', kind: 'id', scope: 'creative', size: 8 },
    { name: 'colour', kind: 'id', scope: 'creative', size: 8 },
    { name: 'formatColour', kind: 'cross', of: ['format', 'colour'], size: 8, buckets: 9 },
    { name: 'topicFormat', kind: 'cross', of: ['topic', 'format'], size: 8, buckets: 9 },
  ];
  const { typed, fitted } = randomBundle({ random: createRandom(2), fields });
  const encoder = createEncoder(typed.schema, fitted);
  const own = { topic: [1, 2], format: [3, 1], colour: [2, 2] };
  const table = batch({ creativeId: [1, 2, 3], adId: [10, 10, 11], format: [1, 2, 1], colour: [3, 1, 1] });

  it('has creatives’ fields ad by ad, of the table and of ads without, and makes no cross of both tables', async () => {
    const ads = await readCatalog([batch(adsFrom([10, 12], own)), batch(adsFrom([11, 13], own))]);
    const creatives = await readCreatives([table], ads);
    const encoded = encodeCatalog(ads, encoder, typed.schema.fields, { creatives });
    expect([...encoded.names]).toEqual(['topic', 'format', 'colour', 'formatColour']);
    // Ad by ad; 12 and 13, the second of each batch, have their own.
    const rows = batch({ format: [1, 2, 1, 1, 1], colour: [3, 1, 2, 1, 2] });
    const chosen = typed.schema.fields.filter(({ name }) => /^(format|colour|formatColour)$/.test(name));
    for (const [name, column] of encoder.encode(rows, chosen).fields) expect(encoded.encoded.get(name)).toEqual(column);
    expect([...(encoded.packedCreatives?.ids.keys() ?? [])]).toEqual(['format', 'colour', 'formatColour']);
    expect([...encoded.packed.ids.keys()]).toEqual(['topic']);
    expect([...encoded.keys].map(([name, { rowCount }]) => [name, rowCount])).toEqual([
      ['topic', 4],
      ['format', 5],
      ['colour', 5],
    ]);
  });

  it('refuses an ad that has no creative and no such column of its own', async () => {
    const { topic } = own;
    const ads = await readCatalog([batch(adsFrom([10, 12], { topic })), batch(adsFrom([11, 13], { topic }))]);
    const creatives = await readCreatives([table], ads);
    expect(() => encodeCatalog(ads, encoder, typed.schema.fields, { creatives })).toThrow(
      /creatives: ad 12 and 1 more have none, and the catalog is not enough \(add creatives, .*\): field 'format' needs/,
    );
    const lacking = await readCreatives([batch({ creativeId: [1], adId: [10] })], ads);
    expect(() => encodeCatalog(ads, encoder, typed.schema.fields, { creatives: lacking })).toThrow(
      /^creatives: field 'format' needs column 'format', which the data lacks/,
    );
  });
});
