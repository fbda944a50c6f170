import { type Exposure, examination, SEARCH } from '../../data/simulator/truth.ts';
import { sigmoid } from '../../src/core/numerics.ts';
import { createRandom, shuffle } from '../../src/core/random.ts';
import { estimateExamination } from '../../src/creative/examination.ts';
import { ecoi, examinationOf, type PositionCounts, slotCtrs } from '../../src/creative/positions.ts';
import { kendallTau } from '../../src/evaluation/kendallTau.ts';

const CREATIVES = 100;
const SLOTS = 10;
/** Requests whose order is random, as in the simulator. */
const RANDOMIZED = 0.15;

/** Creatives shown by rank, and what is true of them. */
export interface MarketLog {
  readonly attraction: Float64Array;
  /** Of all requests, and of those in random order. */
  readonly counts: PositionCounts;
  readonly randomized: PositionCounts;
}

/**
 * A search page of ten slots under the simulator's law of examination, which differs by device. A request shows ten of a hundred creatives
 * by rank = ln attraction + ln bid + noise: better ones higher on the whole, but not each one.
 *
 * @param impressions of each creative, about
 */
export function drawMarket(impressions: number, seed: number): MarketLog {
  const random = createRandom(seed);
  const attraction = Float64Array.from({ length: CREATIVES }, () => sigmoid(-2.5 + 0.4 * random.normal()));
  const worth = attraction.map((p) => Math.log(p) + 0.9 * random.normal());
  const seen = [0, 1, 2].map((device) =>
    Float64Array.from({ length: SLOTS }, (_, s) =>
      examination({ placement: SEARCH, device, position: s + 1 } as Exposure),
    ),
  );
  const [counts, randomized] = [emptyCounts(), emptyCounts()];
  const creatives = Int32Array.from({ length: CREATIVES }, (_, i) => i);
  const rank = new Float64Array(CREATIVES);
  const requests = Math.ceil((impressions * CREATIVES) / SLOTS);
  for (let request = 0; request < requests; request++) {
    shuffle(creatives, random);
    const shown = creatives.subarray(0, SLOTS);
    const isRandom = random.next() < RANDOMIZED;
    if (!isRandom) {
      for (const creative of shown) rank[creative] = worth[creative] + 0.3 * random.normal();
      shown.sort((a, b) => rank[b] - rank[a]);
    }
    const device = seen[random.below(3)];
    for (let s = 0; s < SLOTS; s++) {
      const cell = shown[s] * SLOTS + s;
      const click = random.next() < device[s] * attraction[shown[s]] ? 1 : 0;
      for (const log of isRandom ? [counts, randomized] : [counts]) {
        log.impressions[cell]++;
        log.clicks[cell] += click;
      }
    }
  }
  return { attraction, counts, randomized };
}

function emptyCounts(): PositionCounts {
  const cells = CREATIVES * SLOTS;
  return {
    items: Int32Array.from({ length: cells }, (_, cell) => Math.floor(cell / SLOTS)),
    positions: Int32Array.from({ length: cells }, (_, cell) => 1 + (cell % SLOTS)),
    impressions: new Float64Array(cells),
    clicks: new Float64Array(cells),
  };
}

/** Kendall's τ between the true CTRs and what each correction makes of the log. */
export function rankMarket({
  attraction,
  counts,
  randomized,
}: MarketLog): Record<'raw' | 'table' | 'fit' | 'random', number> {
  const tau = (examination: Float64Array) => kendallTau(attraction, ecoi(counts, examination)) ?? 0;
  return {
    raw: tau(new Float64Array(SLOTS).fill(1)),
    table: tau(examinationOf(slotCtrs(counts))),
    fit: tau(estimateExamination(counts).examination),
    random: tau(examinationOf(slotCtrs(randomized))),
  };
}
