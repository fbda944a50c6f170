import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { UserError } from '../core/errors.ts';
import { calibrate } from '../evaluation/calibration.ts';
import { createEncoder } from '../schema/encoder.ts';
import { columnOf } from '../schema/fields.ts';
import { columnFromJson } from '../schema/jsonColumns.ts';
import { createReferenceScorer } from '../scoring/engines/reference/scorer.ts';
import type { Scorer } from '../scoring/scorer.ts';
import { createRanker, type Ranker } from './ranker.ts';
import { type SampleMarket, sampleColumns, sampleMarket, sampleRows } from './sampleMarket.ts';

let market: SampleMarket;
let ranker: Ranker;
let withCatalog: Ranker;

beforeAll(async () => {
  market = await sampleMarket({ seed: 1 });
  const scorer = createReferenceScorer(market.bundle);
  ranker = createRanker(market.bundle, scorer);
  withCatalog = createRanker(market.bundle, scorer, { catalog: market.catalog });
});

const ask = (candidates: unknown, more: Record<string, unknown> = {}) => ({
  user: market.user,
  context: market.context,
  slots: 5,
  candidates,
  ...more,
});

/** An engine that answers the same probabilities whatever is asked. */
const fixedScorer = (scores: Record<string, number[]>): Scorer => ({
  engine: 'fixed',
  score: () => new Map(Object.entries(scores).map(([task, p]) => [task, Float32Array.from(p)])),
  dispose() {},
});

describe('the same request in any form', () => {
  it('has the same answer: rows, columns, bare ids of the catalog, and mixtures', () => {
    const rows = sampleRows(market, true);
    const expected = ranker.rank(ask(rows, { explain: true }));
    expect(expected.slots).toHaveLength(5);
    expect(ranker.rank(ask(sampleColumns(market, true), { explain: true }))).toEqual(expected);

    const known = {
      ...expected,
      slots: expected.slots.map((slot) => ({ ...slot, explain: { ...slot.explain, inCatalog: true } })),
    };
    const short = sampleRows(market, false);
    for (const candidates of [short, sampleColumns(market, false), rows.map((row, i) => (i % 3 ? short[i] : row))])
      expect(withCatalog.rank(ask(candidates, { explain: true }))).toEqual(known);
    // Ids as text are answered as text.
    const asText = withCatalog.rank(
      ask(
        short.map((row) => ({ ...row, adId: String(row.adId) })),
        { explain: true },
      ),
    );
    expect(asText.slots.map(({ adId }) => adId)).toEqual(expected.slots.map(({ adId }) => String(adId)));
    expect(asText.slots.map(({ priceMicros }) => priceMicros)).toEqual(
      expected.slots.map(({ priceMicros }) => priceMicros),
    );
  });

  it('takes fields by their own name or their column’s, in user or context', () => {
    const expected = ranker.rank(ask(sampleRows(market, true)));
    const { userId, ...user } = market.user;
    const rows = sampleRows(market, true).map(({ topic_code, ...row }) => ({ ...row, topic: topic_code }));
    expect(ranker.rank(ask(rows, { user: {}, context: { ...user, user_id: userId, ...market.context } }))).toEqual(
      expected,
    );
  });

  it('answers bare ids alone where nothing else is needed', async () => {
    const fields = market.bundle.typed.schema.fields.filter(({ name }) => name !== 'distance');
    const plain = await sampleMarket({ seed: 2, fields });
    const served = createRanker(plain.bundle, createReferenceScorer(plain.bundle), { catalog: plain.catalog });
    const answer = served.rank({ user: plain.user, context: plain.context, slots: 3, candidates: [3, '5', 8] });
    expect(answer.candidateCount).toBe(3);
    const ads = answer.slots.map(({ adId }) => adId);
    expect(new Set(ads)).toEqual(new Set([3, '5', 8]));
  });
});

describe('encoding', () => {
  it('is that of training: the engine sees what the encoder makes of the full table', () => {
    const { bundle, ads, user, context, distances } = market;
    const { schema } = bundle.typed;
    const count = ads.adId.length;
    const all: Record<string, unknown[]> = { ...ads, distance: [...distances], position: new Array(count).fill(1) };
    for (const [name, value] of Object.entries({ ...user, ...context }))
      all[columnOf(schema.fields.find((field) => field.name === name) as never)] = new Array(count).fill(value);
    const columns = new Map(
      [...bundle.fitted.columnTypes].map(([name, type]) => [name, columnFromJson(all[name], type, name)]),
    );
    const scores = createReferenceScorer(bundle).score(
      createEncoder(schema, bundle.fitted).encode({ rowCount: count, columns }),
    );
    for (const answer of [
      ranker.rank(ask(sampleRows(market, true), { slots: count, explain: true })),
      withCatalog.rank(ask(sampleRows(market, false), { slots: count, explain: true })),
    ]) {
      expect(answer.slots).toHaveLength(count);
      for (const { adId, explain } of answer.slots)
        for (const task of ['click', 'conversion', 'engagement'])
          expect(explain?.raw[task]).toBe(scores.get(task)?.[(adId as number) - 1]);
    }
  });

  it('takes a request’s fields over the catalog’s, crosses included, for the candidates that send them', () => {
    const rows = sampleRows(market, true);
    const override = { keywords: ['word1', 'word2'], topic_code: 3, image: [0, 1, -1] };
    const changed = rows.map((row, i) => (i % 2 === 0 ? { ...row, ...override } : row));
    const short = sampleRows(market, false).map((row, i) => (i % 2 === 0 ? { ...row, ...override } : row));
    const expected = ranker.rank(ask(changed, { slots: 40 }));
    expect(withCatalog.rank(ask(short, { slots: 40 }))).toEqual(expected);
    expect(expected).not.toEqual(ranker.rank(ask(rows, { slots: 40 })));
  });

  it('ranks an ad that the catalog lacks if the request sends all of it', () => {
    const rows = sampleRows(market, true);
    const stranger = { ...rows[4], adId: 99 };
    const candidates = [...sampleRows(market, false), stranger];
    expect(withCatalog.rank(ask(candidates, { slots: 41 }))).toEqual(
      ranker.rank(ask([...rows, stranger], { slots: 41 })),
    );
  });

  it('takes null for a missing value, in the request and over the catalog', () => {
    const nothing = { userId: null, clickedAds: null, age: null, visits: null };
    expect(ranker.rank(ask(sampleRows(market, true), { user: nothing })).slots).toHaveLength(5);
    const nulls = { topic_code: null, keywords: null, image: null };
    const expected = ranker.rank(ask(sampleRows(market, true).map((row) => ({ ...row, ...nulls }))));
    expect(withCatalog.rank(ask(sampleRows(market, false).map((row) => ({ ...row, ...nulls }))))).toEqual(expected);
  });

  it('puts the schema’s serving value in place of what a request sends', () => {
    const rows = sampleRows(market, true);
    expect(ranker.rank(ask(rows.map((row) => ({ ...row, position: 9 }))))).toEqual(ranker.rank(ask(rows)));
  });

  it('is the same for one candidate as for it among others', () => {
    const rows = sampleRows(market, true);
    const among = ranker.rank(ask(rows, { slots: 40, explain: true })).slots.find(({ adId }) => adId === 6);
    const alone = ranker.rank(ask([rows[5]], { explain: true })).slots[0];
    expect(alone.explain?.raw).toEqual(among?.explain?.raw);
    expect(alone.slot).toBe(1);
    expect(alone.explain?.nextScore).toBeNull();
  });
});

describe('values and prices', () => {
  const rows = (bids: [string, number][]) =>
    bids.map(([bidType, bidMicros], i) => ({ ...sampleRows(market, true)[i], bidType, bidMicros }));

  it('come from calibrated probabilities: pCvr is pCTCVR by pCtr', () => {
    const scores = { click: [0.1, 0.02, 0.05], conversion: [0.01, 0.0004, 0.002], engagement: [0.3, 0.1, 0.2] };
    const { calibration } = market.bundle.manifest;
    const fixed = createRanker(market.bundle, fixedScorer(scores));
    const candidates = rows([
      ['cpc', 400_000],
      ['cpa', 60_000_000],
      ['cpe', 150_000],
    ]);
    const { slots } = fixed.rank(ask(candidates, { slots: 3, explain: true }));
    for (const slot of slots) {
      const i = (slot.adId as number) - 1;
      const click = calibrate(calibration.click, Math.fround(scores.click[i]));
      const both = calibrate(calibration.conversion, Math.fround(scores.conversion[i]));
      const engagement = calibrate(calibration.engagement, Math.fround(scores.engagement[i]));
      expect(slot.pCtr).toBe(click);
      expect(slot.pCvr).toBe(Math.min(1, both / click));
      expect(slot.pEngagement).toBe(engagement);
      const eCpm = [400_000 * click, 60_000_000 * both, 150_000 * engagement][i] * 1000;
      expect(slot.eCpmMicros).toBe(Math.round(eCpm));
      expect(slot.explain?.calibrated).toEqual({ click, conversion: both, engagement });
    }
    // Each pays what the next one's eCPM costs in its own charge event, and a micro.
    slots.slice(0, 2).forEach((slot, k) => {
      const events = slot.explain?.eventsPerMille as number;
      expect(slot.priceMicros).toBe(Math.floor((slots[k + 1].explain?.score as number) / events) + 1);
      expect(slot.explain?.nextScore).toBe(slots[k + 1].explain?.score);
    });
    expect(slots[2].priceMicros).toBe(1);
  });

  it('never have a pCvr above 1, where calibration leaves more conversions than clicks', () => {
    const { manifest } = market.bundle;
    const bundle = { ...market.bundle, manifest: { ...manifest, calibration: {} } };
    const fixed = createRanker(bundle, fixedScorer({ click: [0.01], conversion: [0.02], engagement: [0.1] }));
    const [slot] = fixed.rank(ask(rows([['ocpm', 1_000_000]]))).slots;
    expect(slot.pCvr).toBe(1);
    expect(slot.eCpmMicros).toBe(Math.round(1_000_000 * Math.fround(0.01) * 1000));
  });

  it('say what is charged: oCPM optimises conversions and charges impressions', () => {
    const { slots } = ranker.rank(
      ask(
        rows([
          ['ocpm', 5_000_000],
          ['cpa', 5_000_000],
        ]),
        { explain: true },
      ),
    );
    const events = Object.fromEntries(
      slots.map((s) => [s.bidType, [s.explain?.optimisedEvent, s.explain?.chargeEvent]]),
    );
    expect(events).toEqual({ ocpm: ['conversion', 'impression'], cpa: ['conversion', 'conversion'] });
  });

  it('leave slots empty below the reserve, and count who reached it', () => {
    const all = ranker.rank(ask(sampleRows(market, true), { slots: 40, explain: true }));
    const reserveEcpmMicros = Math.ceil(all.slots[9].explain?.score as number);
    const answer = ranker.rank(ask(sampleRows(market, true), { slots: 40, reserveEcpmMicros, explain: true }));
    expect(answer.eligibleCount).toBe(answer.slots.length);
    expect(answer.slots.map(({ adId }) => adId)).toEqual(
      all.slots.slice(0, answer.slots.length).map(({ adId }) => adId),
    );
    for (const { explain } of answer.slots) expect(explain?.score).toBeGreaterThanOrEqual(reserveEcpmMicros);
    expect([9, 10]).toContain(answer.slots.length);
  });

  it('give an ad one slot, by its best entry, and never let it set its own price', () => {
    const [row] = rows([['cpm', 3_000_000]]);
    const candidates = [
      { ...row, bidMicros: 1_000_000 },
      row,
      { ...row, bidMicros: 2_000_000 },
      { ...row, adId: 999, bidMicros: 5 },
    ];
    for (const served of [ranker, withCatalog]) {
      const { slots, candidateCount, eligibleCount } = served.rank(ask(candidates));
      expect(slots.map(({ adId, bidMicros, priceMicros }) => [adId, bidMicros, priceMicros])).toEqual([
        [1, 3_000_000, 6],
        [999, 5, 1],
      ]);
      expect([candidateCount, eligibleCount]).toEqual([4, 2]);
    }
  });

  it('are told with the owner the request names, else the catalog’s', () => {
    const answer = withCatalog.rank(ask(sampleRows(market, false), { slots: 40 }));
    for (const { adId, campaignId, advertiserId } of answer.slots) {
      expect(campaignId ?? null).toBe(market.ads.campaignId[(adId as number) - 1]);
      expect(advertiserId).toBe(market.ads.advertiserId[(adId as number) - 1]);
    }
    const [slot] = withCatalog.rank(
      ask([{ adId: 2, distance: 1, campaignId: 'x', bidMicros: 7, bidType: 'cpm' }]),
    ).slots;
    expect(slot).toMatchObject({ campaignId: 'x', bidMicros: 7, bidType: 'cpm', advertiserId: 'advertiser 2' });
  });

  it('name the slots’ positions where the request does, and echo its id', () => {
    const slots = [{ position: 2 }, { position: 5 }];
    const answer = ranker.rank(ask(sampleRows(market, true), { slots, requestId: 'r-1' }));
    expect(answer.slots.map(({ slot, position }) => [slot, position])).toEqual([
      [1, 2],
      [2, 5],
    ]);
    expect(answer.requestId).toBe('r-1');
    expect(answer.model).toEqual({ name: 'sample', version: '1' });
    expect(ranker.rank(ask(sampleRows(market, true)))).not.toHaveProperty('requestId');
  });

  it('are the same whatever was asked before: buffers carry nothing over', () => {
    const first = ranker.rank(ask(sampleRows(market, true)));
    fc.assert(
      fc.property(fc.subarray(sampleRows(market, true), { minLength: 1 }), fc.boolean(), (some, inCatalog) => {
        const served = inCatalog ? withCatalog : ranker;
        const answer = served.rank(ask(some));
        expect(createRanker(market.bundle, ranker.scorer, { catalog: served.catalog }).rank(ask(some))).toEqual(answer);
        expect(ranker.rank(ask(sampleRows(market, true)))).toEqual(first);
      }),
      { numRuns: 15 },
    );
  });

  it('refuse a model that computes NaN, as our own mistake', () => {
    const broken = createRanker(market.bundle, fixedScorer({ click: [Number.NaN], conversion: [0], engagement: [0] }));
    const attempt = () => broken.rank(ask(rows([['cpm', 1]])));
    expect(attempt).toThrow(/internal error: the engine gave p\(click\) = NaN for candidate 0/);
    expect(attempt).not.toThrow(UserError);
  });
});

describe('a model without a task', () => {
  it('refuses the bids that need it, answers the others, and leaves its probability out', async () => {
    const clicks = await sampleMarket({ seed: 3, labels: ['click'] });
    const served = createRanker(clicks.bundle, createReferenceScorer(clicks.bundle), { catalog: clicks.catalog });
    const request = (bidType: string) => ({
      user: clicks.user,
      context: clicks.context,
      slots: 1,
      candidates: [{ adId: 1, distance: 2, bidType, bidMicros: 1000 }],
    });
    for (const bidType of ['cpm', 'cpc']) {
      const [slot] = served.rank(request(bidType)).slots;
      expect(slot.pCtr).toBeGreaterThan(0);
      expect(slot).not.toHaveProperty('pCvr');
      expect(slot).not.toHaveProperty('pEngagement');
    }
    for (const [bidType, task] of [
      ['cpe', 'engagement'],
      ['cpa', 'conversion'],
      ['ocpm', 'conversion'],
    ]) {
      expect(() => served.rank(request(bidType))).toThrow(
        new UserError(
          `candidates, item 0 (ad 1): its bid type needs a model with task '${task}', and bundle 'sample' version 1 has click; train with a label '${task}', or bid otherwise`,
          'unsupported',
        ),
      );
    }
  });
});
