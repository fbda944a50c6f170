import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Creatives, readCreatives } from '../catalog/creatives.ts';
import type { BidType } from '../core/bids.ts';
import { createRandom } from '../core/random.ts';
import { createBandit } from '../creative/bandit.ts';
import { readBanditSettings } from '../creative/settings.ts';
import { evaluateOffPolicy } from '../evaluation/ope.ts';
import { createReferenceScorer } from '../scoring/engines/reference/scorer.ts';
import type { Scorer } from '../scoring/scorer.ts';
import type { RankedSlot, SlotCreative, SlotFactors } from './answer.ts';
import { creativeArms } from './creativeArms.ts';
import { createRanker, type Ranker } from './ranker.ts';
import {
  creativeSampleFields,
  type SampleMarket,
  sampleBatch,
  sampleCreatives,
  sampleFields,
  sampleMarket,
} from './sampleMarket.ts';

/*
 * Ads whose creatives are worth very different amounts compete for fewer slots than there are ads, so that a draw of a weak creative
 * would cost its ad the slot if the draw decided what the ad is worth.
 */

const adCount = 8;
const perAd = 4;

const epsilon = 0.3;

let market: SampleMarket;
let creatives: Creatives;

beforeAll(async () => {
  const sampled = await sampleMarket({ seed: 31, adCount, fields: [...sampleFields, ...creativeSampleFields] });
  // Steep, so that creatives of an ad differ by factors.
  const calibration = {
    click: { x: [-1, 0], y: [-7, 1] },
    conversion: { x: [-1, 1], y: [-6, 3] },
    engagement: { x: [-2, 2], y: [-9, 8] },
  };
  const { bundle } = sampled;
  market = { ...sampled, bundle: { ...bundle, manifest: { ...bundle.manifest, calibration } } };
  creatives = await readCreatives(
    [
      sampleBatch(
        sampleCreatives(market, 5, () => perAd),
        bundle,
      ),
    ],
    market.catalog,
  );
});

function rankerWith(policy?: string): Ranker {
  const { bundle, catalog } = market;
  const settings = readBanditSettings({ policy, epsilon });
  const bandit = policy && createBandit(creativeArms(catalog, creatives), settings);
  return createRanker(bundle, createReferenceScorer(bundle), { catalog, creatives, ...(bandit && { bandit }) });
}

type Row = Record<string, unknown>;

const rowOf = (i: number, more: Row): Row => ({
  adId: market.ads.adId[i],
  distance: market.distances[i],
  likeness: i / 3,
  ...more,
});

const ask = (userId: number, candidates: readonly Row[], more: Row = {}) => ({
  user: { ...market.user, userId },
  context: market.context,
  slots: 2,
  candidates,
  explain: true,
  ...more,
});

/** All ads at one bid. */
const alike = (bidType: BidType = 'cpc') =>
  Array.from({ length: adCount }, (_, i) => rowOf(i, { bidType, bidMicros: 1_000_000 }));

const creativesOf = ({ explain }: RankedSlot) => explain?.creatives as Required<SlotCreative>[];

/** What is shown over many requests of many users. */
function serve(policy: string, requests: number): RankedSlot[] {
  const ranker = rankerWith(policy);
  const random = createRandom(17);
  return Array.from({ length: requests }, (_, i) => ranker.rank(ask(1 + (i % 20), alike()), undefined, random)).flatMap(
    ({ slots }) => slots,
  );
}

describe('an ad whose creative is drawn', () => {
  it.each(['cpc', 'cpe', 'cpa', 'ocpm', 'cpm'] as const)(
    'is worth, bidding by %s, the mean of what its creatives are worth, each weighted by how likely it is shown',
    (bidType) => {
      const bidMicros = 750_000;
      const told = rankerWith();
      const random = createRandom(3);
      const { slots } = rankerWith('default').rank(ask(3, alike(bidType), { slots: adCount }), undefined, random);
      expect(slots.length).toBe(adCount);
      for (const slot of slots) {
        const i = (slot.adId as number) - 1;
        // Each creative by its name, which leaves no choice.
        const each = creativesOf(slot).map(({ creativeId }) => {
          const row = rowOf(i, { bidType, bidMicros, creativeId });
          return told.rank(ask(3, [row])).slots[0] as Required<RankedSlot>;
        });
        const best = each.reduce((a, b) => (b.pCtr > a.pCtr ? b : a));
        const shares = each.map((one) => epsilon / perAd + (one === best ? 1 - epsilon : 0));
        const events = each.map(
          ({ pCtr, pCvr, pEngagement }) =>
            ({ cpm: 0.001, cpc: pCtr, cpe: pEngagement, cpa: pCtr * pCvr, ocpm: pCtr * pCvr })[bidType] * 1000,
        );
        const mean = events.reduce((sum, one, k) => sum + shares[k] * one, 0);
        expect(slot.explain?.eventsPerMille).toBeCloseTo(mean, 9);
        expect(slot.eCpmMicros).toBe(Math.round(1_000_000 * (slot.explain?.eventsPerMille as number)));
        for (const [k, { propensity }] of creativesOf(slot).entries()) expect(propensity).toBeCloseTo(shares[k], 12);
        // What is said of the creative is its own.
        const own = each.find(({ creativeId }) => creativeId === slot.creativeId) as RankedSlot;
        const { pCtr, pCvr, pEngagement } = own;
        expect(slot).toMatchObject({ pCtr, pCvr, pEngagement });
        expect(slot.explain).toMatchObject({ raw: own.explain?.raw, calibrated: own.explain?.calibrated });
      }
    },
  );

  it.each(['click', 'conversion', 'engagement'])('is not answered with a %s probability that is no number', (task) => {
    const { bundle, catalog } = market;
    const scorer = createReferenceScorer(bundle);
    const broken: Scorer = {
      ...scorer,
      score: (input) => new Map([...scorer.score(input), [task, new Float32Array(input.rowCount).fill(Number.NaN)]]),
    };
    const bandit = createBandit(creativeArms(catalog, creatives), readBanditSettings());
    const ranker = createRanker(bundle, broken, { catalog, creatives, bandit });
    expect(() => ranker.rank(ask(1, alike()), undefined, createRandom(1))).toThrow(`the engine gave p(${task}) = NaN`);
  });

  it('is ranked and priced the same whatever is drawn', () => {
    const types: BidType[] = ['cpm', 'cpc', 'cpe', 'cpa', 'ocpm'];
    const entry = fc.record({
      ad: fc.nat({ max: adCount - 1 }),
      bidType: fc.constantFrom(...types),
      bidMicros: fc.nat({ max: 5_000_000 }),
      creative: fc.option(fc.nat({ max: perAd - 1 }), { freq: 4 }),
    });
    const rankers = ['default', 'thompson', 'random'].map((policy) => rankerWith(policy));
    fc.assert(
      fc.property(
        fc.array(entry, { minLength: 1, maxLength: 10 }),
        fc.nat({ max: 1_000_000_000 }),
        fc.constantFrom(...rankers),
        (entries, reserveEcpmMicros, ranker) => {
          // Ads named more than once too, with a creative or without.
          const candidates = entries.map(({ ad, creative, ...bid }) =>
            rowOf(ad, { ...bid, creativeId: creative === null ? null : 900 + perAd * ad + creative }),
          );
          const drawn = [1, 2, 3].map((seed) => {
            const random = createRandom(seed);
            const { slots, eligibleCount } = ranker.rank(ask(2, candidates, { reserveEcpmMicros }), undefined, random);
            for (const { bidType, bidMicros, priceMicros, explain } of slots) {
              const { eventsPerMille } = explain as SlotFactors;
              const charges = bidType === 'ocpm' ? 1 : eventsPerMille;
              expect(priceMicros).toBeLessThanOrEqual(bidType === 'ocpm' ? bidMicros * eventsPerMille : bidMicros);
              expect(priceMicros * charges).toBeGreaterThanOrEqual(reserveEcpmMicros * (1 - 1e-12));
            }
            return {
              eligibleCount,
              slots: slots.map(({ adId, eCpmMicros, priceMicros, explain }) => {
                const { eventsPerMille, score, nextScore } = explain as SlotFactors;
                return { adId, eCpmMicros, priceMicros, eventsPerMille, score, nextScore };
              }),
            };
          });
          expect(drawn[1]).toEqual(drawn[0]);
          expect(drawn[2]).toEqual(drawn[0]);
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe.each(['default', 'thompson'])('creatives that %s shows', (policy) => {
  let slots: RankedSlot[];

  beforeAll(() => {
    slots = serve(policy, 1500);
  });

  it('are shown as often as they were likely to be', () => {
    const shown = new Map<unknown, { times: number; expected: number }>();
    for (const slot of slots)
      for (const { creativeId, propensity } of creativesOf(slot)) {
        const isShown = creativeId === slot.creativeId;
        if (isShown) expect(slot.propensity).toBe(propensity);
        const { times, expected } = shown.get(creativeId) ?? { times: 0, expected: 0 };
        shown.set(creativeId, { times: times + Number(isShown), expected: expected + propensity });
      }
    const cells = [...shown.values()].filter(({ expected }) => expected >= 10);
    expect(cells.length).toBeGreaterThanOrEqual(2 * perAd);
    const chiSquare = cells.reduce((sum, { times, expected }) => sum + (times - expected) ** 2 / expected, 0);
    const freedom = cells.length * (1 - 1 / perAd);
    // By chance it is above this once in 1,000 times (Wilson and Hilferty).
    const most = freedom * (1 - 2 / (9 * freedom) + 3.09 * Math.sqrt(2 / (9 * freedom))) ** 3;
    expect(chiSquare).toBeLessThan(most);
  });

  it('make a log that tells what another policy would have brought', () => {
    const random = createRandom(23);
    // Users click as the model says; the target shows each creative as often as any other.
    const { estimates } = evaluateOffPolicy(
      {
        rewards: Float64Array.from(slots, ({ pCtr }) => Number(random.next() < (pCtr as number))),
        propensities: Float64Array.from(slots, ({ propensity }) => propensity as number),
        targetProbabilities: new Float64Array(slots.length).fill(1 / perAd),
      },
      { random, estimators: ['ips', 'snips'], resamples: 300 },
    );
    const means = slots.map((slot) => creativesOf(slot).reduce((sum, { pCtr }) => sum + pCtr / perAd, 0));
    const truth = means.reduce((sum, mean) => sum + mean, 0) / slots.length;
    for (const { low, high } of estimates as readonly { low: number; high: number }[]) {
      expect(low).toBeLessThan(truth);
      expect(high).toBeGreaterThan(truth);
      expect(high - low).toBeLessThan(0.5 * truth);
    }
  });
});
