import { describe, expect, it } from 'vitest';
import { createRandom, type Random } from '../../../core/random.ts';
import type { EncodedColumn } from '../../../schema/encoded.ts';
import { firstId } from '../../../schema/fields.ts';
import type { Field } from '../../../schema/schema.ts';
import { nativeAddon } from '../../conformance/nativeAddon.ts';
import { randomBundle } from '../../conformance/randomBundle.ts';
import { defaultRates } from '../../planner/defaultRates.ts';
import type { ScoringInput } from '../../scorer.ts';
import { createNativeScorer, formatsOf } from './scorer.ts';

const buckets = 40_000;
const fields: readonly Field[] = [
  { name: 'userId', kind: 'id', scope: 'request', size: 16, buckets: 50 },
  { name: 'adId', kind: 'id', scope: 'ad', size: 16, buckets },
  { name: 'imageId', kind: 'id', scope: 'creative', size: 16, buckets },
  { name: 'titleId', kind: 'id', scope: 'creative', size: 16, buckets: 30 },
  { name: 'textId', kind: 'id', scope: 'creative', size: 8, buckets: 20 },
  { name: 'userImage', kind: 'cross', of: ['userId', 'imageId'], size: 16, buckets: 60 },
];

/** Ads by their numbers, each with those of its creatives, which are its own. */
type Asked = readonly (readonly [ad: number, creatives: readonly number[]])[];

function inputOf(asked: Asked, user: number): ScoringInput {
  const rows = asked.flatMap(([ad, creatives]) => creatives.map((creative) => 7 * ad + creative));
  const ids = (values: readonly number[], size: number): EncodedColumn => ({
    kind: 'id',
    ids: Int32Array.from(values, (value) => firstId + (value % size)),
  });
  return {
    rowCount: rows.length,
    fields: new Map([
      ['userId', ids([user], 50)],
      ['adId', ids(asked.map(([ad]) => ad), buckets)], // biome-ignore format: a column a line
      ['imageId', ids(rows, buckets)],
      ['titleId', ids(rows, 30)],
      ['textId', ids(rows, 20)],
      ['userImage', ids(rows.map((row) => row * 31 + user), 60)], // biome-ignore format: a column a line
    ]),
    candidates: {
      count: asked.length,
      of: Int32Array.from(asked.flatMap(([, creatives], candidate) => creatives.map(() => candidate))),
    },
  };
}

/** Ads of a pool, some of them twice; of each any of its creatives in any order. */
function draw(pool: number, random: Random): Asked {
  return Array.from({ length: 1 + random.below(150) }, () => {
    const ad = random.below(pool);
    if (random.below(3) === 0) return [ad, [0, 1, 2, 3, 4]];
    return [ad, Array.from({ length: 1 + random.below(12) }, () => random.below(7))];
  });
}

const loaded = nativeAddon();
if (typeof loaded === 'string') it.skip(`engine native: ${loaded}`, () => {});
else {
  const { addon } = loaded;
  const bundle = randomBundle({
    random: createRandom(3),
    architecture: 'dual-tower',
    options: { hidden: [32, 16], right: { hidden: [16] } },
    fields,
  });
  const scorerOf = (kernels: string, precision: 'fp32' | 'bf16', cacheBytes: number) =>
    createNativeScorer(bundle, addon, {
      kernels,
      precision,
      rates: defaultRates(precision),
      cacheBytes,
      blockRows: 32,
    });
  const cases = addon
    .kernelNames()
    .flatMap((kernels) => (['fp32', 'bf16'] as const).map((precision) => [kernels, precision] as const))
    .filter(([kernels, precision]) => formatsOf(addon, kernels, precision) !== undefined);

  describe.each(cases)('what kernels %s keep of ads and creatives in %s', (kernels, precision) => {
    it('gives the same answers whatever there is room for, whichever creatives are asked for and in what order', () => {
      const large = scorerOf(kernels, precision, 2 ** 24);
      const small = [6000, 20_000, 100_000].map((bytes) => scorerOf(kernels, precision, bytes));
      const random = createRandom(8);
      for (let request = 0; request < 60; request++) {
        const input = inputOf(draw([20, 200, 3000][request % 3], random), random.below(1000));
        const expected = large.score(input).get('click')?.slice();
        for (const scorer of small) expect(scorer.score(input).get('click')).toEqual(expected);
      }
      for (const scorer of small)
        expect(scorer.adCacheStats().bytes).toBeLessThanOrEqual(scorer.adCacheStats().budgetBytes);
      for (const scorer of [large, ...small]) scorer.dispose();
    });

    it('is found again, but for one in a thousand at most, while there is room for twice as much', () => {
      const scorer = scorerOf(kernels, precision, 2 ** 22);
      const random = createRandom(9);
      const half = 2 ** 20; // of records, beside which sets and links take as much where records are small
      let ads = 0;
      for (; scorer.adCacheStats().bytes < half; ads += 50)
        scorer.score(
          inputOf(
            Array.from({ length: 50 }, (_, i) => [ads + i, [0, 1, 2, 3, 4]]),
            1,
          ),
        );
      const before = scorer.adCacheStats();
      for (let request = 0; request < 100; request++) {
        const asked = Array.from(
          { length: 100 },
          () => [random.below(ads), [0, 1, 2, 3, 4].slice(random.below(4))] as const,
        );
        scorer.score(inputOf(asked, request));
      }
      const { hits, misses } = scorer.adCacheStats();
      expect(misses - before.misses).toBeLessThan((hits - before.hits) / 1000);
      expect(6 * ads).toBeLessThan(buckets);
      scorer.dispose();
    });

    it('is kept once for requests with creatives and without, and counted since the load', () => {
      const scorer = scorerOf(kernels, precision, 2 ** 22);
      const { fields: columns, rowCount } = inputOf(
        Array.from({ length: 40 }, (_, ad) => [ad, [0]]),
        3,
      );
      const rows = { fields: columns, rowCount };
      const plain = scorer.score(rows).get('click')?.slice();
      const first = { ...scorer.adCacheStats(), rows: scorer.stageRows().row };
      const { count, of } = { count: 41, of: Int32Array.from({ length: 40 }, (_, row) => row) };
      expect(() => scorer.score({ ...rows, candidates: { count, of } })).toThrow(/candidates/);
      expect(scorer.adCacheStats()).toMatchObject({ entries: first.entries, bytes: first.bytes });
      scorer.score(inputOf([[1, [0, 1, 2]]], 3));
      for (let call = 0; call < 2; call++) {
        const again = scorer.score(rows).get('click');
        for (const [row, p] of again?.entries() ?? [])
          expect(Math.abs(p - (plain?.[row] ?? Number.NaN))).toBeLessThan(precision === 'fp32' ? 1e-4 : 5e-3);
      }
      const { budgetBytes, hits, misses } = scorer.adCacheStats();
      expect(budgetBytes).toBe(first.budgetBytes);
      expect(hits + misses).toBe(first.hits + first.misses + 4 + 2 * 80);
      expect(hits).toBeGreaterThanOrEqual(first.hits + 80);
      expect(scorer.stageRows().row).toBe(first.rows + 3 + 80);
      scorer.dispose();
    });
  });
}
