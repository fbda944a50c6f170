import { availableParallelism } from 'node:os';
import { createRanker } from '../src/ranking/ranker.ts';
import { scalingPicture } from './scaling/picture.ts';
import { measureProcesses } from './scaling/processes.ts';
import { type Contestant, contestantsOf, loadContestant } from './serving/contestants.ts';
import { Latency } from './serving/latency.ts';
import { benchSize, describeSize, type MarketSize, smallSize } from './serving/market.ts';
import { type ServedQuality, servedQuality } from './serving/quality.ts';
import { RequestStream } from './serving/requests.ts';
import { seeEveryAd, timeRequests } from './serving/timeRequests.ts';
import { type ServedMarket, type TrainedMarket, trainedMarket } from './serving/trained.ts';
import { untrainedMarket } from './serving/untrained.ts';
import type { Topic, TopicOptions, TopicResult } from './topic.ts';

const seed = 41;

/** What is varied, each with everything else as it is. */
export type Axis = 'candidates' | 'fields' | 'ads' | 'cache MiB' | 'processes';

export interface ScalingRow {
  readonly [column: string]: string | number | null;
  readonly by: Axis;
  readonly value: number;
  readonly engine: string;
}

interface Sizes {
  readonly market: MarketSize;
  readonly candidates: readonly number[];
  /** User and ad fields. */
  readonly fields: readonly (readonly [number, number])[];
  readonly ads: readonly number[];
  readonly cacheMb: readonly number[];
  readonly processes: readonly number[];
  readonly seconds: number;
}

const sizesOf = ({ small, candidates }: TopicOptions): Sizes =>
  small
    ? {
        market: smallSize,
        candidates: candidates ?? [1, 20],
        fields: [
          [2, 2],
          [4, 3],
        ],
        ads: [50, 500],
        cacheMb: [0, 1],
        processes: [1],
        seconds: 0.02,
      }
    : {
        market: benchSize,
        candidates: candidates ?? [1, 10, 50, 100, 200, 500, 1_000, 2_000, 5_000],
        fields: [
          [5, 3],
          [10, 6],
          [20, 12],
          [40, 24],
          [80, 48],
        ],
        ads: [1_000, 10_000, 100_000, 1_000_000],
        cacheMb: [0, 4, 16, 64, 256],
        processes: [1, 2, 4, 8, 16, 32, 64].filter((count) => count <= Math.max(2, 2 * availableParallelism())),
        seconds: 1,
      };

/** Cost against one size after the other. */
export const scaling: Topic = {
  name: 'scaling',
  summary: 'cost against candidates, fields, ads, cache budget and processes, as tables and a picture',
  async run(options) {
    const sizes = sizesOf(options);
    const trained = await trainedMarket(sizes.market, options.log);
    const notes: string[] = [];
    const contestants = await chosen(options, trained, notes);
    const rows: ScalingRow[] = [];
    for (const contestant of contestants) {
      const before = rows.length;
      const measurements = new Scaling(contestant, sizes, options);
      rows.push(...(await measurements.byCandidates(trained)));
      rows.push(...(await measurements.byFields()));
      rows.push(...(await measurements.byAds()));
      if (contestant.keepsAds) rows.push(...(await measurements.byCache(trained)));
      rows.push(...(await measureProcesses(contestant, trained, sizes, options)));
      options.log(`${contestant.name}: ${rows.length - before} cases`);
    }
    return {
      setting: `${describeSize(sizes.market)}, ${candidatesOf(sizes)} candidates, cold ad cache, one process, where not varied; each request a new user and new candidates; times in µs`,
      seed,
      rows,
      notes: [
        ...notes,
        'fields and ads are varied with models nobody trained, which cost the same; quality is that of the trained model',
        `processes answer requests as fast as they can, on ${availableParallelism()} cores; p99 of the slowest`,
      ],
      pictures: { 'scaling.svg': scalingPicture(rows) },
    };
  },
};

/** Candidates where they are not varied. */
const candidatesOf = ({ market, candidates }: Sizes) =>
  market === benchSize ? 500 : candidates[candidates.length - 1];

/** Those asked for; else the native engine's that bear comparison, or the first engine that loads. */
async function chosen(options: TopicOptions, { bundle }: TrainedMarket, notes: string[]): Promise<Contestant[]> {
  const isNamed = options.engines !== undefined || options.precisions !== undefined;
  const loaded: Contestant[] = [];
  for (const contestant of contestantsOf(options)) {
    const isFirst = loaded.length === 0;
    const isNative = contestant.choice.engine === 'native' && contestant.choice.precision !== 'int8';
    if (!isFirst && (options.small || (!isNamed && !isNative))) continue;
    const result = await loadContestant(bundle, contestant, 0);
    if ('missing' in result) notes.push(result.missing);
    else {
      result.scorer.dispose();
      loaded.push(contestant);
    }
  }
  return loaded;
}

class Scaling {
  private readonly contestant: Contestant;
  private readonly sizes: Sizes;
  private readonly options: TopicOptions;

  constructor(contestant: Contestant, sizes: Sizes, options: TopicOptions) {
    this.contestant = contestant;
    this.sizes = sizes;
    this.options = options;
  }

  async byCandidates(trained: TrainedMarket): Promise<ScalingRow[]> {
    const rows: ScalingRow[] = [];
    for (const candidates of this.sizes.candidates)
      rows.push(await this.row('candidates', candidates, trained, { candidates, quality: true }));
    return rows;
  }

  async byFields(): Promise<ScalingRow[]> {
    const rows: ScalingRow[] = [];
    for (const [userFields, adFields] of this.sizes.fields) {
      const adCount = Math.min(this.sizes.market.adCount, 20_000);
      const market = await untrainedMarket({ ...this.sizes.market, adCount, userFields, adFields });
      rows.push(await this.row('fields', userFields + adFields, market, {}));
    }
    return rows;
  }

  async byAds(): Promise<ScalingRow[]> {
    const rows: ScalingRow[] = [];
    for (const adCount of this.sizes.ads)
      rows.push(await this.row('ads', adCount, await untrainedMarket({ ...this.sizes.market, adCount }), {}));
    return rows;
  }

  async byCache(trained: TrainedMarket): Promise<ScalingRow[]> {
    const rows: ScalingRow[] = [];
    for (const adCacheMb of this.sizes.cacheMb)
      rows.push(await this.row('cache MiB', adCacheMb, trained, { adCacheMb, quality: true }));
    return rows;
  }

  private async row(
    by: Axis,
    value: number,
    market: ServedMarket,
    { candidates = candidatesOf(this.sizes), adCacheMb = 0, quality = false },
  ): Promise<ScalingRow> {
    const loaded = await loadContestant(market.bundle, this.contestant, adCacheMb);
    if ('missing' in loaded) throw new Error(loaded.missing);
    const { scorer } = loaded;
    const stream = new RequestStream(market, seed);
    const ranker = createRanker(market.bundle, scorer, { catalog: market.catalog });
    if (adCacheMb > 0) seeEveryAd(scorer, stream);
    const before = scorer.adCacheStats?.();
    const times = { rank: new Latency(), score: new Latency() };
    for (let round = 0; round < this.options.rounds; round++)
      timeRequests(ranker, stream, Math.min(candidates, market.market.size.adCount), times, this.sizes.seconds);
    const after = scorer.adCacheStats?.();
    const row = {
      by,
      value,
      engine: scorer.engine,
      'rank p50': times.rank.us(50),
      'rank p99': times.rank.us(99),
      'score p50': times.score.us(50),
      'score p99': times.score.us(99),
      'hit rate': by === 'cache MiB' ? hitRate(before, after) : null,
      'requests/s': null,
      ...qualityColumns(quality ? servedQuality(market, scorer, this.options.small ? 20 : 400) : undefined),
    };
    scorer.dispose();
    return row;
  }
}

function hitRate(
  before: { hits: number; misses: number } | undefined,
  after: { hits: number; misses: number } | undefined,
): string | null {
  if (before === undefined || after === undefined) return null;
  const hits = after.hits - before.hits;
  const lookups = hits + after.misses - before.misses;
  return lookups === 0 ? null : `${((100 * hits) / lookups).toFixed(1)} %`;
}

function qualityColumns(quality: ServedQuality | undefined): TopicResult['rows'][number] {
  if (quality === undefined) return { AUC: null, 'log loss': null };
  return { AUC: Number(quality.auc.toFixed(5)), 'log loss': Number(quality.logLoss.toFixed(5)) };
}
