import { UserError } from '../../src/core/errors.ts';
import { sigmoid } from '../../src/core/numerics.ts';
import { createRandom, type Random } from '../../src/core/random.ts';
import type { Column, ColumnBatch } from '../../src/schema/columns.ts';
import { integers } from './columnBuilders.ts';
import { createDrift } from './drift.ts';
import { type Ads, type Creatives, createAds, createCreatives } from './inventory.ts';
import { drawOutcome, type Laws } from './outcomes.ts';
import { createPopulation, type Population } from './population.ts';
import type { MarketPreset } from './presets.ts';
import { createRequests, emptyPageView, type PageView } from './requests.ts';
import { createRowBuffer, type RowBuffer, toBatch } from './rowBuffer.ts';
import { unitVectors } from './sampling.ts';
import { createClock, HOUR_MS } from './traffic.ts';
import { createTruth, type Exposure, fitIntercept, type Truth } from './truth.ts';
import { createWording, type Wording } from './wording.ts';

/** A synthetic ad market: who is in it, and the impressions as they happen. */
export interface Market {
  readonly users: Population;
  readonly ads: Ads;
  readonly creatives: Creatives;
  /** Impressions given out so far. */
  readonly impressionCount: number;
  /** Requests begun so far. */
  readonly requestCount: number;
  /**
   * The next impressions in order of time, at most `rows` of them; 0 rows at the end. The rows are the same whatever the
   * sizes of the batches they are asked for in.
   */
  nextBatch(rows: number): ColumnBatch;
  /**
   * The next impressions as well, each with every creative that its ad has by then: a row a creative, and column `shown`, 1 in the
   * one that the log would have. What comes of each is drawn apart from the rest.
   */
  nextChoices(impressions: number): ColumnBatch;
}

export interface MarketOptions {
  readonly seed: number;
  /** All impressions of the market's days together. */
  readonly impressionCount: number;
}

const PILOT_REQUESTS = 6000;

/**
 * Creates a market from a seed. Nothing is drawn from anywhere else: the same preset and options give the same rows.
 *
 * @throws UserError if the seed or the count is not a whole number in range
 */
export function createMarket(preset: MarketPreset, { seed, impressionCount }: MarketOptions): Market {
  checkWhole('seed', seed, 0, 0xffffffff);
  checkWhole('impressions', impressionCount, 1, 1e10);
  const random = createRandom(seed);
  const topicCount = preset.categoryCount * preset.topicsPerCategory;
  const topicVectors = unitVectors(topicCount, preset.latentSize, random.fork('topics'));
  const people = createPopulation(preset, topicVectors, random.fork('users'));
  const ads = createAds(preset, topicVectors, random.fork('ads'));
  const drawn = createCreatives(ads, random.fork('creatives'));
  const wording = preset.wording && createWording(preset, preset.wording, people, ads, random.fork('wording'));
  const users = withColumns(people, wording?.userColumns);
  const creatives = withColumns(drawn, wording?.creativeColumns);
  const truth = withWording(createTruth(preset, users, ads, creatives, random.fork('truth')), wording);
  const clock = createClock(preset);
  const pilot = createRequests(preset, users, ads, truth, { wording });
  const intercepts = fitIntercepts(preset, truth, pilot, random.fork('pilot'));
  const drift = preset.drift && createDrift(preset, preset.drift, ads, random.fork('drift'));
  const requests = createRequests(preset, users, ads, truth, { drift, wording });
  const laws: Laws = { users, ads, creatives, truth, drift, ...intercepts };

  const demand = random.fork('requests');
  const outcomes = random.fork('outcomes');
  const others = random.fork('choices');
  const view = emptyPageView();
  const exposure = emptyExposure();
  let emitted = 0;
  let requestCount = 0;
  let slot = 0;
  let timeMs = preset.startMs;
  const begin = () => {
    // Its slots, on which its own time depends, are not known yet: drift is a few seconds behind.
    requests.next(view, timeMs, demand);
    slot = 0;
    requestCount++;
    timeMs = clock((emitted + view.slotCount * demand.next()) / (impressionCount + preset.feedSlots[1]));
    startExposure(preset, exposure, view, timeMs);
  };
  /** Writes one impression of the page view, or of another creative in its place. */
  const write = (buffer: RowBuffer, row: number, creative: number) => {
    exposure.ad = view.ads[slot];
    exposure.creative = creative;
    exposure.position = slot + 1;
    buffer.impressionId[row] = BigInt(emitted + 1);
    buffer.requestId[row] = BigInt(requestCount);
    buffer.timeMs[row] = BigInt(timeMs);
    writeContext(buffer, row, exposure, view, preset, timeMs);
  };
  const mostCreatives = ads.popularity.reduce(
    (most, _, ad) => Math.max(most, ads.creativeOffsets[ad + 1] - ads.creativeOffsets[ad]),
    0,
  );
  const advance = () => {
    drift?.shown(exposure.user, exposure.ad);
    emitted++;
    slot++;
  };
  return {
    users,
    ads,
    creatives,
    get impressionCount() {
      return emitted;
    },
    get requestCount() {
      return requestCount;
    },
    nextBatch(rows) {
      const most = Math.min(rows, impressionCount - emitted);
      const buffer = createRowBuffer(most);
      for (let filled = 0; filled < most; filled++) {
        if (slot === view.slotCount) begin();
        write(buffer, filled, view.creatives[slot]);
        drawOutcome(buffer, filled, exposure, laws, outcomes);
        advance();
      }
      return toBatch(buffer, most, users, ads, creatives);
    },
    nextChoices(impressions) {
      const most = Math.min(impressions, impressionCount - emitted);
      const buffer = createRowBuffer(most * mostCreatives);
      const shown = new Int32Array(most * mostCreatives);
      let filled = 0;
      for (let i = 0; i < most; i++) {
        if (slot === view.slotCount) begin();
        const from = ads.creativeOffsets[view.ads[slot]];
        const to = from + requests.creativesBy(view.ads[slot], timeMs);
        for (let creative = from; creative < to; creative++, filled++) {
          write(buffer, filled, creative);
          shown[filled] = creative === view.creatives[slot] ? 1 : 0;
          drawOutcome(buffer, filled, exposure, laws, others);
        }
        advance();
      }
      const { columns } = toBatch(buffer, filled, users, ads, creatives);
      const ofShown = integers(shown.subarray(0, filled), undefined, 'boolean');
      return { rowCount: filled, columns: new Map([...columns, ['shown', ofShown]]) };
    },
  };
}

function withColumns<T extends Population | Creatives>(of: T, columns: ReadonlyMap<string, Column> = new Map()): T {
  return { ...of, columns: new Map([...of.columns, ...columns]) };
}

function withWording(truth: Truth, wording: Wording | undefined): Truth {
  if (wording === undefined) return truth;
  const clickLogit = (x: Exposure) => truth.clickLogit(x) + wording.clickLogit(x.user, x.creative);
  return { ...truth, clickLogit };
}

function checkWhole(name: string, value: number, low: number, high: number): void {
  if (Number.isInteger(value) && value >= low && value <= high) return;
  throw new UserError(
    `simulate: expected ${name} to be a whole number from ${low} to ${high}, got ${value}; give another`,
  );
}

function emptyExposure(): Exposure {
  return {
    user: 0,
    ad: 0,
    creative: 0,
    placement: 0,
    position: 1,
    queryTopic: -1,
    device: 0,
    connection: 0,
    hour: 0,
    weekend: 0,
  };
}

/** Sets what the impressions of one page view share. */
function startExposure(preset: MarketPreset, exposure: Exposure, view: PageView, timeMs: number): void {
  exposure.user = view.user;
  exposure.placement = view.placement;
  exposure.queryTopic = view.queryTopic;
  exposure.device = view.device;
  exposure.connection = view.connection;
  exposure.hour = hourOf(preset, timeMs);
  exposure.weekend = weekdayOf(preset, timeMs) >= 5 ? 1 : 0;
}

function hourOf(preset: MarketPreset, timeMs: number): number {
  return Math.floor((timeMs - preset.startMs) / HOUR_MS) % 24;
}

/** 0 is Monday: a market starts on one. */
function weekdayOf(preset: MarketPreset, timeMs: number): number {
  return Math.floor((timeMs - preset.startMs) / (24 * HOUR_MS)) % 7;
}

function writeContext(
  rows: RowBuffer,
  row: number,
  exposure: Exposure,
  view: PageView,
  preset: MarketPreset,
  timeMs: number,
): void {
  rows.user[row] = exposure.user;
  rows.ad[row] = exposure.ad;
  rows.creative[row] = exposure.creative;
  rows.placement[row] = exposure.placement;
  rows.position[row] = exposure.position;
  rows.queryTopic[row] = exposure.queryTopic < 0 ? -1 : exposure.queryTopic + 1;
  rows.device[row] = exposure.device;
  rows.system[row] = view.system;
  rows.connection[row] = exposure.connection;
  rows.hour[row] = exposure.hour;
  rows.weekday[row] = weekdayOf(preset, timeMs);
  rows.randomized[row] = view.randomized;
}

/** Sets both intercepts on a pilot of page views of their own, so that rates are as the preset has them, before any drift. */
function fitIntercepts(
  preset: MarketPreset,
  truth: Truth,
  requests: ReturnType<typeof createRequests>,
  random: Random,
): { clickIntercept: number; buyIntercept: number } {
  const view = emptyPageView();
  const exposure = emptyExposure();
  const clock = createClock(preset);
  const examined: number[] = [];
  const clickLogits: number[] = [];
  const buyLogits: number[] = [];
  for (let request = 0; request < PILOT_REQUESTS; request++) {
    requests.next(view, preset.startMs, random);
    startExposure(preset, exposure, view, clock(random.next()));
    for (let slot = 0; slot < view.slotCount; slot++) {
      exposure.ad = view.ads[slot];
      exposure.creative = view.creatives[slot];
      exposure.position = slot + 1;
      examined.push(truth.examination(exposure));
      clickLogits.push(truth.clickLogit(exposure));
      buyLogits.push(truth.buyLogit(exposure));
    }
  }
  const logits = Float64Array.from(clickLogits);
  const weights = Float64Array.from(examined);
  const clickIntercept = fitIntercept(logits, weights, weights.length, preset.clickRate);
  // Conversions are per click: weigh by the chance of one.
  const clickWeights = weights.map((weight, i) => weight * sigmoid(clickIntercept + logits[i]));
  const clicks = clickWeights.reduce((sum, weight) => sum + weight, 0);
  const buyIntercept = fitIntercept(Float64Array.from(buyLogits), clickWeights, clicks, preset.conversionRate);
  return { clickIntercept, buyIntercept };
}
