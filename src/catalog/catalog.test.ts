import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KeyHalves } from '../core/hash.ts';
import { createRandom } from '../core/random.ts';
import type { ColumnBatch } from '../schema/columns.ts';
import type { EncodedColumn } from '../schema/encoded.ts';
import { createEncoder } from '../schema/encoder.ts';
import type { ColumnType } from '../schema/fitted.ts';
import { columnFromJson } from '../schema/jsonColumns.ts';
import { keysOf } from '../schema/keys.ts';
import { randomBundle, randomColumns } from '../scoring/conformance/randomBundle.ts';
import { readCatalog } from './catalog.ts';
import { encodeCatalog } from './encodeCatalog.ts';
import { idKeyInto } from './idKeys.ts';

const types: Record<string, ColumnType> = {
  adId: 'integer',
  campaignId: 'integer',
  advertiserId: 'text',
  bidType: 'text',
  bidMicros: 'integer',
};

function batch(columns: Record<string, unknown[]>, more: ReadonlyMap<string, ColumnType> = new Map()): ColumnBatch {
  const entries = Object.entries(columns);
  return {
    rowCount: entries[0][1].length,
    columns: new Map(
      entries.map(([name, values]) => [
        name,
        columnFromJson(values, more.get(name) ?? types[name] ?? 'integer', `test column ${name}`),
      ]),
    ),
  };
}

const ads = (from: number, count: number) => ({
  adId: Array.from({ length: count }, (_, i) => from + i),
  campaignId: Array.from({ length: count }, (_, i) => (i % 2 === 0 ? 100 + i : null)),
  advertiserId: Array.from({ length: count }, () => 'acme'),
  bidType: Array.from({ length: count }, (_, i) => ['cpc', 'cpm', 'ocpm'][i % 3]),
  bidMicros: Array.from({ length: count }, (_, i) => 1000 * i),
});

describe('a catalog', () => {
  it('finds ads by id over all batches, and their bids', async () => {
    const catalog = await readCatalog([batch(ads(10, 3)), batch(ads(20, 4))]);
    expect(catalog.adCount).toBe(7);
    expect([10, 12, 20, 23].map((id) => catalog.rowOf(id))).toEqual([0, 2, 3, 6]);
    expect(catalog.rowOf('21')).toBe(4);
    expect(catalog.rowOf(13)).toBe(-1);
    expect([...catalog.bidTypes]).toEqual([1, 0, 4, 1, 0, 4, 1]);
    expect([...catalog.bidMicros]).toEqual([0, 1000, 2000, 0, 1000, 2000, 3000]);
    expect([0, 1, 5].map((row) => catalog.valueOf('campaignId', row))).toEqual([100, null, 102]);
    expect(catalog.valueOf('advertiserId', 6)).toBe('acme');
  });

  it('finds the same ads whether their ids are near each other or far apart, and no others', async () => {
    const id = fc.oneof(fc.integer({ min: -20, max: 20 }), fc.integer(), fc.maxSafeInteger());
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(id, { minLength: 1, maxLength: 60 }), fc.array(id), async (adId, asked) => {
        const catalog = await readCatalog([batch({ ...ads(1, adId.length), adId })]);
        for (const wanted of [...adId, ...asked, ...adId.map((near) => Math.min(near + 1, Number.MAX_SAFE_INTEGER))])
          expect(catalog.rowOf(wanted), `${wanted}`).toBe(adId.indexOf(wanted));
      }),
      { numRuns: 100 },
    );
    const near = await readCatalog([batch(ads(1, 50))]);
    expect(() => near.rowOf(1.5)).toThrow(/ad id 1.5: expected a whole number/);
  });

  it('keeps ids beyond 2^53 apart', async () => {
    const columns = { ...ads(1, 2), adId: ['9007199254740993', '9007199254740992'] };
    const catalog = await readCatalog([batch(columns)]);
    expect(catalog.rowOf('9007199254740993')).toBe(0);
    expect(catalog.rowOf('9007199254740992')).toBe(1);
    expect(catalog.rowOf('9007199254740991')).toBe(-1);
    expect(() => catalog.rowOf(2 ** 53 + 2)).toThrow(/beyond 2\^53 as decimal text/);
  });

  it('takes text ids', async () => {
    const adId = ['a', 'ünï', 'x'.repeat(1000)];
    const catalog = await readCatalog([batch({ ...ads(0, 3), adId }, new Map([['adId', 'text']]))]);
    expect(adId.map((id) => catalog.rowOf(id))).toEqual([0, 1, 2]);
    expect(catalog.rowOf('')).toBe(-1);
    expect(() => catalog.rowOf(7)).toThrow(/ad id 7: expected text/);
  });

  it.each<[string, Record<string, unknown[]>, RegExp]>([
    ['a missing column', (({ bidMicros: _, ...rest }) => rest)(ads(0, 2)), /ads\.parquet: lacks column 'bidMicros'; a/],
    ['an ad twice', { ...ads(0, 2), adId: [7, 7] }, /ad 7 is in rows 0 and 1; keep one row an ad/],
    ['an ad without id', { ...ads(0, 2), adId: [7, null] }, /row 1 has no adId/],
    ['an unknown bid type', { ...ads(0, 2), bidType: ['cpc', 'CPX'] }, /row 1 has bidType "CPX"; expected one of cpm/],
    ['a bid type that is null', { ...ads(0, 2), bidType: ['cpc', null] }, /row 1 has bidType null/],
    ['a negative bid', { ...ads(0, 2), bidMicros: [1, -5] }, /row 1 has bidMicros -5; expected a whole number/],
    ['a bid that is null', { ...ads(0, 2), bidMicros: [null, 1] }, /row 0 has bidMicros null/],
    ['no rows', Object.fromEntries(Object.keys(ads(0, 1)).map((name) => [name, []])), /has no ads/],
  ])('refuses %s', async (_, columns, message) => {
    await expect(readCatalog([batch(columns)], 'ads.parquet')).rejects.toThrow(message);
  });

  it('refuses a fractional bid, an ad twice in two batches, and bid types that are no text', async () => {
    const fractional = batch({ ...ads(0, 2), bidMicros: [1, 2.5] }, new Map([['bidMicros', 'number']]));
    await expect(readCatalog([fractional])).rejects.toThrow(/bidMicros 2.5/);
    await expect(readCatalog([batch(ads(0, 2)), batch(ads(1, 2))])).rejects.toThrow(/ad 1 is in rows 1 and 2/);
    const numbers = batch({ ...ads(0, 2), bidType: [1, 2] }, new Map([['bidType', 'integer']]));
    await expect(readCatalog([numbers])).rejects.toThrow(/column 'bidType' holds integers/);
  });
});

describe('keys of ad ids', () => {
  const key: KeyHalves = { lo: 0, hi: 0 };
  const columnKey = (value: unknown, type: ColumnType) => [...keysOf(columnFromJson([value], type, ''), '').words];

  it('are those of the column, for any whole number and any text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.maxSafeInteger(), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n).map(String)), (id) => {
        idKeyInto(id, 'integer', 'ad', key);
        expect([key.lo, key.hi]).toEqual(columnKey(id, 'integer'));
      }),
    );
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (id) => {
        idKeyInto(id, 'text', 'ad', key);
        expect([key.lo, key.hi]).toEqual(columnKey(id, 'text'));
      }),
    );
  });

  it.each([[1.5], [null], [{}], ['1.5'], [''], ['99999999999999999999'], [true]])('refuse %j', (id) => {
    expect(() => idKeyInto(id, 'integer', 'ad', key)).toThrow(/expected a whole number/);
  });
});

describe('an encoded catalog', () => {
  const bundle = randomBundle({
    random: createRandom(5),
    fields: [
      { name: 'userId', kind: 'id', scope: 'request' },
      { name: 'adId', kind: 'id', scope: 'ad' },
      { name: 'topic', column: 'topic_code', kind: 'id', scope: 'ad' },
      { name: 'keywords', kind: 'ids', scope: 'ad' },
      { name: 'budget', kind: 'number', scope: 'ad' },
      { name: 'image', kind: 'vector', length: 3, scope: 'creative' },
      { name: 'position', kind: 'id', scope: 'ad', servingValue: 1 },
      { name: 'topicKeyword', kind: 'cross', of: ['topic', 'keywords'] },
      { name: 'userTopic', kind: 'cross', of: ['userId', 'topic'] },
    ],
  });
  const { schema } = bundle.typed;
  const encoder = createEncoder(schema, bundle.fitted);
  const raw = randomColumns(schema, 30, createRandom(6));
  const whole: Record<string, unknown[]> = { ...ads(0, 30), ...raw, adId: ads(0, 30).adId };
  const part = (from: number, to: number) =>
    batch(
      Object.fromEntries(Object.entries(whole).map(([name, values]) => [name, values.slice(from, to)])),
      bundle.fitted.columnTypes,
    );

  it('is the same whatever the batches, and what the encoder makes of the table', async () => {
    const inOne = encodeCatalog(await readCatalog([part(0, 30)]), encoder, schema.fields);
    const inThree = encodeCatalog(await readCatalog([part(0, 11), part(11, 12), part(12, 30)]), encoder, schema.fields);
    expect([...inOne.encoded.keys()]).toEqual(['adId', 'topic', 'keywords', 'budget', 'image', 'topicKeyword']);
    expect([...inOne.keys.keys()]).toEqual(['topic', 'keywords']);
    const expected = encoder.encode(
      part(0, 30),
      schema.fields.filter((field) => inOne.encoded.has(field.name)),
    ).fields;
    for (const [name, column] of expected) {
      expect(inOne.encoded.get(name)).toEqual(column);
      expect(inThree.encoded.get(name)).toEqual(column as EncodedColumn);
    }
    const keywords = keysOf(part(0, 30).columns.get('keywords') as never, '');
    expect(inThree.keys.get('keywords')).toEqual(keywords);
    const topic = inThree.keys.get('topic');
    expect(topic?.words).toEqual(keysOf(part(0, 30).columns.get('topic_code') as never, '').words);
    expect(topic?.valid).toEqual((part(0, 30).columns.get('topic_code') as { valid?: Uint8Array }).valid);
  });

  it('says which field needs a column that is not there', async () => {
    const { topic_code: _, ...rest } = whole;
    const catalog = await readCatalog([batch(rest, bundle.fitted.columnTypes)]);
    expect(() => encodeCatalog(catalog, encoder, schema.fields, { source: 'ads.parquet' })).toThrow(
      /ads\.parquet: field 'topic' needs column 'topic_code', which the data lacks/,
    );
  });
});
