import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bidTypeCode, bidTypes, isBidMicros, mostBidMicros, OCPM } from '../core/bids.ts';
import { eCpmInto, eventsPerMilleInto, scoreInto } from './eCpm.ts';
import { type AuctionColumns, secondPricesInto } from './pricing.ts';
import { chooseTop } from './slots.ts';

/** One auction, as a caller writes it down; the quality is Q^a. */
interface Auction {
  slots: number;
  reserve: number;
  bidType: string[];
  bidMicros: number[];
  pCtr: number[];
  pCvr: number[];
  pEngagement: number[];
  quality: number[];
}

function run(auction: Auction) {
  const count = auction.bidMicros.length;
  const columns = {
    types: Uint8Array.from(auction.bidType, bidTypeCode),
    bidMicros: Float64Array.from(auction.bidMicros),
    eventsPerMille: new Float64Array(count),
    quality: Float64Array.from(auction.quality),
    scores: new Float64Array(count),
  } satisfies AuctionColumns;
  const p = {
    pCtr: Float64Array.from(auction.pCtr),
    pCvr: Float64Array.from(auction.pCvr),
    pEngagement: Float64Array.from(auction.pEngagement),
  };
  const eCpm = new Float64Array(count);
  eventsPerMilleInto(columns.types, p, count, columns.eventsPerMille);
  eCpmInto(columns.bidMicros, columns.eventsPerMille, count, eCpm);
  scoreInto(eCpm, columns.quality, count, columns.scores);
  const order = new Int32Array(auction.slots + 1);
  const ordered = chooseTop(columns.scores, count, auction.slots + 1, auction.reserve, order);
  const chosen = Math.min(ordered, auction.slots);
  const prices = new Float64Array(chosen);
  secondPricesInto(order, chosen, ordered, columns, auction.reserve, prices);
  return { ...columns, eCpm, winners: [...order.subarray(0, chosen)], order, ordered, prices };
}

const one = (bidType: string, bidMicros: number, pCtr = 0, pCvr = 0, pEngagement = 0): Auction => ({
  slots: 1,
  reserve: 0,
  bidType: [bidType],
  bidMicros: [bidMicros],
  pCtr: [pCtr],
  pCvr: [pCvr],
  pEngagement: [pEngagement],
  quality: [1],
});

describe('eCPM', () => {
  it.each([
    ['cpm', one('cpm', 2_500_000), 2_500_000],
    ['cpc', one('cpc', 500_000, 0.02), 10_000_000],
    ['cpe', one('cpe', 300_000, 0, 0, 0.05), 15_000_000],
    ['cpa', one('cpa', 8_000_000, 0.02, 0.1), 16_000_000],
    ['ocpm', one('ocpm', 8_000_000, 0.02, 0.1), 16_000_000],
  ])('of a %s bid is what a thousand impressions bring', (_, auction, eCpmMicros) => {
    expect(run(auction).eCpm[0]).toBeCloseTo(eCpmMicros, 6);
  });

  it('asks for a probability that a bid needs and was not given', () => {
    expect(() => eventsPerMilleInto(Uint8Array.of(1), {}, 1, new Float64Array(1))).toThrow(/needs a probability/);
  });
});

describe('bids', () => {
  it('are whole micros from 0 to 2^53', () => {
    expect([0, 1, mostBidMicros].every(isBidMicros)).toBe(true);
    expect([-1, 0.5, Number.NaN, mostBidMicros * 2, '5', null, Number.POSITIVE_INFINITY].some(isBidMicros)).toBe(false);
  });

  it('have a type of a known name', () => {
    expect(bidTypes.map(bidTypeCode)).toEqual([0, 1, 2, 3, 4]);
    expect(['CPC', 'constructor', 3, null].map(bidTypeCode)).toEqual([-1, -1, -1, -1]);
  });
});

describe('a second price', () => {
  it('is what the next candidate’s eCPM costs in the winner’s own charge event, and a micro more', () => {
    // eCPM 10,000,000 beats 6,000,000; at 20 clicks a mille that is 300,000 a click.
    const auction: Auction = {
      slots: 1,
      reserve: 0,
      bidType: ['cpm', 'cpc'],
      bidMicros: [6_000_000, 500_000],
      pCtr: [0.5, 0.02],
      pCvr: [0, 0],
      pEngagement: [0, 0],
      quality: [1, 1],
    };
    const { winners, prices } = run(auction);
    expect(winners).toEqual([1]);
    expect(prices[0]).toBe(300_001);
  });

  it('is the reserve where nobody else bids, per mille for oCPM though the bid is per conversion', () => {
    expect(run({ ...one('cpc', 500_000, 0.02), reserve: 4_000_000 }).prices[0]).toBe(200_001);
    expect(run({ ...one('ocpm', 8_000_000, 0.02, 0.1), reserve: 4_000_000 }).prices[0]).toBe(4_000_001);
    expect(run({ ...one('cpa', 8_000_000, 0.02, 0.1), reserve: 4_000_000 }).prices[0]).toBe(2_000_001);
  });

  it('is one micro where there is nothing to beat, and nothing for a bid of nothing', () => {
    expect(run(one('cpc', 500_000, 0.02)).prices[0]).toBe(1);
    expect(run(one('cpc', 500_000, 0)).prices[0]).toBe(1);
    expect(run(one('cpc', 0, 0.02)).prices[0]).toBe(0);
    expect(run(one('ocpm', 500_000, 0, 0.3)).prices[0]).toBe(0);
  });

  it('is the bid where two tie, and the earlier candidate wins', () => {
    const { winners, prices } = run({
      slots: 1,
      reserve: 0,
      bidType: ['cpc', 'cpc'],
      bidMicros: [500_000, 500_000],
      pCtr: [0.02, 0.02],
      pCvr: [0, 0],
      pEngagement: [0, 0],
      quality: [1, 1],
    });
    expect(winners).toEqual([0]);
    expect(prices[0]).toBe(500_000);
  });

  it('falls with quality: the better ad pays less for the same slot', () => {
    const auction: Auction = {
      slots: 1,
      reserve: 0,
      bidType: ['cpm', 'cpm'],
      bidMicros: [5_000_000, 4_000_000],
      pCtr: [0, 0],
      pCvr: [0, 0],
      pEngagement: [0, 0],
      quality: [2, 1],
    };
    expect(run(auction).prices[0]).toBe(2_000_001);
    expect(run({ ...auction, quality: [1, 1] }).prices[0]).toBe(4_000_001);
  });

  it('leaves nobody below the reserve a slot', () => {
    expect(run({ ...one('cpm', 999), reserve: 1000 }).winners).toEqual([]);
    expect(run({ ...one('cpm', 1000), reserve: 1000 }).prices[0]).toBe(1000);
  });
});

describe('golden auctions (NumPy)', () => {
  const golden = JSON.parse(readFileSync(new URL('./golden/auctions.json', import.meta.url), 'utf8')) as (Auction & {
    won: { candidate: number; eCpmMicros: number; score: number; priceMicros: number }[];
  })[];

  it.each(golden.map((auction) => [auction.bidMicros.length, auction.slots, auction] as const))(
    'of %i candidates for %i slots',
    (_, __, auction) => {
      const result = run(auction);
      expect(result.winners).toEqual(auction.won.map(({ candidate }) => candidate));
      expect([...result.prices]).toEqual(auction.won.map(({ priceMicros }) => priceMicros));
      auction.won.forEach(({ candidate, eCpmMicros, score }) => {
        expect(Math.abs(result.eCpm[candidate] / eCpmMicros - 1)).toBeLessThan(1e-14);
        expect(Math.abs(result.scores[candidate] / score - 1)).toBeLessThan(1e-14);
      });
    },
  );
});

const probability = fc.oneof(
  { weight: 8, arbitrary: fc.double({ min: 0, max: 1, noNaN: true }) },
  { weight: 1, arbitrary: fc.constantFrom(0, 1, 1e-12, 1e-300) },
);
const bid = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 20_000_000 }) },
  { weight: 1, arbitrary: fc.constantFrom(0, 1, 2, 2 ** 52 + 1, mostBidMicros - 1, mostBidMicros) },
);
const candidate = fc.record({
  bidType: fc.constantFrom(...bidTypes),
  bidMicros: bid,
  pCtr: probability,
  pCvr: probability,
  pEngagement: probability,
  quality: fc.oneof(fc.constant(1), fc.double({ min: 0.05, max: 20, noNaN: true })),
});
const auctions = fc
  .record({
    slots: fc.integer({ min: 1, max: 12 }),
    reserve: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 5_000_000 })),
    candidates: fc.array(candidate, { minLength: 1, maxLength: 30 }),
    quality: fc.boolean(),
  })
  .map(({ slots, reserve, candidates, quality }) => {
    const column = <K extends keyof (typeof candidates)[0]>(key: K) => candidates.map((c) => c[key]);
    return {
      slots,
      reserve,
      bidType: column('bidType') as string[],
      bidMicros: column('bidMicros'),
      pCtr: column('pCtr'),
      pCvr: column('pCvr'),
      pEngagement: column('pEngagement'),
      quality: quality ? column('quality') : candidates.map(() => 1),
    };
  });

describe('any auction', () => {
  it('charges whole micros, never above the bid nor below the reserve', () => {
    fc.assert(
      fc.property(auctions, (auction) => {
        const { winners, prices, eCpm, eventsPerMille, types, quality, scores } = run(auction);
        winners.forEach((i, slot) => {
          expect(Number.isInteger(prices[slot]) && prices[slot] >= 0).toBe(true);
          const isOcpm = types[i] === OCPM;
          expect(prices[slot]).toBeLessThanOrEqual(isOcpm ? eCpm[i] : auction.bidMicros[i]);
          const paid = prices[slot] * (isOcpm ? 1 : eventsPerMille[i]);
          expect(scores[i]).toBeGreaterThanOrEqual(auction.reserve);
          // oCPM's bound is rounded down to whole micros, which only a fractional reserve per quality can undercut.
          if (!isOcpm || quality[i] === 1) expect(paid * quality[i]).toBeGreaterThanOrEqual(auction.reserve);
        });
      }),
      { numRuns: 400 },
    );
  });

  it('charges a price that, as the bid, would have won the same slot', () => {
    fc.assert(
      fc.property(auctions, fc.nat(), (auction, pick) => {
        const { winners, prices } = run(auction);
        if (winners.length === 0) return;
        const slot = pick % winners.length;
        const winner = winners[slot];
        if (auction.bidType[winner] === 'ocpm') return;
        const lowered = { ...auction, bidMicros: auction.bidMicros.with(winner, prices[slot]) };
        expect(run(lowered).winners[slot]).toBe(winner);
      }),
      { numRuns: 400 },
    );
  });

  it('would not have been won with less: two micros under the price lose the slot', () => {
    fc.assert(
      fc.property(auctions, fc.nat(), (auction, pick) => {
        const { winners, prices, ordered, order, scores } = run(auction);
        if (winners.length === 0) return;
        const slot = pick % winners.length;
        const winner = winners[slot];
        const next = slot + 1 < ordered ? scores[order[slot + 1]] : 0;
        const price = prices[slot];
        if (auction.bidType[winner] === 'ocpm' || price < 2 || price > 2 ** 50 || Math.max(next, auction.reserve) === 0)
          return;
        const lowered = { ...auction, bidMicros: auction.bidMicros.with(winner, price - 2) };
        expect(run(lowered).winners[slot]).not.toBe(winner);
      }),
      { numRuns: 400 },
    );
  });

  it('keeps or improves the slot of a winner who bids more, at the price that slot had', () => {
    fc.assert(
      fc.property(auctions, fc.nat(), fc.integer({ min: 1, max: 1000 }), (auction, pick, percent) => {
        const before = run(auction);
        if (before.winners.length === 0) return;
        const slot = pick % before.winners.length;
        const winner = before.winners[slot];
        const more = Math.min(mostBidMicros, Math.ceil(auction.bidMicros[winner] * (1 + percent / 100)));
        const after = run({ ...auction, bidMicros: auction.bidMicros.with(winner, more) });
        const now = after.winners.indexOf(winner);
        expect(now).toBeGreaterThanOrEqual(0);
        expect(now).toBeLessThanOrEqual(slot);
        // Its own bid bounds the price but never makes it.
        const bound = before.types[winner] === OCPM ? Math.floor(before.eCpm[winner]) : auction.bidMicros[winner];
        if (now === slot && before.prices[slot] < bound) expect(after.prices[slot]).toBe(before.prices[slot]);
      }),
      { numRuns: 400 },
    );
  });
});

describe('choosing the top', () => {
  const scores = fc.array(
    fc.oneof(fc.double({ noNaN: true, min: 0, max: 1e19 }), fc.constantFrom(0, 1, 2, 3), fc.constant(Number.NaN)),
    { maxLength: 200 },
  );

  it('finds what a full stable sort finds, NaN and scores below the least left out', () => {
    fc.assert(
      fc.property(scores, fc.integer({ min: 0, max: 220 }), fc.constantFrom(0, 1, 2.5), (values, wanted, least) => {
        const order = new Int32Array(Math.min(wanted, values.length));
        const size = chooseTop(Float64Array.from(values), values.length, wanted, least, order);
        const sorted = values
          .map((_, i) => i)
          .filter((i) => values[i] >= least)
          .sort((a, b) => values[b] - values[a] || a - b);
        expect([...order.subarray(0, size)]).toEqual(sorted.slice(0, wanted));
      }),
      { numRuns: 500 },
    );
  });

  it('looks at `count` scores only, so that a longer buffer can be reused', () => {
    const order = new Int32Array(5);
    expect(chooseTop(Float64Array.of(1, 3, 2, 99), 3, 5, 0, order)).toBe(3);
    expect([...order.subarray(0, 3)]).toEqual([1, 2, 0]);
  });
});
