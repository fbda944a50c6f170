import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Creatives, readCreatives } from '../catalog/creatives.ts';
import { UserError } from '../core/errors.ts';
import { createRandom } from '../core/random.ts';
import { readBanditSettings } from '../creative/settings.ts';
import { calibrate } from '../evaluation/calibration.ts';
import { createHistory } from '../history/createHistory.ts';
import type { History } from '../history/history.ts';
import { createHistoryPlan, type HistoryPlan } from '../history/historyPlan.ts';
import { createEncoder } from '../schema/encoder.ts';
import { columnOf } from '../schema/fields.ts';
import { columnFromJson } from '../schema/jsonColumns.ts';
import { createReferenceScorer } from '../scoring/engines/reference/scorer.ts';
import type { Scorer } from '../scoring/scorer.ts';
import type { RankedSlot } from './answer.ts';
import { creativeArms } from './creativeArms.ts';
import type { ServedBandit } from './creativeChoice.ts';
import { createRanker, type Ranker } from './ranker.ts';
import {
  creativeSampleFields,
  remembering,
  type SampleMarket,
  sampleBatch,
  sampleCreatives,
  sampleFields,
  sampleMarket,
} from './sampleMarket.ts';

type Row = Record<string, unknown>;

const adCount = 12;
/** Ads 1, 6 and 11 have none of their own. */
const countOf = (ad: number) => (ad % 5 === 0 ? 0 : 1 + (ad % 4));

/** The same rows, an ad's no longer next to each other. */
const mixed = (table: Readonly<Record<string, unknown[]>>) =>
  Object.fromEntries(
    Object.entries(table).map(([name, all]) => [name, all.map((_, i) => all[(7 * i + 3) % all.length])]),
  );

interface Served {
  readonly market: SampleMarket;
  readonly table: Readonly<Record<string, unknown[]>>;
  readonly creatives: Creatives;
  readonly scorer: Scorer;
  /** Knows no catalog: requests give all. */
  readonly bare: Ranker;
  readonly ranker: Ranker;
}

async function serve(options: Parameters<typeof sampleMarket>[0], history?: (plan: HistoryPlan) => History) {
  const market = await sampleMarket({ adCount, ...options });
  const { bundle, catalog } = market;
  const table = mixed(sampleCreatives(market, 5, countOf));
  const creatives = await readCreatives([sampleBatch(table, bundle)], catalog);
  const scorer = createReferenceScorer(bundle);
  const plan = createHistoryPlan(bundle.typed.schema);
  const held = plan && (history?.(plan) ?? createHistory(plan));
  const more = held && { history: held };
  const ranker = createRanker(bundle, scorer, { catalog, creatives, ...more });
  return { market, table, creatives, scorer, ranker, bare: createRanker(bundle, scorer, more ?? {}) };
}

let served: Served;

beforeAll(async () => {
  served = await serve({ seed: 21, fields: [...sampleFields, ...creativeSampleFields] });
});

const ask = ({ user, context }: SampleMarket, candidates: unknown, more: Row = {}) => ({
  user,
  context,
  slots: adCount,
  candidates,
  explain: true,
  ...more,
});

/** What no catalog has of a candidate. */
const bareRow = ({ ads, distances }: SampleMarket, ad: number): Row => ({
  adId: ads.adId[ad],
  distance: distances[ad],
  likeness: ad / 3,
});

/** A creative as a candidate of its own that says everything; `k` counts within the ad. */
function fullRow({ market, table }: Served, ad: number, k: number): Row {
  const row = Object.fromEntries(Object.entries(market.ads).map(([name, values]) => [name, values[ad]]));
  const of = table.adId.flatMap((adId, i) => (adId === market.ads.adId[ad] ? [i] : []));
  const own = of.length === 0 ? {} : Object.fromEntries(Object.entries(table).map(([name, all]) => [name, all[of[k]]]));
  return { ...row, ...own, ...bareRow(market, ad) };
}

const creativeCount = (ad: number) => Math.max(1, countOf(ad));
const ads = Array.from({ length: adCount }, (_, ad) => ad);

/** p(click) of every creative, told in full: by ad, in the table's order. */
function toldInFull(of: Served, nowMs?: number): number[][] {
  const all = ads.map((): number[] => []);
  for (let k = 0; k < 4; k++) {
    const rows = ads.filter((ad) => k < creativeCount(ad)).map((ad) => fullRow(of, ad, k));
    if (rows.length === 0) continue;
    for (const { adId, pCtr } of of.bare.rank(ask(of.market, rows), nowMs).slots)
      all[(adId as number) - 1].push(pCtr as number);
  }
  return all;
}

const pOfCreatives = (slots: readonly RankedSlot[]): number[][] => {
  const all = ads.map((): number[] => []);
  for (const { adId, explain } of slots)
    all[(adId as number) - 1] = (explain?.creatives ?? []).map(({ pCtr }) => pCtr as number);
  return all;
};

describe('a request whose ads have creatives', () => {
  it('is scored as if each creative had been sent in full, whether few or many are asked for', () => {
    const expected = toldInFull(served);
    expect(expected.map(({ length }) => length)).toEqual(ads.map(creativeCount));
    const rows = ads.map((ad) => bareRow(served.market, ad));
    expect(pOfCreatives(served.ranker.rank(ask(served.market, rows)).slots)).toEqual(expected);
    fc.assert(
      fc.property(fc.shuffledSubarray(ads, { minLength: 1 }), (some) => {
        const { slots } = served.ranker.rank(
          ask(
            served.market,
            some.map((ad) => rows[ad]),
          ),
        );
        expect(pOfCreatives(slots)).toEqual(expected.map((p, ad) => (some.includes(ad) ? p : [])));
      }),
      { numRuns: 40 },
    );
  });

  it('is encoded as in training: the engine sees what the encoder makes of one row a creative', () => {
    const { market, ranker, scorer } = served;
    const { bundle } = market;
    const { schema } = bundle.typed;
    const rows = ads.flatMap((ad) => Array.from({ length: creativeCount(ad) }, (_, k) => fullRow(served, ad, k)));
    const { user, context } = market;
    const told: Row = { position: 1 };
    for (const [name, value] of Object.entries({ ...user, ...context }))
      told[columnOf(schema.fields.find((field) => field.name === name) as never)] = value;
    const columns = new Map(
      [...bundle.fitted.columnTypes].map(([name, type]) => [
        name,
        columnFromJson(
          rows.map((row) => row[name] ?? told[name] ?? null),
          type,
          name,
        ),
      ]),
    );
    const encoded = createEncoder(schema, bundle.fitted).encode({ rowCount: rows.length, columns });
    const raw = scorer.score(encoded).get('click') as Float32Array;
    const p = [...raw].map((value) => calibrate(bundle.manifest.calibration.click, value));
    const { slots } = ranker.rank(
      ask(
        market,
        ads.map((ad) => bareRow(market, ad)),
      ),
    );
    expect(pOfCreatives(slots).flat()).toEqual(p);
  });

  it('says which rows are whose even where each has one, so that an engine knows an ad by one name', () => {
    const { market, creatives, scorer } = served;
    const { bundle, catalog } = market;
    const given: (readonly number[] | undefined)[] = [];
    const seeing: Scorer = {
      ...scorer,
      score(input) {
        given.push(input.candidates && [input.candidates.count, ...input.candidates.of]);
        return scorer.score(input);
      },
    };
    const asked = [[1, 3], [1], [6, 11], [0, 5, 10]].map((some) => some.map((ad) => bareRow(market, ad)));
    const ranker = createRanker(bundle, seeing, { catalog, creatives });
    for (const candidates of asked) ranker.rank(ask(market, candidates));
    expect(given).toEqual([
      [2, 0, 0, 1, 1, 1, 1],
      [1, 0, 0],
      [2, 0, 0, 0, 1, 1, 1, 1],
      [3, 0, 1, 2],
    ]);
    given.length = 0;
    const full = ads.filter((ad) => countOf(ad) > 0).map((ad) => fullRow(served, ad, 0));
    createRanker(bundle, seeing).rank(ask(market, full));
    expect(given).toEqual([undefined]);
  });

  it('is answered with the likeliest creative of each ad, whose probabilities are the ad’s', () => {
    const { market, creatives, ranker, table } = served;
    const rows = ads.map((ad) => bareRow(market, ad));
    for (const { adId, creativeId, propensity, pCtr, explain } of ranker.rank(ask(market, rows)).slots) {
      const all = explain?.creatives ?? [];
      const best = all.reduce((a, b) => ((b.pCtr as number) > (a.pCtr as number) ? b : a));
      expect([pCtr, creativeId ?? null, propensity]).toEqual([best.pCtr, best.creativeId, 1]);
      expect(explain?.calibrated.click).toBe(pCtr);
      if (creativeId === undefined) expect(countOf((adId as number) - 1)).toBe(0);
      else expect(table.adId[creatives.rowOf(creativeId)]).toBe(adId);
    }
  });

  it('may name a creative, by number or text, or leave it open with null', () => {
    const { market, ranker, table } = served;
    const rows = ads.map((ad) => bareRow(market, ad));
    const expected = toldInFull(served);
    const third = fullRow(served, 3, 2);
    for (const creativeId of [third.creativeId, String(third.creativeId)]) {
      const { slots } = ranker.rank(
        ask(
          market,
          rows.map((row, ad) => (ad === 3 ? { ...row, creativeId } : row)),
        ),
      );
      expect(pOfCreatives(slots)).toEqual(expected.map((p, ad) => (ad === 3 ? [p[2]] : p)));
      expect(slots.find(({ adId }) => adId === 4)).toMatchObject({ creativeId: third.creativeId, propensity: 1 });
    }
    const columns = {
      adId: market.ads.adId,
      distance: [...market.distances],
      likeness: ads.map((ad) => ad / 3),
      creativeId: ads.map((ad) => (ad === 3 ? third.creativeId : null)),
    };
    expect(pOfCreatives(ranker.rank(ask(market, columns)).slots)).toEqual(
      expected.map((p, ad) => (ad === 3 ? [p[2]] : p)),
    );
    expect(table.creativeId).toContain(third.creativeId);
  });

  it('takes a creative that the request makes, and one that it changes', () => {
    const { market, ranker, bare } = served;
    const full = fullRow(served, 7, 1);
    const own = { format_code: 3, terms: ['word1'], image: [1, 0, -1] };
    const made = { ...full, ...own, creativeId: 77 };
    const stranger = { ...made, adId: 99 };
    const expected = bare.rank(ask(market, [made, stranger])).slots.map(({ pCtr }) => pCtr);
    const sent = { ...bareRow(market, 7), ...own, creativeId: 77 };
    const { slots } = ranker.rank(ask(market, [sent, stranger]));
    expect(slots.map(({ pCtr }) => pCtr)).toEqual(expected);
    expect(slots.map(({ creativeId, propensity }) => [creativeId, propensity])).toEqual([
      [77, 1],
      [77, 1],
    ]);
    const changed = { ...full, format_code: 4 };
    const [told] = bare.rank(ask(market, [changed])).slots;
    const named = { ...bareRow(market, 7), creativeId: full.creativeId, format: 4 };
    expect(ranker.rank(ask(market, [named])).slots[0]).toMatchObject({ pCtr: told.pCtr, creativeId: full.creativeId });
    // An ad that has but one creative need not name it.
    const alone = bare.rank(ask(market, [{ ...fullRow(served, 4, 0), format_code: 4 }])).slots[0];
    expect(countOf(4)).toBe(1);
    expect(ranker.rank(ask(market, [{ ...bareRow(market, 4), format: 4 }])).slots[0].pCtr).toBe(alone.pCtr);
  });

  it('is answered as before where all ads have but their own', async () => {
    const { market, scorer } = served;
    const { bundle, catalog } = market;
    const lone = await readCreatives(
      [
        sampleBatch(
          sampleCreatives(market, 5, (ad) => (ad === 0 ? 1 : 0)),
          bundle,
        ),
      ],
      catalog,
    );
    const rows = ads.slice(1).map((ad) => bareRow(market, ad));
    const expected = createRanker(bundle, scorer, { catalog }).rank(ask(market, rows));
    const { slots, ...rest } = createRanker(bundle, scorer, { catalog, creatives: lone }).rank(ask(market, rows));
    const without = slots.map(({ propensity, explain: { creatives, ...explain } = {} as never, ...slot }) => {
      expect([propensity, creatives?.length]).toEqual([1, 1]);
      return { ...slot, explain };
    });
    expect({ slots: without, ...rest }).toEqual(expected);
  });
});

describe('a creative that a request cannot have', () => {
  it.each<[string, Row, RegExp]>([
    [
      'of another ad',
      { adId: 4, creativeId: 900 },
      /item 0 \(ad 4\): creative 900 is another ad's; name one of its own/,
    ],
    ['of nobody', { adId: 4, creativeId: 5 }, /item 0 \(ad 4\): creative 5 is unknown; name one of the catalog's/],
    ['of the wrong type', { adId: 4, creativeId: 'x' }, /\(ad 4\): creative id "x": expected a whole number/],
    [
      'that is half told',
      { adId: 4, format: 3 },
      /\(ad 4\): lacks field '.+' \(.+\) of a creative of its own; send it/,
    ],
    [
      'of an unknown ad',
      { adId: 98, bidType: 'cpm', bidMicros: 1 },
      /\(ad 98\): lacks field '.+' \(.+\) and is not in/,
    ],
  ])('%s is refused', (_, row, message) => {
    const { market, ranker } = served;
    const candidates = [{ ...bareRow(market, 3), ...row }];
    expect(() => ranker.rank(ask(market, candidates))).toThrow(message);
  });

  it('is answered or refused with a sentence, whatever is sent in its place', () => {
    const { market, ranker } = served;
    const anything = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom(0, -1, 1e300, 900, '903', null));
    const place = fc.constantFrom('creativeId', 'format', 'format_code', 'terms', 'image', 'likeness', 'adId');
    fc.assert(
      fc.property(place, anything, fc.boolean(), (name, value, inColumns) => {
        const rows = ads.map((ad) => bareRow(market, ad));
        const columns = { adId: market.ads.adId, distance: [...market.distances], likeness: ads };
        const values = name === 'adId' ? ads.map((ad) => (ad === 2 ? value : ad + 1)) : ads.map(() => value);
        const candidates = inColumns
          ? { ...columns, [name]: values }
          : rows.map((row, ad) => (ad === 2 ? { ...row, [name]: value } : row));
        try {
          expect(ranker.rank(ask(market, candidates)).slots.length).toBeGreaterThan(0);
        } catch (error) {
          expect(error).toBeInstanceOf(UserError);
          expect((error as UserError).message).toMatch(/^(request|candidates)\b/);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('is unknown where there is no table of creatives, unless the schema has it', async () => {
    const plain = await sampleMarket({ seed: 3, adCount: 4 });
    const ranker = createRanker(plain.bundle, createReferenceScorer(plain.bundle), { catalog: plain.catalog });
    const row = { adId: 1, distance: 3, creativeId: 4 };
    expect(() => ranker.rank(ask(plain, [row]))).toThrow(
      /unknown field 'creativeId'; no creatives are loaded; add --creatives, or leave it out/,
    );
  });
});

describe('history of creatives', () => {
  const fields = [
    ...(remembering.fields ?? []),
    ...creativeSampleFields,
    { name: 'ofCreative', kind: 'counter', by: ['creativeId'], values: ['count', { rate: 'click' }] },
    { name: 'userFormatStats', kind: 'counter', by: ['userId', 'format'], values: ['count', { rate: 'click' }] },
    { name: 'shown', kind: 'sequence', by: 'adId', length: 3, items: ['userId'], actions: ['click'] },
    { name: 'shownAs', kind: 'sequence', by: 'creativeId', length: 2, items: ['userId'] },
    { name: 'seen', kind: 'sequence', by: 'userId', length: 3, items: ['format', 'adId'] },
    { name: 'seenFormat', kind: 'match', of: ['seen.format', 'format'] },
    { name: 'seenAd', kind: 'match', of: ['seen.adId', 'adId'] },
  ] as NonNullable<typeof remembering.fields>;

  it('is that of each creative, a candidate’s of its ad: as if each had been sent in full', async () => {
    const beginMs = Date.UTC(2026, 2, 1);
    const histories: History[] = [];
    const remembers = await serve({ ...remembering, seed: 23, fields }, (plan) => {
      const history = createHistory(plan);
      histories.push(history);
      return history;
    });
    const { market, ranker, table } = remembers;
    const random = createRandom(4);
    const events = Array.from({ length: 120 }, (_, i) => {
      const at = random.below(table.adId.length);
      const full = fullRow(remembers, (table.adId[at] as number) - 1, 0);
      const ad = { ...full, ...Object.fromEntries(Object.entries(table).map(([name, values]) => [name, values[at]])) };
      const type = random.next() < 0.4 ? 'click' : 'impression';
      return {
        type: 'impression',
        eventMs: beginMs + i * 1000,
        user: { userId: 5 + random.below(4) },
        context: { placement: 1 },
        ad,
        values: { click: Number(type === 'click') },
      };
    });
    const rows = ranker.events?.readRequest({ events }, {});
    for (let row = 0; row < events.length; row++) histories[0].add(rows as never, row);
    const nowMs = beginMs + 900_000;
    histories[0].advance(nowMs);
    const at = { ...market, context: { ...market.context, placement: 1 } };
    const expected = toldInFull({ ...remembers, market: at }, nowMs);
    const candidates = ads.map((ad) => bareRow(market, ad));
    const { slots } = ranker.rank(ask(at, candidates), nowMs);
    expect(pOfCreatives(slots)).toEqual(expected);
    // Not all from the catalog: looked up one by one.
    const mixed = candidates.map((row, ad) => (ad === 4 ? fullRow(remembers, 4, 0) : row));
    expect(pOfCreatives(ranker.rank(ask(at, mixed), nowMs).slots)).toEqual(expected);
    const clean = createRanker(market.bundle, remembers.scorer, {
      catalog: market.catalog,
      creatives: remembers.creatives,
    });
    expect(pOfCreatives(clean.rank(ask(at, candidates), nowMs).slots)).not.toEqual(expected);
  });
});

describe('a bandit', () => {
  /** Chooses any creative, the k-th with weight 1 + k, and says so. */
  const drawing = (of: Served): ServedBandit => ({
    arms: creativeArms(of.market.catalog, of.creatives),
    settings: readBanditSettings(),
    choose({ count, ads: rows, variantOffsets, random, p }, { variants, propensities, shares }) {
      expect(p?.length).toBeGreaterThanOrEqual(variantOffsets[count]);
      for (let i = 0; i < count; i++) {
        const size = variantOffsets[i + 1] - variantOffsets[i];
        if (rows[i] >= 0) expect(size).toBe(creativeCount(rows[i]));
        const total = (size * (size + 1)) / 2;
        let left = random.next() * total;
        let k = 0;
        while (left >= k + 1) left -= ++k;
        variants[i] = variantOffsets[i] + k;
        propensities[i] = (k + 1) / total;
        for (let other = 0; other < size && shares; other++) shares[variantOffsets[i] + other] = (other + 1) / total;
      }
    },
    add() {},
    settle() {},
    hasExited: (ad) => ad === 3,
  });

  it('chooses each ad’s creative as often as the propensity that is answered says', () => {
    const { market, creatives, scorer } = served;
    const ranker = createRanker(market.bundle, scorer, { catalog: market.catalog, creatives, bandit: drawing(served) });
    const random = createRandom(8);
    const rows = ads.map((ad) => bareRow(market, ad));
    const expected = toldInFull(served);
    const seen = new Map<unknown, { times: number; propensity: number }>();
    const rounds = 400;
    for (let round = 0; round < rounds; round++) {
      for (const { adId, creativeId = `own of ${adId}`, propensity, pCtr, exploring, explain } of ranker.rank(
        ask(market, rows),
        undefined,
        random,
      ).slots) {
        const known = seen.get(creativeId);
        if (known !== undefined) expect(propensity).toBe(known.propensity);
        expect(exploring).toBe(adId !== 4);
        seen.set(creativeId, { times: (known?.times ?? 0) + 1, propensity: propensity as number });
        const at = (explain?.creatives ?? []).findIndex(
          (creative) => (creative.creativeId ?? `own of ${adId}`) === creativeId,
        );
        expect(pCtr).toBe(expected[(adId as number) - 1][at]);
      }
    }
    expect(seen.size).toBe(expected.flat().length);
    for (const { times, propensity } of seen.values()) {
      const sd = Math.sqrt(rounds * propensity * (1 - propensity));
      expect(Math.abs(times - rounds * propensity)).toBeLessThanOrEqual(4 * sd);
    }
  });

  it('chooses as often as it answers for an ad that a request names more than once, in whatever way', () => {
    const { market, creatives, scorer } = served;
    const ranker = createRanker(market.bundle, scorer, { catalog: market.catalog, creatives, bandit: drawing(served) });
    const random = createRandom(9);
    const full = bareRow(market, 3);
    const { creativeId } = fullRow(served, 3, 1);
    const entry = fc.record({
      bidMicros: fc.constantFrom(1000, 900_000),
      distance: fc.constantFrom(0, market.distances[3]),
      named: fc.integer({ min: 0, max: 4 }).map((k) => (k === 0 ? { creativeId } : {})),
    });
    const rounds = 300;
    fc.assert(
      fc.property(fc.array(entry, { minLength: 2, maxLength: 4 }), (entries) => {
        const candidates = [
          ...entries.map(({ named, ...more }) => ({ ...full, bidType: 'cpc', ...more, ...named })),
          bareRow(market, 5),
        ];
        const seen = new Map<unknown, { times: number; propensity: number }>();
        for (let round = 0; round < rounds; round++) {
          const { slots } = ranker.rank(ask(market, candidates), undefined, random);
          expect(slots.map(({ adId }) => adId).toSorted()).toEqual([4, 6]);
          const slot = slots.find(({ adId }) => adId === 4) as RankedSlot;
          const known = seen.get(slot.creativeId);
          if (known !== undefined) expect(slot.propensity).toBe(known.propensity);
          seen.set(slot.creativeId, { times: (known?.times ?? 0) + 1, propensity: slot.propensity as number });
        }
        for (const { times, propensity } of seen.values()) {
          const sd = Math.sqrt(rounds * propensity * (1 - propensity));
          expect(Math.abs(times - rounds * propensity)).toBeLessThanOrEqual(5 * sd);
        }
      }),
      { numRuns: 25, seed: 6 },
    );
  });

  it('chooses for a model that knows nothing of creatives too, which then scores each ad once', async () => {
    const plain = await sampleMarket({ seed: 2, adCount, fields: sampleFields.filter(({ name }) => name !== 'image') });
    const { bundle, catalog } = plain;
    const table = sampleCreatives(plain, 5, countOf);
    const creatives = await readCreatives([sampleBatch(table, bundle)], catalog);
    const reference = createReferenceScorer(bundle);
    const counts: number[] = [];
    const scorer: Scorer = {
      ...reference,
      score(input) {
        counts.push(input.rowCount);
        return reference.score(input);
      },
    };
    const bandit: ServedBandit = {
      ...drawing({ ...served, market: plain, creatives }),
      choose({ count, variantOffsets, p }, { variants, propensities }) {
        expect(p).toBeUndefined();
        for (let i = 0; i < count; i++) variants[i] = variantOffsets[i + 1] - 1;
        propensities.fill(0.5, 0, count);
      },
    };
    const rows = ads.map((ad) => ({ adId: plain.ads.adId[ad], distance: plain.distances[ad] }));
    const expected = createRanker(bundle, reference, { catalog }).rank(ask(plain, rows));
    const { slots } = createRanker(bundle, scorer, { catalog, creatives, bandit }).rank(
      ask(plain, rows),
      undefined,
      createRandom(1),
    );
    expect(counts).toEqual([adCount]);
    expect(slots.map(({ adId, pCtr }) => [adId, pCtr])).toEqual(expected.slots.map(({ adId, pCtr }) => [adId, pCtr]));
    for (const { adId, creativeId } of slots) {
      const last = table.creativeId.filter((_, i) => table.adId[i] === adId).at(-1);
      expect(creativeId).toBe(last);
    }
  });
});
